// SPDX-License-Identifier: Apache-2.0
#include "vol/atime.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/names.hpp"
#include "vol/orphan.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {
namespace {

using format::Dirent;
using format::Inode;

struct Move : Renaming {
  Dirent source;
  std::optional<Dirent> target;

  [[nodiscard]] bool between_directories() const noexcept { return from.parent != to.parent; }

  // A directory gets another parent: the tree of directories changes its shape.
  [[nodiscard]] bool reshapes() const noexcept {
    if (!between_directories()) return false;
    return source.type == format::mode_directory ||
           (flags.exchange && target && target->type == format::mode_directory);
  }
};

// The two directories, which may be one.
struct Directories {
  Inode from;
  std::optional<Inode> other;

  [[nodiscard]] Inode& to() noexcept { return other ? *other : from; }
};

Result<Directories> load_directories(Core& core, const Move& move) {
  Directories dirs;
  dirs.from = ARTFS_TRY(load_live_directory(core, move.from.parent));
  if (move.between_directories()) dirs.other = ARTFS_TRY(load_live_directory(core, move.to.parent));
  return dirs;
}

void put_directories(Core& core, Txn& txn, const Move& move, const Directories& dirs) {
  put_inode(core, txn, move.from.parent, dirs.from);
  if (dirs.other) put_inode(core, txn, move.to.parent, *dirs.other);
}

// Walks up from `dir`. Under rename_mutex parents stand still.
Result<bool> is_at_or_below(Core& core, Ino dir, Ino ancestor) {
  for (Ino at = dir;;) {
    if (at == ancestor) return true;
    if (at == root_ino) return false;
    const Inode inode = ARTFS_TRY(load_live_directory(core, at));
    at = inode.parent;
  }
}

Result<void> check_shape(Core& core, const Move& move) {
  if (move.source.type == format::mode_directory &&
      ARTFS_TRY(is_at_or_below(core, move.to.parent, move.source.ino))) {
    return fail(Errc::directory_into_itself, move.source.ino.raw);
  }
  if (move.flags.exchange && move.target->type == format::mode_directory &&
      ARTFS_TRY(is_at_or_below(core, move.from.parent, move.target->ino))) {
    return fail(Errc::directory_into_itself, move.target->ino.raw);
  }
  return {};
}

Result<AfterUnlink> replace_target(Core& core, data::Change& change, const Move& move,
                                   Directories& dirs) {
  const Dirent target = *move.target;
  Inode inode = ARTFS_TRY(load_inode(core, target.ino));
  ARTFS_TRY(may_remove_entry(dirs.to(), inode));
  const bool source_is_directory = move.source.type == format::mode_directory;
  if (source_is_directory && !inode.is_directory()) return fail(Errc::not_a_directory);
  if (!source_is_directory && inode.is_directory()) return fail(Errc::is_a_directory);
  inode.ctime = dirs.to().ctime;
  if (inode.is_directory()) {
    if (inode.size != 0) return fail(Errc::directory_not_empty, target.ino.raw);
    --dirs.to().nlink;
  } else if (inode.nlink > 1) {
    --inode.nlink;
    put_inode(core, change.txn, target.ino, inode);
    return AfterUnlink::nothing;
  }
  return remove_last_link(core, change, target.ino, inode);
}

// A whiteout stays at the old name with the number of that name; its own is left for the new one.
Result<Dirent> leave_whiteout(Core& core, Txn& txn, const Move& move, const Inode& dir) {
  const Inode inode = new_inode(dir, {.mode = format::mode_character, .rdev = 0}, move.caller);
  const Ino ino = ARTFS_TRY(core.inos->allocate(move.from.parent));
  put_inode(core, txn, ino, inode);
  count(core, txn, format::VolumeCounter::inodes, 1);
  put_entry(core, txn, move.from, {.ino = ino, .type = inode.type(), .number = move.source.number});
  return format::first_entry(ino, inode.type());
}

// The entries of both names. A name that stays keeps its number, so that a listing beside this sees it once:
// the new name if it was there, the old one if a whiteout stays at it. A number nobody keeps moves along.
Result<void> move_entry(Core& core, Txn& txn, const Move& move, Directories& dirs) {
  Dirent entry = move.source;
  if (move.flags.whiteout) {
    entry.number = ARTFS_TRY(leave_whiteout(core, txn, move, dirs.from)).number;
  } else {
    erase_entry(core, txn, move.from, move.source);
  }
  if (move.target) entry.number = move.target->number;
  put_entry(core, txn, move.to, entry);
  touch_directory(dirs.from, move.flags.whiteout ? 0 : -1, dirs.from.ctime);
  touch_directory(dirs.to(), move.target ? 0 : 1, dirs.from.ctime);
  return {};
}

// All but exchange. Stripes of all four held.
Result<void> move_locked(Core& core, const Move& move) {
  Directories dirs = ARTFS_TRY(load_directories(core, move));
  Inode inode = ARTFS_TRY(load_inode(core, move.source.ino));
  ARTFS_TRY(may_remove_entry(dirs.from, inode));
  ARTFS_TRY(may_add_entry(dirs.to()));
  const Timestamp time = now();
  inode.ctime = time;
  dirs.from.ctime = dirs.to().ctime = time;
  if (inode.is_directory()) {
    inode.parent = move.to.parent;
    --dirs.from.nlink;
    ++dirs.to().nlink;
  }
  data::Change change;
  AfterUnlink after = AfterUnlink::nothing;
  if (move.target) after = ARTFS_TRY(replace_target(core, change, move, dirs));
  ARTFS_TRY(move_entry(core, change.txn, move, dirs));
  put_inode(core, change.txn, move.source.ino, inode);
  put_directories(core, change.txn, move, dirs);
  ARTFS_TRY(core.bytes->commit(change));
  note_change(core, move.source.ino);
  if (move.target) finish_last_link(core, move.target->ino, after);
  return {};
}

Result<void> exchange_locked(Core& core, const Move& move) {
  Directories dirs = ARTFS_TRY(load_directories(core, move));
  Inode source = ARTFS_TRY(load_inode(core, move.source.ino));
  Inode target = ARTFS_TRY(load_inode(core, move.target->ino));
  ARTFS_TRY(may_remove_entry(dirs.from, source));
  ARTFS_TRY(may_remove_entry(dirs.to(), target));
  const Timestamp time = now();
  source.ctime = target.ctime = time;
  touch_directory(dirs.from, 0, time);
  touch_directory(dirs.to(), 0, time);
  if (source.is_directory()) {
    source.parent = move.to.parent;
    --dirs.from.nlink;
    ++dirs.to().nlink;
  }
  if (target.is_directory()) {
    target.parent = move.from.parent;
    ++dirs.from.nlink;
    --dirs.to().nlink;
  }
  Dirent at_from = *move.target;
  Dirent at_to = move.source;
  std::swap(at_from.number, at_to.number);  // both names stay where they are in listings
  Txn txn;
  put_entry(core, txn, move.from, at_from);
  put_entry(core, txn, move.to, at_to);
  put_inode(core, txn, move.source.ino, source);
  put_inode(core, txn, move.target->ino, target);
  put_directories(core, txn, move, dirs);
  ARTFS_TRY(core.store->commit(txn));
  return {};
}

// What the kernel checks in the same order: existence, flags, then the shape of the tree.
Result<void> look_up(Core& core, Move& move) {
  const auto source = ARTFS_TRY(find_entry(core, move.from.parent, move.from.name));
  move.target = ARTFS_TRY(find_entry(core, move.to.parent, move.to.name));
  if (!source) {
    ARTFS_TRY(load_live_directory(core, move.from.parent));
    return fail(Errc::entry_not_found);
  }
  move.source = *source;
  if (move.flags.no_replace && move.target) return fail(Errc::entry_exists);
  if (move.flags.exchange && !move.target) return fail(Errc::entry_not_found);
  return {};
}

// False when the names meant something else by the time the inodes were locked: look again.
Result<bool> try_rename(Core& core, const Move& move) {
  std::optional<base::MutexLock> shape;
  if (move.reshapes()) {
    shape.emplace(core.rename_mutex);
    ARTFS_TRY(check_shape(core, move));
  }
  const InodeLocks::Guard guard(core.locks, {move.from.parent, move.to.parent, move.source.ino,
                                             move.target ? move.target->ino : Ino{}});
  if (ARTFS_TRY(find_entry(core, move.from.parent, move.from.name)) != move.source) return false;
  if (ARTFS_TRY(find_entry(core, move.to.parent, move.to.name)) != move.target) return false;
  if (move.flags.exchange) {
    ARTFS_TRY(exchange_locked(core, move));
  } else {
    ARTFS_TRY(move_locked(core, move));
  }
  return true;
}

}  // namespace

Result<void> rename(Core& core, const Renaming& what) {
  const RenameFlags flags = what.flags;
  if (flags.exchange && (flags.no_replace || flags.whiteout)) return fail(Errc::invalid_argument);
  ARTFS_TRY(check_name(what.from.name));
  ARTFS_TRY(check_name(what.to.name));
  Move move{what, {}, {}};
  for (;;) {
    ARTFS_TRY(look_up(core, move));
    if (move.target && move.target->ino == move.source.ino) return {};  // two links of one inode
    const bool replaces = move.target && !flags.exchange;
    // A crash after the rename must not show an empty file where the old contents were: the new
    // contents come first in the log.
    if (replaces && move.source.type == format::mode_regular) {
      ARTFS_TRY(core.flusher->log_one(move.source.ino));
    }
    if (!ARTFS_TRY(try_rename(core, move))) continue;
    if (replaces) reclaim_if_unused(core, move.target->ino, false);
    return {};
  }
}

}  // namespace artfs::vol
