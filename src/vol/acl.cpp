// SPDX-License-Identifier: Apache-2.0
#include "vol/acl.hpp"

#include "format/acl.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

using format::Acl;
using format::AclEntry;
using format::AclTag;
using format::Inode;

constexpr std::uint32_t set_gid = 02000;
constexpr std::uint32_t permission_bits = 0777;
constexpr unsigned owner_shift = 6;
constexpr unsigned group_shift = 3;
constexpr unsigned other_shift = 0;

constexpr std::uint32_t digit(std::uint32_t mode, unsigned shift) {
  return (mode >> shift) & 7U;
}

AclEntry* find(Acl& acl, AclTag tag) {
  for (AclEntry& entry : acl) {
    if (entry.tag == tag) return &entry;
  }
  return nullptr;
}

// The three entries that the mode shows; the group's is the mask where there is one.
struct ModeEntries {
  AclEntry& owner;
  AclEntry& group;
  AclEntry& other;

  [[nodiscard]] std::uint32_t mode() const {
    return (static_cast<std::uint32_t>(owner.permissions) << owner_shift) |
           (static_cast<std::uint32_t>(group.permissions) << group_shift) | other.permissions;
  }

  void set(std::uint32_t mode) const {
    owner.permissions = static_cast<std::uint16_t>(digit(mode, owner_shift));
    group.permissions = static_cast<std::uint16_t>(digit(mode, group_shift));
    other.permissions = static_cast<std::uint16_t>(digit(mode, other_shift));
  }
};

// A decoded ACL that is not empty has them all.
Result<ModeEntries> mode_entries(Acl& acl) {
  AclEntry* owner = find(acl, AclTag::owner);
  AclEntry* mask = find(acl, AclTag::mask);
  AclEntry* group = mask != nullptr ? mask : find(acl, AclTag::group_owner);
  AclEntry* other = find(acl, AclTag::other);
  if (owner == nullptr || group == nullptr || other == nullptr) {
    return fail(Errc::invalid_argument);
  }
  return ModeEntries{.owner = *owner, .group = *group, .other = *other};
}

// Nothing named and no mask: three entries.
bool says_more_than_mode(const Acl& acl) {
  return acl.size() > 3;
}

Result<Acl> stored_acl(Ino ino, std::string_view value) {
  Result<Acl> acl = format::decode_acl(value);
  if (!acl || acl->empty()) return fail(Errc::record_corrupt, ino.raw);
  return acl;
}

void set_mode(Inode& inode, std::uint32_t permissions) {
  inode.mode = (inode.mode & ~permission_bits) | permissions;
}

}  // namespace

bool is_acl_name(std::string_view name) noexcept {
  return name == acl_access_xattr || name == acl_default_xattr;
}

Result<std::string> accept_acl(Inode& inode, Xattr xattr, bool clear_sgid) {
  if (inode.is_symlink()) return fail(Errc::operation_not_supported);
  Acl acl = ARTFS_TRY(format::decode_acl(xattr.value));
  if (xattr.name == acl_default_xattr) {
    if (!inode.is_directory() && !acl.empty()) return fail(Errc::acl_not_on_a_directory);
    return acl.empty() ? std::string{} : format::encode(acl);
  }
  if (acl.empty()) return std::string{};
  const ModeEntries entries = ARTFS_TRY(mode_entries(acl));
  set_mode(inode, entries.mode());
  if (clear_sgid) inode.mode &= ~set_gid;
  return says_more_than_mode(acl) ? format::encode(acl) : std::string{};
}

Result<void> follow_mode(Core& core, Txn& txn, Ino ino, Inode& inode) {
  const auto stored = ARTFS_TRY(read_xattr(core, ino, inode, acl_access_xattr));
  if (!stored) return {};
  Acl acl = ARTFS_TRY(stored_acl(ino, *stored));
  const ModeEntries entries = ARTFS_TRY(mode_entries(acl));
  entries.set(inode.mode & permission_bits);
  const std::string value = format::encode(acl);
  return replace_xattr(core, txn, ino, inode, {.name = acl_access_xattr, .value = value});
}

Result<void> inherit_acls(Core& core, Txn& txn, const NewChild& child, std::uint32_t umask) {
  Inode& inode = child.inode;
  if (inode.is_symlink()) return {};
  const auto inherited = ARTFS_TRY(read_xattr(core, child.dir_ino, child.dir, acl_default_xattr));
  if (!inherited) {
    inode.mode &= ~(umask & permission_bits);
    return {};
  }
  Acl acl = ARTFS_TRY(stored_acl(child.dir_ino, *inherited));
  const ModeEntries entries = ARTFS_TRY(mode_entries(acl));
  entries.set(entries.mode() & inode.mode);
  set_mode(inode, entries.mode());
  if (says_more_than_mode(acl)) {
    const std::string value = format::encode(acl);
    ARTFS_TRY(
        replace_xattr(core, txn, child.ino, inode, {.name = acl_access_xattr, .value = value}));
  }
  if (!inode.is_directory()) return {};
  return replace_xattr(core, txn, child.ino, inode,
                       {.name = acl_default_xattr, .value = *inherited});
}

}  // namespace artfs::vol
