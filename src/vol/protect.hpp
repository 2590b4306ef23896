// SPDX-License-Identifier: Apache-2.0
// What the flags of an inode forbid: immutable and append-only, as chattr(1) says.
//
// Contract:   the kernel knows these flags of an inode only for its own filesystems, so every rule is
//             kept here: what Linux checks in may_open, may_create, may_delete, vfs_link, may_setattr
//             and xattr_permission, with ext4's answer for contents. Who may set the flags is the
//             caller's business (the kernel asks for CAP_LINUX_IMMUTABLE).
// Threading:  pure; the caller holds the stripe of what it passes.
// Errors:     operation_not_permitted.
#pragma once

#include <cstdint>

#include "artfs/volume.hpp"

#include "format/inode.hpp"

namespace artfs::vol {

// What an operation does to the bytes of a file.
enum class Touches : std::uint8_t {
  contents,      // write, or allocation in advance
  holes,         // takes bytes away: punch, zero
  mapped_pages,  // of a mapping that was made when it was allowed: never refused, or they were lost
};

[[nodiscard]] Result<void> may_open(std::uint32_t flags, OpenMode mode);
[[nodiscard]] Result<void> may_touch(std::uint32_t flags, Touches touches);
[[nodiscard]] Result<void> may_set_attributes(const format::Inode& inode, const SetAttr& changes);
[[nodiscard]] Result<void> may_set_xattr(const format::Inode& inode);
[[nodiscard]] Result<void> may_link(const format::Inode& inode);
// A name is added to the directory, or taken out of it.
[[nodiscard]] Result<void> may_add_entry(const format::Inode& dir);
[[nodiscard]] Result<void> may_remove_entry(const format::Inode& dir, const format::Inode& child);

}  // namespace artfs::vol
