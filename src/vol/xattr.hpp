// SPDX-License-Identifier: Apache-2.0
// Extended attributes: small ones in the inode record, large ones under "x/" keys.
//
// Contract:   as volume.hpp. An attribute stands in exactly one of the two places; the record counts
//             the large ones, so that an inode without any is known by its record alone. File
//             capabilities always stand in the record, where a write looks for them.
// Threading:  any thread; the stripe of the inode for changes.
// Errors:     xattr_not_found, xattr_exists, xattr_name_invalid, xattr_too_large; no_space when the
//             list of names would pass 64 KiB, which is all listxattr(2) can return;
//             operation_not_supported for a name outside user., trusted., security. and the two ACLs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

inline constexpr std::size_t xattr_name_bytes_max = 255;
inline constexpr std::size_t xattr_value_bytes_max = 65536;
inline constexpr std::size_t xattr_list_bytes_max = 65536;
// In the record: values to this size, names and values together to that.
inline constexpr std::size_t small_xattr_bytes_max = 512;
inline constexpr std::size_t small_xattrs_total_max = 1024;

inline constexpr std::string_view capability_xattr = "security.capability";

struct Xattr {
  std::string_view name;
  std::string_view value;
};

[[nodiscard]] Result<std::string> get_xattr(Core& core, Ino ino, std::string_view name);
[[nodiscard]] Result<void> set_xattr(Core& core, Ino ino, Xattr xattr, Volume::XattrFlags flags);
[[nodiscard]] Result<std::vector<std::string>> list_xattrs(Core& core, Ino ino);
[[nodiscard]] Result<void> remove_xattr(Core& core, Ino ino, std::string_view name);

// Inside a change of the inode, whose stripe is held: neither checks anything, the caller commits.
[[nodiscard]] bool has_small_xattr(const format::Inode& inode, std::string_view name);
[[nodiscard]] Result<std::optional<std::string>> read_xattr(const Core& core, Ino ino,
                                                            const format::Inode& inode,
                                                            std::string_view name);
[[nodiscard]] Result<void> replace_xattr(Core& core, Txn& txn, Ino ino, format::Inode& inode,
                                         Xattr xattr);
// False: there was none.
[[nodiscard]] Result<bool> erase_xattr(Core& core, Txn& txn, Ino ino, format::Inode& inode,
                                       std::string_view name);

}  // namespace artfs::vol
