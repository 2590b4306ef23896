// SPDX-License-Identifier: Apache-2.0
#include "vol/protect.hpp"

namespace artfs::vol {
namespace {

using format::Inode;

constexpr std::uint32_t any_protection = format::inode_immutable | format::inode_append;

Result<void> refuse_if(bool forbidden) {
  if (forbidden) return fail(Errc::operation_not_permitted);
  return {};
}

bool is_immutable(const Inode& inode) {
  return (inode.flags & format::inode_immutable) != 0;
}

bool is_append_only(const Inode& inode) {
  return (inode.flags & format::inode_append) != 0;
}

bool is_protected(const Inode& inode) {
  return (inode.flags & any_protection) != 0;
}

// utimensat(2) with both times NOW needs less than one that names a time, or only one of them.
bool sets_times(const SetAttr& changes) {
  return changes.atime || changes.mtime || changes.ctime || changes.atime_now != changes.mtime_now;
}

}  // namespace

Result<void> may_open(std::uint32_t flags, OpenMode mode) {
  const bool writes = mode.write || mode.truncate;
  const bool overwrites = (mode.write && !mode.append) || mode.truncate;
  return refuse_if(((flags & format::inode_immutable) != 0 && writes) ||
                   ((flags & format::inode_append) != 0 && overwrites));
}

Result<void> may_touch(std::uint32_t flags, Touches touches) {
  switch (touches) {
    case Touches::contents:
      return refuse_if((flags & format::inode_immutable) != 0);
    case Touches::holes:
      return refuse_if((flags & any_protection) != 0);
    case Touches::mapped_pages:
      break;
  }
  return {};
}

Result<void> may_set_attributes(const Inode& inode, const SetAttr& changes) {
  const bool more_than_now =
      changes.mode || changes.uid || changes.gid || changes.size || sets_times(changes);
  return refuse_if(is_immutable(inode) || (is_append_only(inode) && more_than_now));
}

Result<void> may_set_xattr(const Inode& inode) {
  return refuse_if(is_protected(inode));
}

Result<void> may_link(const Inode& inode) {
  return refuse_if(is_protected(inode));
}

Result<void> may_add_entry(const Inode& dir) {
  return refuse_if(is_immutable(dir));
}

Result<void> may_remove_entry(const Inode& dir, const Inode& child) {
  return refuse_if(is_protected(dir) || is_protected(child));
}

}  // namespace artfs::vol
