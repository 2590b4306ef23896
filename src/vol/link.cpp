// SPDX-License-Identifier: Apache-2.0
#include "format/key.hpp"
#include "vol/atime.hpp"
#include "vol/inode.hpp"
#include "vol/names.hpp"
#include "vol/orphan.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {

using format::Dirent;
using format::Inode;

namespace {

// Stripe of the inode held. An unnamed inode stops being an orphan, so that nobody reclaims it while its
// first name is committed; false when nothing may name it.
bool take_from_orphans(InodeState& state) {
  const base::MutexLock lock(state.mutex);
  if (!state.unnamed || state.reclaiming || state.gone) return false;
  state.orphan = false;
  return true;
}

// After the commit: the first name stands, or the inode is what it was.
void settle_first_name(InodeState& state, bool named) {
  const base::MutexLock lock(state.mutex);
  state.unnamed = !named;
  state.orphan = !named;
}

Result<Attr> link_locked(Core& core, Ino ino, Place place) {
  const InodeLocks::Guard guard(core.locks, {place.parent, ino});
  Inode dir = ARTFS_TRY(load_live_directory(core, place.parent));
  if (ARTFS_TRY(find_entry(core, place.parent, place.name))) return fail(Errc::entry_exists);
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  if (inode.is_directory()) return fail(Errc::operation_not_permitted, ino.raw);
  ARTFS_TRY(may_add_entry(dir));
  ARTFS_TRY(may_link(inode));
  if (inode.nlink >= links_max) return fail(Errc::too_many_links, ino.raw);
  const std::uint64_t number = ARTFS_TRY(new_number(core, place.parent));
  const bool is_first = inode.nlink == 0;
  const OpenInodes::Ref state = is_first ? core.open.find(ino) : OpenInodes::Ref();
  if (is_first && (!state || !take_from_orphans(*state))) {
    return fail(Errc::entry_not_found, ino.raw);
  }

  const Timestamp time = now();
  ++inode.nlink;
  inode.ctime = time;
  touch_directory(dir, 1, time);
  Txn txn;
  put_entry(core, txn, place, {.ino = ino, .type = inode.type(), .number = number});
  put_inode(core, txn, ino, inode);
  put_inode(core, txn, place.parent, dir);
  if (is_first) {
    txn.erase(core.tree, format::orphan_key(ino));
    count(core, txn, format::VolumeCounter::orphans, -1);
  }
  const Result<Version> committed = core.store->commit(txn);
  if (is_first) settle_first_name(*state, committed.has_value());
  if (!committed) return fail(committed.error());
  note_change(core, ino);
  return to_attr(core, ino, inode);
}

// Under the stripes of both. The entry is as `entry` says.
Result<void> unlink_locked(Core& core, Place place, Dirent entry) {
  Inode dir = ARTFS_TRY(load_live_directory(core, place.parent));
  Inode inode = ARTFS_TRY(load_inode(core, entry.ino));
  ARTFS_TRY(may_remove_entry(dir, inode));
  if (inode.is_directory()) return fail(Errc::is_a_directory, entry.ino.raw);
  const Timestamp time = now();
  touch_directory(dir, -1, time);
  inode.ctime = time;
  data::Change change;
  erase_entry(core, change.txn, place, entry);
  put_inode(core, change.txn, place.parent, dir);
  AfterUnlink after = AfterUnlink::nothing;
  if (inode.nlink > 1) {
    --inode.nlink;
    put_inode(core, change.txn, entry.ino, inode);
  } else {
    after = ARTFS_TRY(remove_last_link(core, change, entry.ino, inode));
  }
  ARTFS_TRY(core.bytes->commit(change));
  finish_last_link(core, entry.ino, after);
  note_change(core, entry.ino);
  return {};
}

Result<void> rmdir_locked(Core& core, Place place, Dirent entry) {
  Inode parent = ARTFS_TRY(load_live_directory(core, place.parent));
  Inode dir = ARTFS_TRY(load_inode(core, entry.ino));
  ARTFS_TRY(may_remove_entry(parent, dir));
  if (!dir.is_directory()) return fail(Errc::not_a_directory, entry.ino.raw);
  if (!ARTFS_TRY(core.tree.prefix_empty(format::dirents_prefix(entry.ino)))) {
    return fail(Errc::directory_not_empty, entry.ino.raw);
  }
  const Timestamp time = now();
  touch_directory(parent, -1, time);
  --parent.nlink;
  dir.ctime = time;
  data::Change change;
  erase_entry(core, change.txn, place, entry);
  put_inode(core, change.txn, place.parent, parent);
  const AfterUnlink after = ARTFS_TRY(remove_last_link(core, change, entry.ino, dir));
  ARTFS_TRY(core.bytes->commit(change));
  finish_last_link(core, entry.ino, after);
  return {};
}

using Removal = Result<void> (*)(Core&, Place, Dirent);

// Looks the name up, locks directory and child, and repeats when it named something else by then.
Result<void> remove(Core& core, Place place, Removal removal) {
  ARTFS_TRY(check_name(place.name));
  Dirent entry{};
  for (;;) {
    const auto found = ARTFS_TRY(find_entry(core, place.parent, place.name));
    if (!found) {
      ARTFS_TRY(load_live_directory(core, place.parent));
      return fail(Errc::entry_not_found);
    }
    entry = *found;
    const InodeLocks::Guard guard(core.locks, {place.parent, entry.ino});
    if (ARTFS_TRY(find_entry(core, place.parent, place.name)) != found) continue;
    ARTFS_TRY(removal(core, place, entry));
    break;
  }
  reclaim_if_unused(core, entry.ino, false);
  return {};
}

}  // namespace

Result<Attr> link(Core& core, Ino ino, Place place) {
  ARTFS_TRY(check_name(place.name));
  Result<Attr> linked = link_locked(core, ino, place);
  if (!linked) reclaim_if_unused(core, ino, false);  // an unnamed inode that was released meanwhile
  return linked;
}

Result<void> unlink(Core& core, Place place) {
  return remove(core, place, unlink_locked);
}

Result<void> rmdir(Core& core, Place place) {
  return remove(core, place, rmdir_locked);
}

}  // namespace artfs::vol
