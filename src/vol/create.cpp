// SPDX-License-Identifier: Apache-2.0
#include "format/key.hpp"
#include "vol/acl.hpp"
#include "vol/file.hpp"
#include "vol/inode.hpp"
#include "vol/names.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {

using format::Inode;

namespace {

constexpr std::uint32_t set_gid = 02000;

}  // namespace

// The mode and owner of a child: the group of a setgid directory, which its subdirectories pass on
// (inode_init_owner of Linux), and the flags that a directory hands down, as ext4 does. The umask or the
// default ACL follows in inherit_acls().
Inode new_inode(const Inode& dir, const NewInode& what, const Caller& caller) {
  Inode inode;
  inode.mode = what.mode & (format::mode_type_mask | format::mode_permission_mask);
  inode.uid = caller.uid;
  inode.gid = caller.gid;
  if ((dir.mode & set_gid) != 0) {
    inode.gid = dir.gid;
    if (inode.is_directory()) inode.mode |= set_gid;
  }
  inode.flags = dir.flags & (format::inode_noatime | format::inode_nodump);
  inode.nlink = inode.is_directory() ? 2 : 1;
  if (inode.is_device()) inode.rdev = what.rdev;
  if (inode.is_regular()) inode.contents = format::Contents::in_record;
  if (inode.is_symlink()) {
    inode.body = what.target;
    inode.size = what.target.size();
  }
  const Timestamp time = now();
  inode.atime = inode.mtime = inode.ctime = inode.btime = time;
  return inode;
}

namespace {

Result<void> check_new(const NewInode& what) {
  switch (what.mode & format::mode_type_mask) {
    case format::mode_symlink:
      if (what.target.empty()) return fail(Errc::entry_not_found);  // as symlink(2)
      if (what.target.size() > symlink_bytes_max) return fail(Errc::name_too_long);
      if (what.target.find('\0') != what.target.npos) return fail(Errc::invalid_argument);
      return {};
    case format::mode_fifo:
    case format::mode_character:
    case format::mode_directory:
    case format::mode_block:
    case format::mode_regular:
    case format::mode_socket:
      return {};
    default:
      return fail(Errc::invalid_argument);
  }
}

// Also `unnamed`: an orphan until link() names it.
void open_new(Core& core, Ino ino, const Inode& inode, bool unnamed) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const base::MutexLock lock(state->mutex);
  state->opens = 1;
  state->orphan = unnamed;
  state->unnamed = unnamed;
  state->referenced = unnamed && core.options.reclaim_on_forget;
  adopt_inode(*state, inode);
}

}  // namespace

Result<Attr> make(Core& core, Place place, const NewInode& what, const Caller& caller) {
  ARTFS_TRY(check_name(place.name));
  ARTFS_TRY(check_new(what));
  const InodeLocks::Guard guard(core.locks, {place.parent});
  Inode dir = ARTFS_TRY(load_live_directory(core, place.parent));
  if (ARTFS_TRY(find_entry(core, place.parent, place.name))) return fail(Errc::entry_exists);
  ARTFS_TRY(may_add_entry(dir));

  Inode inode = new_inode(dir, what, caller);
  if (inode.is_directory()) {
    inode.parent = place.parent;
    ++dir.nlink;
  }
  touch_directory(dir, 1, inode.btime);
  const Ino ino = ARTFS_TRY(core.inos->allocate(place.parent));
  Txn txn;
  ARTFS_TRY(inherit_acls(
      core, txn, {.dir_ino = place.parent, .dir = dir, .ino = ino, .inode = inode}, caller.umask));
  put_entry(core, txn, place, format::first_entry(ino, inode.type()));
  put_inode(core, txn, ino, inode);
  put_inode(core, txn, place.parent, dir);
  count(core, txn, format::VolumeCounter::inodes, 1);
  if (inode.is_directory()) count(core, txn, format::VolumeCounter::directories, 1);
  ARTFS_TRY(core.store->commit(txn));
  if (what.open) open_new(core, ino, inode, false);
  return to_attr(core, ino, inode);  // the number is new: nobody else can know it yet
}

// Nobody knows the number yet, and the directory does not change; its stripe keeps its ACL in one place.
Result<Attr> make_unnamed(Core& core, Ino parent, std::uint32_t mode, const Caller& caller) {
  const InodeLocks::Guard guard(core.locks, {parent});
  const Inode dir = ARTFS_TRY(load_live_directory(core, parent));
  ARTFS_TRY(may_add_entry(dir));
  Inode inode = new_inode(dir, {.mode = mode}, caller);
  inode.nlink = 0;
  const Ino ino = ARTFS_TRY(core.inos->allocate(parent));
  Txn txn;
  ARTFS_TRY(inherit_acls(core, txn, {.dir_ino = parent, .dir = dir, .ino = ino, .inode = inode},
                         caller.umask));
  put_inode(core, txn, ino, inode);
  txn.put(core.tree, format::orphan_key(ino), {});
  count(core, txn, format::VolumeCounter::inodes, 1);
  count(core, txn, format::VolumeCounter::orphans, 1);
  ARTFS_TRY(core.store->commit(txn));
  open_new(core, ino, inode, true);
  return to_attr(core, ino, inode);
}

Result<Attr> lookup(Core& core, Place place) {
  if (place.name == ".") {
    const Attr attr = ARTFS_TRY(attributes(core, place.parent));
    // Without a name it is found by those alone who have it open: a handle of it is stale.
    if (attr.nlink == 0) return fail(Errc::entry_not_found);
    return attr;
  }
  if (place.name == "..") {
    const Inode dir = ARTFS_TRY(load_inode(core, place.parent));
    if (!dir.is_directory()) return fail(Errc::not_a_directory, place.parent.raw);
    return attributes(core, dir.parent);
  }
  if (place.name.size() > name_bytes_max) return fail(Errc::name_too_long, place.name.size());
  ARTFS_TRY(check_name(place.name));
  for (;;) {
    const auto entry = ARTFS_TRY(find_entry(core, place.parent, place.name));
    if (!entry) {
      const Inode dir = ARTFS_TRY(load_inode(core, place.parent));
      return fail(dir.is_directory() ? Errc::entry_not_found : Errc::not_a_directory);
    }
    Result<Attr> attr = attributes(core, entry->ino);
    if (attr || attr.error().code != Errc::inode_not_found) return attr;
    // Removed between the two reads; numbers are not reused, so the name has gone or changed. Only
    // a damaged volume keeps a name without its inode.
    if (ARTFS_TRY(find_entry(core, place.parent, place.name)) == entry) {
      return fail(Errc::record_corrupt, entry->ino.raw);
    }
  }
}

}  // namespace artfs::vol
