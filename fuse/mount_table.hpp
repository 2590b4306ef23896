// SPDX-License-Identifier: Apache-2.0
// What is mounted where: /proc/self/mountinfo, and the checks of a mount point that rest on it.
//
// Contract:   paths are absolute and without symbolic links. A mount is never touched (stat) before
//             the table has said what it is, so that a dead or stuck one does not hang us.
// Errors:     io_failed with the errno in `detail`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"

namespace artfs::fuse {

inline constexpr std::string_view filesystem_type = "fuse.artfs";

struct MountEntry {
  std::string mount_point;
  std::string type;
  std::string source;   // for artfs: the store's directory
  std::string options;  // of the superblock
  std::string flags;    // of this mount: "rw,nosuid,relatime"
  std::string device;   // "major:minor"
};

// In the order of the kernel: later entries cover earlier ones.
[[nodiscard]] std::vector<MountEntry> parse_mount_table(std::string_view text);
[[nodiscard]] Result<std::vector<MountEntry>> read_mount_table();

// The topmost mount exactly at the path.
[[nodiscard]] std::optional<MountEntry> mount_at(const std::vector<MountEntry>& table,
                                                 std::string_view path);
// Where the store is mounted, if it is.
[[nodiscard]] std::optional<MountEntry> mount_of_store(const std::vector<MountEntry>& table,
                                                       std::string_view store_path);

// The path without symbolic links, "." and ".."; its last component need not answer to stat (a dead
// mount does not). io_failed when the directory above it does not exist.
[[nodiscard]] Result<std::string> canonical_path(const std::string& path);

}  // namespace artfs::fuse
