// SPDX-License-Identifier: Apache-2.0
// What find, du and ls print of an entry, as text.
//
// Contract:   the forms are those of ls(1), find(1) and du(1). json_text: what is not UTF-8 becomes \udc80 to
//             \udcff, a byte each, as Python's os.fsdecode has it: nothing is lost.
// Threading:  functions: any thread; an OwnerNames: one.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "artfs/volume.hpp"

namespace artfs::tool {

// "drwxr-xr-t"
[[nodiscard]] std::string mode_text(std::uint32_t mode);
// The letter of find -type: f, d, l, p, s, c or b.
[[nodiscard]] char type_letter(std::uint32_t mode) noexcept;
// "Nov 28 14:05", or "Nov 28  2025" when it is half a year away.
[[nodiscard]] std::string date_text(Timestamp time, Timestamp now);
// "4.0K", "12M": units of 1024, rounded up.
[[nodiscard]] std::string human_text(std::uint64_t bytes);
// With the quotes around it.
[[nodiscard]] std::string json_text(std::string_view bytes);
// As find -ls prints a name: \n, \ooo, and a backslash before space, quote and backslash.
[[nodiscard]] std::string quoted_text(std::string_view bytes);

// One object: path, type, ino, mode, nlink, uid, gid, size, blocks (512 bytes), times in seconds, entries of a
// directory, target of a symbolic link, device numbers.
[[nodiscard]] std::string entry_json(std::string_view path, const WalkEntry& entry);

// Names of users and groups, asked for once each.
class OwnerNames {
 public:
  [[nodiscard]] const std::string& user(std::uint32_t uid);
  [[nodiscard]] const std::string& group(std::uint32_t gid);

 private:
  std::unordered_map<std::uint32_t, std::string> users_;
  std::unordered_map<std::uint32_t, std::string> groups_;
};

}  // namespace artfs::tool
