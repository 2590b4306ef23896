// SPDX-License-Identifier: Apache-2.0
#include "vol/xattr.hpp"

#include <algorithm>
#include <array>

#include "format/key.hpp"
#include "vol/acl.hpp"
#include "vol/attr.hpp"
#include "vol/inode.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {
namespace {

using format::Inode;
using format::InodeXattr;

constexpr std::array<std::string_view, 3> namespaces = {"user.", "trusted.", "security."};

// As ext4: a namespace nobody knows is not supported, a namespace alone is no name.
Result<void> check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > xattr_name_bytes_max || name.find('\0') != name.npos) {
    return fail(Errc::xattr_name_invalid, name.size());
  }
  if (is_acl_name(name)) return {};
  const auto* const known =
      std::find_if(namespaces.begin(), namespaces.end(),
                   [&](std::string_view prefix) { return name.starts_with(prefix); });
  if (known == namespaces.end()) return fail(Errc::operation_not_supported);
  if (name.size() == known->size()) return fail(Errc::invalid_argument);
  return {};
}

auto find_small(const Inode& inode, std::string_view name) {
  return std::find_if(inode.xattrs.begin(), inode.xattrs.end(),
                      [&](const InodeXattr& xattr) { return xattr.name == name; });
}

Result<bool> is_large(const Core& core, Ino ino, const Inode& inode, std::string_view name) {
  if (inode.large_xattrs == 0) return false;
  return core.tree.contains(format::xattr_key(ino, name));
}

// What small attributes other than `name` take.
std::size_t small_total(const Inode& inode, std::string_view name) {
  std::size_t bytes = 0;
  for (const InodeXattr& xattr : inode.xattrs) {
    if (xattr.name != name) bytes += xattr.name.size() + xattr.value.size();
  }
  return bytes;
}

Result<std::vector<std::string>> names_of(const Core& core, Ino ino, const Inode& inode) {
  std::vector<std::string> names;
  for (const InodeXattr& xattr : inode.xattrs) names.push_back(xattr.name);
  if (inode.large_xattrs != 0) {
    const format::Key prefix = format::xattrs_prefix(ino);
    Scan scan = core.tree.scan({.prefix = prefix, .keys_only = true});
    while (ARTFS_TRY(scan.next())) {
      names.emplace_back(scan.entry().key.substr(prefix.view().size()));
    }
  }
  std::sort(names.begin(), names.end());
  // A large value that becomes small while we read would be seen twice.
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<void> check_list(const Core& core, Ino ino, const Inode& inode, std::string_view added) {
  std::size_t bytes = added.size() + 1;
  for (const std::string& name : ARTFS_TRY(names_of(core, ino, inode))) bytes += name.size() + 1;
  if (bytes > xattr_list_bytes_max) return fail(Errc::no_space, bytes);
  return {};
}

void put_xattr(Core& core, Txn& txn, Ino ino, Inode& inode, Xattr xattr) {
  const bool fits = small_total(inode, xattr.name) + xattr.name.size() + xattr.value.size() <=
                    small_xattrs_total_max;
  const bool small =
      xattr.name == capability_xattr || (xattr.value.size() <= small_xattr_bytes_max && fits);
  if (small) {
    inode.xattrs.push_back({.name = std::string(xattr.name), .value = std::string(xattr.value)});
  } else {
    ++inode.large_xattrs;
    txn.put(core.tree, format::xattr_key(ino, xattr.name), xattr.value);
  }
}

// Takes the attribute out of wherever it stands; false: it was nowhere.
Result<bool> take_out(Core& core, Txn& txn, Ino ino, Inode& inode, std::string_view name) {
  const auto small = find_small(inode, name);
  if (small != inode.xattrs.end()) {
    inode.xattrs.erase(small);
    return true;
  }
  if (!ARTFS_TRY(is_large(core, ino, inode, name))) return false;
  --inode.large_xattrs;
  txn.erase(core.tree, format::xattr_key(ino, name));
  return true;
}

Result<void> commit_changed(Core& core, Txn& txn, Ino ino, Inode& inode) {
  inode.ctime = now();
  put_inode(core, txn, ino, inode);
  ARTFS_TRY(core.store->commit(txn));
  refresh_attributes(core, ino, inode);
  return {};
}

// An ACL that says no more than the mode is not kept; both are in one transaction.
Result<void> set_acl(Core& core, Ino ino, Xattr xattr, bool clear_sgid) {
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  ARTFS_TRY(may_set_xattr(inode));
  const std::string kept = ARTFS_TRY(accept_acl(inode, xattr, clear_sgid));
  Txn txn;
  const bool existed = ARTFS_TRY(take_out(core, txn, ino, inode, xattr.name));
  if (!kept.empty()) {
    if (!existed) ARTFS_TRY(check_list(core, ino, inode, xattr.name));
    put_xattr(core, txn, ino, inode, {.name = xattr.name, .value = kept});
  }
  return commit_changed(core, txn, ino, inode);
}

}  // namespace

