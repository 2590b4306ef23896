// SPDX-License-Identifier: Apache-2.0
// A directory entry on disk: its record by name under "d/", and its record by number under "n/".
//
// Contract:   an entry has a number, its place in listings: the inode's own number in the entry an inode
//             was made with, else one of the same allocator, so never given to two entries. It belongs to the
//             name: what replaces the entry of a name, or is exchanged with it, takes over the number; a
//             renamed entry keeps it. "d/<dir>/<name>" holds inode, type and, if it differs from
//             the inode's, the number; "n/<dir>/<number>" holds the rest. Both stand or fall together
//             (volumes that never were written to since version 1 have no "n/": volume.hpp).
//             decode accepts exactly what encode makes.
// Cost:       9 bytes by name, the name's length and 1 by number; 8 more each when the numbers differ.
// Errors:     record_corrupt, detail = the directory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

// The value of a "d/" key.
struct DirentValue {
  base::le64 ino;         // 0x00
  std::uint8_t type = 0;  // 0x08  mode >> 12
};

// ... of an entry whose number is not the inode's.
struct NumberedDirentValue {
  DirentValue dirent;  // 0x00
  base::le64 number;   // 0x09
};

static_assert(sizeof(DirentValue) == 9 && sizeof(NumberedDirentValue) == 17);

// The value of an "n/" key: this byte, le64 inode if the flag is set, the name.
struct NumberValue {
  std::uint8_t type = 0;  // 0x00  mode >> 12, number_has_ino
};

inline constexpr std::uint8_t number_has_ino = 0x80;

struct Dirent {
  Ino ino;
  std::uint32_t type = 0;    // mode_* bits
  std::uint64_t number = 0;  // its place in listings; below 2^63

  friend bool operator==(const Dirent&, const Dirent&) = default;
};

// The entry that an inode is made with.
[[nodiscard]] constexpr Dirent first_entry(Ino ino, std::uint32_t type) noexcept {
  return {.ino = ino, .type = type, .number = ino.raw};
}

[[nodiscard]] std::string encode(const Dirent& dirent);
[[nodiscard]] Result<Dirent> decode_dirent(Ino dir, std::string_view value);

// By number. The name points into `value`.
struct NamedDirent {
  Dirent dirent;
  std::string_view name;
};

[[nodiscard]] std::string encode_by_number(const NamedDirent& entry);
[[nodiscard]] Result<NamedDirent> decode_by_number(Ino dir, std::uint64_t number,
                                                   std::string_view value);

}  // namespace artfs::format
