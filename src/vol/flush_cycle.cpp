// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "vol/file.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/logged.hpp"
#include "vol/orphan.hpp"

namespace artfs::vol {
namespace {

// One inode in a cycle.
struct Item {
  OpenInodes::Ref state;
  data::Flush flush;
  LoggedRecords before;  // when the flush began
  std::optional<Error> error;
  bool partial = false;  // a flush takes a bounded number of blocks; there was more when it began
};

void begin_flush(Core& core, InodeState& state, Item& item) ARTFS_REQUIRES(state.mutex) {
  item.before = state.logged;
  item.flush = core.bytes->begin_flush(state.ino, state.contents, state.buffer);
  item.partial = state.buffer.dirty();
}

// Only what is logged is taken in hand, after what there is besides was logged: a sync does not wait for this
// flush. What cannot be logged is left to the next cycle that flushes.
void begin_fold(Core& core, Item& item) {
  InodeState& state = *item.state;
  const InodeLocks::Guard guard(core.locks, {state.ino});
  const base::MutexLock lock(state.mutex);
  state.fold_queued = false;
  if (state.gone || state.reclaiming || state.buffer.flushing()) return;
  const Result<Logging> logged = log_pending(core, state);
  if (logged && *logged == Logging::durable) {
    if (state.buffer.dirty()) begin_flush(core, state, item);
  } else {
    mark_dirty(core, state);
  }
}

void begin(Core& core, Item& item, FlushFrom from) {
  item.partial = false;
  if (from == FlushFrom::folds) return begin_fold(core, item);
  InodeState& state = *item.state;
  const base::MutexLock lock(state.mutex);
  if (from != FlushFrom::elsewhere) state.queued = false;
  if (from == FlushFrom::everything) state.fold_queued = false;
  if (state.gone || !state.loaded || state.buffer.flushing()) return;
  begin_flush(core, state, item);
}

// The bytes of all items, then one sync for all of them.
void write_out(Core& core, std::span<Item> items) {
  bool needs_sync = false;
  for (Item& item : items) {
    if (!item.flush) continue;
    const Result<void> written = core.bytes->write_out(item.flush);
    if (!written) item.error = written.error();
    needs_sync = needs_sync || item.flush.needs_sync();
  }
  if (!needs_sync) return;
  const Result<void> synced = core.bytes->sync_data();
  if (synced) return;
  for (Item& item : items) {
    if (item.flush && !item.error) item.error = synced.error();
  }
}

// True: the inode was an orphan whose reclaim may have waited for this.
bool finish(Core& core, Item& item) {
  InodeState& state = *item.state;
  const InodeLocks::Guard guard(core.locks, {state.ino});
  const base::MutexLock lock(state.mutex);
  if (state.gone || state.reclaiming) {
    if (item.flush) core.bytes->aborted(std::move(item.flush));
    forget_logged(core, state);
    state.buffer.discard();
    state.pending = {};
    return false;
  }
  if (!item.flush && !item.error && !state.pending.any()) return state.orphan;
  const Result<void> committed =
      item.error ? fail(*item.error)
                 : commit_flush(core, state, {.flush = &item.flush, .before = item.before});
  if (!committed) {
    item.error = committed.error();
    if (!state.write_error) state.write_error = item.error;  // the first one is the cause
    if (item.flush) core.bytes->aborted(std::move(item.flush));
  }
  if (state.dirty()) mark_dirty(core, state);
  return state.orphan;
}

Result<void> flush_batch(Core& core, std::span<const Ino> inos, FlushFrom from) {
  std::vector<Item> items;
  items.reserve(inos.size());
  for (const Ino ino : inos) {
    OpenInodes::Ref state = core.open.find(ino);
    if (!state) continue;
    items.push_back({.state = std::move(state), .flush = {}, .before = {}, .error = {}});
  }
  Result<void> result;
  while (!items.empty()) {
    for (Item& item : items) begin(core, item, from);
    write_out(core, items);
    for (Item& item : items) {
      if (finish(core, item)) reclaim_if_unused(core, item.state->ino, true);
      if (item.error && result) result = fail(*item.error);
    }
    std::erase_if(items, [](const Item& item) { return item.error || !item.partial; });
    // What is still dirty was queued again.
    if (from != FlushFrom::folds) from = FlushFrom::elsewhere;
  }
  return result;
}

}  // namespace

void apply_pending(format::Inode& inode, const PendingTimes& pending) {
  if (pending.atime) inode.atime = *pending.atime;
  if (pending.mtime) inode.mtime = *pending.mtime;
  if (pending.ctime) inode.ctime = std::max(inode.ctime, *pending.ctime);
}

Result<void> commit_flush(Core& core, InodeState& state, const FlushCommit& what) {
  data::Flush& flush = *what.flush;
  format::Inode inode = ARTFS_TRY(load_inode(core, state.ino));
  data::Contents contents = state.contents;
  LoggedRecords logged = state.logged;
  data::Change change;
  if (flush) {
    ARTFS_TRY(core.bytes->finish_flush(flush, contents, change));
    set_contents(inode, contents);
    logged = fold_logged(core, state, {.flush = flush, .before = what.before}, change.txn, inode);
  }
  apply_pending(inode, state.pending);
  put_inode(core, change.txn, state.ino, inode);
  ARTFS_TRY(core.bytes->commit(change));
  if (flush) core.bytes->committed(std::move(flush));
  settle_logged(core, state, logged);
  state.contents = std::move(contents);
  state.pending = {};
  return {};
}

std::vector<Ino> log_cycle(Core& core, const std::vector<Ino>& inos) {
  std::vector<Ino> others;
  for (const Ino ino : inos) {
    const OpenInodes::Ref state = core.open.find(ino);
    if (!state) continue;
    const InodeLocks::Guard guard(core.locks, {ino});
    const base::MutexLock lock(state->mutex);
    state->queued = false;
    // A failure is for the flush to meet again, which keeps it for those who ask.
    const Result<Logging> logged = log_pending(core, *state);
    if (!logged || *logged != Logging::durable) others.push_back(ino);
  }
  return others;
}

Result<void> flush_cycle(Core& core, const std::vector<Ino>& inos, FlushFrom from) {
  Result<void> result;
  for (std::size_t start = 0; start < inos.size(); start += Flusher::batch_max) {
    const std::size_t count = std::min(Flusher::batch_max, inos.size() - start);
    const Result<void> done = flush_batch(core, std::span(inos).subspan(start, count), from);
    if (!done && result) result = done;
  }
  return result;
}

}  // namespace artfs::vol
