// SPDX-License-Identifier: Apache-2.0
#include "vol/xattr.hpp"

#include <algorithm>

#include "format/key.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

using format::Inode;
using format::InodeXattr;

Result<void> check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > xattr_name_bytes_max || name.find('\0') != name.npos) {
    return fail(Errc::xattr_name_invalid, name.size());
  }
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
  const bool small = xattr.value.size() <= small_xattr_bytes_max &&
                     small_total(inode, xattr.name) + xattr.name.size() + xattr.value.size() <=
                         small_xattrs_total_max;
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
  return {};
}

}  // namespace

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
  if (flags.create && flags.replace) return fail(Errc::invalid_argument);
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
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
  Txn txn;
  if (!ARTFS_TRY(take_out(core, txn, ino, inode, name))) return fail(Errc::xattr_not_found);
  return commit_changed(core, txn, ino, inode);
}

}  // namespace artfs::vol
