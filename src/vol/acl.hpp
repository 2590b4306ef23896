// SPDX-License-Identifier: Apache-2.0
// POSIX ACLs: what setting one does to the mode, what a mode does to it, and what children inherit.
//
// Contract:   ACLs are the xattrs system.posix_acl_access and system.posix_acl_default; the kernel
//             enforces them. An access ACL agrees with the permission bits of the mode at all times
//             (the group's bits are the mask's where there is one), and is kept only while it says more
//             than they do. A default ACL belongs to a directory and replaces the umask of what is made
//             in it.
// Threading:  the caller holds the stripe of the inode and commits.
// Errors:     invalid_argument, operation_not_supported (symlinks, other versions),
//             acl_not_on_a_directory.
// Source:     posix_acl_create, posix_acl_chmod and posix_acl_update_mode of Linux, as ext4 uses them.
#pragma once

#include <string>
#include <string_view>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"
#include "vol/xattr.hpp"

namespace artfs::vol {

inline constexpr std::string_view acl_access_xattr = "system.posix_acl_access";
inline constexpr std::string_view acl_default_xattr = "system.posix_acl_default";

[[nodiscard]] bool is_acl_name(std::string_view name) noexcept;

// An ACL is set: the mode follows. Returns what is to be kept under its name; empty: nothing.
[[nodiscard]] Result<std::string> accept_acl(format::Inode& inode, Xattr acl, bool clear_sgid);
// The mode was set: the access ACL follows.
[[nodiscard]] Result<void> follow_mode(Core& core, Txn& txn, Ino ino, format::Inode& inode);

// A new inode as it should be without ACLs, but for the umask, which is applied here; and its directory.
struct NewChild {
  Ino dir_ino;
  const format::Inode& dir;
  Ino ino;
  format::Inode& inode;
};

[[nodiscard]] Result<void> inherit_acls(Core& core, Txn& txn, const NewChild& child,
                                        std::uint32_t umask);

}  // namespace artfs::vol
