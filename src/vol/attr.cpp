// SPDX-License-Identifier: Apache-2.0
#include "vol/attr.hpp"

#include <algorithm>

#include "vol/acl.hpp"
#include "vol/atime.hpp"
#include "vol/file.hpp"
#include "vol/inode.hpp"
#include "vol/protect.hpp"
#include "vol/xattr.hpp"

namespace artfs::vol {
namespace {

using format::Inode;

constexpr std::uint32_t set_uid = 04000;
constexpr std::uint32_t set_gid = 02000;
constexpr std::uint32_t group_execute = 00010;

bool anything(const SetAttr& changes) {
  return changes.mode || changes.uid || changes.gid || changes.size || changes.atime ||
         changes.mtime || changes.ctime || changes.atime_now || changes.mtime_now ||
         changes.clear_privileges || changes.owner_unchanged;
}

Result<void> check_changes(Ino ino, const Inode& inode, const SetAttr& changes) {
  for (const auto* time : {&changes.atime, &changes.mtime, &changes.ctime}) {
    if (*time && (*time)->nanoseconds >= 1'000'000'000) return fail(Errc::invalid_argument);
  }
  ARTFS_TRY(may_set_attributes(inode, changes));
  if (!changes.size) return {};
  if (inode.is_directory()) return fail(Errc::is_a_directory, ino.raw);
  if (!inode.is_regular()) return fail(Errc::invalid_argument, ino.raw);
  if (*changes.size > format::file_size_max) return fail(Errc::file_too_big, *changes.size);
  return {};
}

// Owner before mode: an explicit mode has the last word on suid and sgid.
void apply_owner_and_mode(Inode& inode, const SetAttr& changes, const Caller& caller) {
  if (changes.uid) inode.uid = *changes.uid;
  if (changes.gid) inode.gid = *changes.gid;
  const bool owner_changes =
      (changes.uid || changes.gid || changes.owner_unchanged) && !inode.is_directory();
  if (owner_changes || changes.clear_privileges) {
    drop_privileges(inode, false);
  } else if (changes.size) {
    drop_privileges(inode, caller.has_cap_fsetid);
  }
  if (changes.mode) {
    inode.mode = inode.type() | (*changes.mode & format::mode_permission_mask);
  }
}

// Explicit times replace what accepted writes left pending; every change sets ctime.
void apply_times(Inode& inode, PendingTimes& pending, const SetAttr& changes, Timestamp time) {
  if (pending.atime) inode.atime = *pending.atime;
  if (pending.mtime) inode.mtime = *pending.mtime;
  pending = {};
  if (changes.size) inode.mtime = time;
  if (changes.atime_now) inode.atime = time;
  if (changes.mtime_now) inode.mtime = time;
  if (changes.atime) inode.atime = *changes.atime;
  if (changes.mtime) inode.mtime = *changes.mtime;
  inode.ctime = changes.ctime ? *changes.ctime : time;
}

}  // namespace

bool drop_privileges(Inode& inode, bool keeps_modes) {
  const std::uint32_t before = inode.mode;
  if (!keeps_modes) {
    inode.mode &= ~set_uid;
    if ((inode.mode & group_execute) != 0) inode.mode &= ~set_gid;
  }
  const auto dropped = std::erase_if(
      inode.xattrs, [](const format::InodeXattr& xattr) { return xattr.name == capability_xattr; });
  return inode.mode != before || dropped != 0;
}

Result<void> drop_privileges_of(Core& core, Ino ino, const Caller& caller) {
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  if (!inode.is_regular() || !drop_privileges(inode, caller.has_cap_fsetid)) return {};
  inode.ctime = now();
  Txn txn;
  put_inode(core, txn, ino, inode);
  ARTFS_TRY(core.store->commit(txn));
  refresh_attributes(core, ino, inode);
  return {};
}

void adopt_attributes(InodeState& state, const Inode& inode) {
  const bool has_mode = (inode.mode & set_uid) != 0 ||
                        (inode.mode & (set_gid | group_execute)) == (set_gid | group_execute);
  state.flags = inode.flags;
  state.has_privileges = has_mode || has_small_xattr(inode, capability_xattr);
  state.atime_due = atime_is_behind(inode);
  state.atime_seconds = inode.atime.seconds;
}

// What is pending is later than the record: a read may have moved atime since, a write mtime.
void refresh_attributes(Core& core, Ino ino, const Inode& inode) {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  const base::MutexLock lock(state->mutex);
  if (!state->loaded) return;
  adopt_attributes(*state, inode);
  if (state->pending.atime) state->atime_seconds = state->pending.atime->seconds;
}

namespace {

constexpr std::uint32_t chattr_flags =
    format::inode_immutable | format::inode_append | format::inode_noatime | format::inode_nodump;

std::uint32_t to_bits(InodeFlags flags) {
  return (flags.immutable ? format::inode_immutable : 0) |
         (flags.append_only ? format::inode_append : 0) |
         (flags.no_atime ? format::inode_noatime : 0) | (flags.no_dump ? format::inode_nodump : 0);
}

}  // namespace

Result<InodeFlags> get_flags(Core& core, Ino ino) {
  const Inode inode = ARTFS_TRY(load_inode(core, ino));
  const auto has = [&](std::uint32_t flag) { return (inode.flags & flag) != 0; };
  return InodeFlags{.immutable = has(format::inode_immutable),
                    .append_only = has(format::inode_append),
                    .no_atime = has(format::inode_noatime),
                    .no_dump = has(format::inode_nodump)};
}

Result<void> set_flags(Core& core, Ino ino, InodeFlags flags) {
  if (core.read_only()) return fail(Errc::store_read_only);
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  inode.flags = (inode.flags & ~chattr_flags) | to_bits(flags);
  inode.ctime = now();
  Txn txn;
  put_inode(core, txn, ino, inode);
  ARTFS_TRY(core.store->commit(txn));
  refresh_attributes(core, ino, inode);
  return {};
}

namespace {

Result<Attr> setattr_locked(Core& core, Ino ino, const SetAttr& changes, const Caller& caller) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  ARTFS_TRY(check_changes(ino, inode, changes));
  {
    const base::MutexLock lock(state->mutex);
    if (changes.size) ARTFS_TRY(truncate_locked(core, *state, *changes.size));
    PendingTimes pending = state->pending;
    apply_owner_and_mode(inode, changes, caller);
    apply_times(inode, pending, changes, now());
    Txn txn;
    if (changes.mode) ARTFS_TRY(follow_mode(core, txn, ino, inode));
    put_inode(core, txn, ino, inode);
    ARTFS_TRY(core.store->commit(txn));
    state->pending = pending;
    if (state->loaded) adopt_attributes(*state, inode);
  }
  return to_attr(core, ino, inode);
}

}  // namespace

Result<Attr> setattr(Core& core, Ino ino, const SetAttr& changes, const Caller& caller) {
  if (!anything(changes)) return attributes(core, ino);
  if (changes.size) ARTFS_TRY(make_room(core));
  const Attr attr = ARTFS_TRY(setattr_locked(core, ino, changes, caller));
  if (changes.size) ARTFS_TRY(write_through(core, ino));
  return attr;
}

Result<std::string> readlink(Core& core, Ino ino) {
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  if (!inode.is_symlink()) return fail(Errc::invalid_argument, ino.raw);
  note_access(core, ino, inode);
  return std::move(inode.body);
}

}  // namespace artfs::vol