bool has_small_xattr(const Inode& inode, std::string_view name) {
  return find_small(inode, name) != inode.xattrs.end();
}

Result<std::optional<std::string>> read_xattr(const Core& core, Ino ino, const Inode& inode,
                                              std::string_view name) {
  const auto small = find_small(inode, name);
  if (small != inode.xattrs.end()) return std::optional(small->value);
  if (inode.large_xattrs == 0) return std::optional<std::string>{};
  Result<Record> large = core.tree.get(format::xattr_key(ino, name));
  if (large) return std::optional(std::move(large->value));
  if (large.error().code == Errc::key_not_found) return std::optional<std::string>{};
  return fail(large.error());
}

Result<void> replace_xattr(Core& core, Txn& txn, Ino ino, Inode& inode, Xattr xattr) {
  static_cast<void>(ARTFS_TRY(take_out(core, txn, ino, inode, xattr.name)));
  put_xattr(core, txn, ino, inode, xattr);
  return {};
}

Result<bool> erase_xattr(Core& core, Txn& txn, Ino ino, Inode& inode, std::string_view name) {
  return take_out(core, txn, ino, inode, name);
}

Result<std::string> get_xattr(Core& core, Ino ino, std::string_view name) {
  ARTFS_TRY(check_xattr_name(name));
  for (;;) {
    const Inode inode = ARTFS_TRY(load_inode(core, ino));
    const auto small = find_small(inode, name);
    if (small != inode.xattrs.end()) return small->value;
    if (inode.large_xattrs == 0) return fail(Errc::xattr_not_found);
    Result<Record> large = core.tree.get(format::xattr_key(ino, name));
    if (large) return std::move(large->value);
    if (large.error().code != Errc::key_not_found) return fail(large.error());
    // It may have moved into the record between the two reads.
    if (ARTFS_TRY(load_inode(core, ino)) == inode) return fail(Errc::xattr_not_found);
  }
}

Result<void> set_xattr(Core& core, Ino ino, Xattr xattr, Volume::XattrFlags flags) {
  ARTFS_TRY(check_xattr_name(xattr.name));
  if (xattr.value.size() > xattr_value_bytes_max) {
    return fail(Errc::xattr_too_large, xattr.value.size());
  }
  if (is_acl_name(xattr.name)) return set_acl(core, ino, xattr, flags.clear_sgid);
  if (xattr.name == capability_xattr && xattr.value.size() > small_xattr_bytes_max) {
    return fail(Errc::invalid_argument);
  }
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  ARTFS_TRY(may_set_xattr(inode));
  Txn txn;
  const bool existed = ARTFS_TRY(take_out(core, txn, ino, inode, xattr.name));
  if (existed && flags.create) return fail(Errc::xattr_exists);
  if (!existed && flags.replace) return fail(Errc::xattr_not_found);
  if (!existed) ARTFS_TRY(check_list(core, ino, inode, xattr.name));
  put_xattr(core, txn, ino, inode, xattr);
  return commit_changed(core, txn, ino, inode);
}

Result<std::vector<std::string>> list_xattrs(Core& core, Ino ino) {
  const InodeLocks::Guard guard(core.locks, {ino});
  const Inode inode = ARTFS_TRY(load_inode(core, ino));
  return names_of(core, ino, inode);
}

Result<void> remove_xattr(Core& core, Ino ino, std::string_view name) {
  ARTFS_TRY(check_xattr_name(name));
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  ARTFS_TRY(may_set_xattr(inode));
  Txn txn;
  if (!ARTFS_TRY(take_out(core, txn, ino, inode, name))) {
    if (is_acl_name(name)) return {};  // as ext4: there is always an ACL, if only the mode's
    return fail(Errc::xattr_not_found);
  }
  return commit_changed(core, txn, ino, inode);
}

}  // namespace artfs::vol
