// SPDX-License-Identifier: Apache-2.0
#include "vol/orphan.hpp"

#include <string>
#include <vector>

#include "base/log.hpp"
#include "format/key.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/logged.hpp"

namespace artfs::vol {
namespace {

using format::Inode;
using format::VolumeCounter;

// More units than this are freed on the flusher's thread: 64 MiB.
constexpr std::uint64_t reclaim_here_units_max = 64 * mib / data::unit_bytes;

Result<void> erase_xattrs(Core& core, Txn& txn, Ino ino, const Inode& inode) {
  if (inode.large_xattrs == 0) return {};
  const format::Key prefix = format::xattrs_prefix(ino);
  Scan scan = core.tree.scan({.prefix = prefix, .keys_only = true});
  while (ARTFS_TRY(scan.next())) txn.erase(core.tree, scan.entry().key);
  return {};
}

// The record, what hangs on it, and the counts.
Result<void> erase_inode(Core& core, Txn& txn, Ino ino, const Inode& inode) {
  ARTFS_TRY(erase_xattrs(core, txn, ino, inode));
  ARTFS_TRY(erase_logged(core, txn, ino, inode));
  txn.erase(core.tree, format::inode_key(ino));
  count(core, txn, VolumeCounter::inodes, -1);
  if (inode.is_directory()) count(core, txn, VolumeCounter::directories, -1);
  return {};
}

Result<bool> free_blocks(Core& core, data::Change& change, Ino ino, Inode& inode) {
  if (!inode.is_regular()) return false;
  data::Contents contents = contents_of(inode);
  if (contents.is_inline && contents.units == 0) return false;
  const bool more = ARTFS_TRY(core.bytes->reclaim(ino, contents, change, reclaim_blocks_step));
  set_contents(inode, contents);
  return more;
}

bool in_use(Core& core, Ino ino) {
  if (core.options.reclaim_on_forget) return true;
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return false;
  const base::MutexLock lock(state->mutex);
  return state->opens > 0 || state->buffer.flushing();
}

// One step of freeing an orphan; true: there is more.
Result<bool> reclaim_step(Core& core, Ino ino) {
  const InodeLocks::Guard guard(core.locks, {ino});
  Inode inode = ARTFS_TRY(load_inode(core, ino));
  data::Change change;
  const bool more = ARTFS_TRY(free_blocks(core, change, ino, inode));
  if (more) {
    put_inode(core, change.txn, ino, inode);
  } else {
    ARTFS_TRY(erase_inode(core, change.txn, ino, inode));
    change.txn.erase(core.tree, format::orphan_key(ino));
    count(core, change.txn, VolumeCounter::orphans, -1);
  }
  ARTFS_TRY(core.bytes->commit(change));
  return more;
}

Result<void> reclaim(Core& core, Ino ino) {
  while (ARTFS_TRY(reclaim_step(core, ino))) {
  }
  return {};
}

// True: the orphan is ours to reclaim.
bool claim(Core& core, InodeState& state) {
  const base::MutexLock lock(state.mutex);
  if (!state.orphan || state.reclaiming || state.opens > 0 || state.referenced) return false;
  if (state.buffer.flushing()) return false;  // the flusher comes back to it
  forget_logged(core, state);
  state.buffer.discard();
  state.pending = {};
  state.reclaiming = true;
  return true;
}

}  // namespace

Result<AfterUnlink> remove_last_link(Core& core, data::Change& change, Ino ino, Inode& inode) {
  inode.nlink = 0;
  if (!in_use(core, ino)) {
    if (!ARTFS_TRY(free_blocks(core, change, ino, inode))) {
      ARTFS_TRY(erase_inode(core, change.txn, ino, inode));
      return AfterUnlink::erased;
    }
  }
  put_inode(core, change.txn, ino, inode);
  change.txn.put(core.tree, format::orphan_key(ino), {});
  count(core, change.txn, VolumeCounter::orphans, 1);
  return AfterUnlink::orphaned;
}

void finish_last_link(Core& core, Ino ino, AfterUnlink after) noexcept {
  if (after == AfterUnlink::nothing) return;
  if (after == AfterUnlink::orphaned) {
    const OpenInodes::Ref state = core.open.acquire(ino);
    const base::MutexLock lock(state->mutex);
    state->orphan = true;
    state->referenced = core.options.reclaim_on_forget;
    if (!state->dirty() && state->opens == 0) state->loaded = false;  // blocks may be freed already
    return;
  }
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  const base::MutexLock lock(state->mutex);
  state->gone = true;
  state->pending = {};
  forget_logged(core, *state);
  if (!state->buffer.flushing()) state->buffer.discard();
}

void reclaim_if_unused(Core& core, Ino ino, bool here) noexcept {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  if (!claim(core, *state)) return;
  const Result<Inode> inode = load_inode(core, ino);
  if (!here && inode && inode->units > reclaim_here_units_max) {
    core.flusher->reclaim_later(ino);
  } else {
    finish_reclaim(core, *state);
  }
}

void finish_reclaim(Core& core, InodeState& state) noexcept {
  const Result<void> done = reclaim(core, state.ino);
  const base::MutexLock lock(state.mutex);
  state.reclaiming = false;
  if (!done) {
    base::log_error("inode {}: unlinked, but its space could not be freed: {}", state.ino.raw,
                    to_text(done.error()));
    return;
  }
  state.orphan = false;
  state.gone = true;
}

Result<void> reclaim_all_orphans(Core& core) {
  std::vector<Ino> orphans;
  Scan scan = core.tree.scan({.prefix = format::orphans_class, .keys_only = true});
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    if (!key) return fail(Errc::record_corrupt);
    orphans.push_back(key->ino);
  }
  std::size_t reclaimed = 0;
  for (const Ino ino : orphans) {
    const Result<void> done = reclaim(core, ino);
    if (done) {
      ++reclaimed;
      continue;
    }
    if (done.error().code == Errc::store_stopped) return done;
    // One damaged record does not keep all the others from being mounted.
    base::log_error("inode {}: marked as unlinked, but cannot be reclaimed: {}: see artfs fsck",
                    ino.raw, to_text(done.error()));
  }
  if (reclaimed != 0) base::log_info("{} unlinked files reclaimed", reclaimed);
  return {};
}

}  // namespace artfs::vol
