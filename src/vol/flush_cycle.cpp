// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "vol/file.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/orphan.hpp"

namespace artfs::vol {
namespace {

// One inode in a cycle.
struct Item {
  OpenInodes::Ref state;
  data::Flush flush;
  std::optional<Error> error;
  bool partial = false;  // a flush takes a bounded number of blocks; there was more when it began
};

void begin(Core& core, Item& item, FlushFrom from) {
  InodeState& state = *item.state;
  const base::MutexLock lock(state.mutex);
  if (from == FlushFrom::queue) state.queued = false;
  item.partial = false;
  if (state.gone || !state.loaded || state.buffer.flushing()) return;
  item.flush = core.bytes->begin_flush(state.ino, state.contents, state.buffer);
  item.partial = state.buffer.dirty();
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

void apply_pending(format::Inode& inode, const PendingTimes& pending) {
  if (pending.atime) inode.atime = *pending.atime;
  if (pending.mtime) inode.mtime = *pending.mtime;
  if (pending.ctime) inode.ctime = std::max(inode.ctime, *pending.ctime);
}

// Stripe and state held. Until the commit succeeds nothing in memory changes.
Result<void> commit_item(Core& core, InodeState& state, Item& item) ARTFS_REQUIRES(state.mutex) {
  if (item.error) return fail(*item.error);
  format::Inode inode = ARTFS_TRY(load_inode(core, state.ino));
  data::Contents contents = state.contents;
  data::Change change;
  if (item.flush) {
    ARTFS_TRY(core.bytes->finish_flush(item.flush, contents, change));
    set_contents(inode, contents);
  }
  apply_pending(inode, state.pending);
  put_inode(core, change.txn, state.ino, inode);
  ARTFS_TRY(core.bytes->commit(change));
  if (item.flush) core.bytes->committed(std::move(item.flush));
  state.contents = std::move(contents);
  state.pending = {};
  return {};
}

// True: the inode was an orphan whose reclaim may have waited for this.
bool finish(Core& core, Item& item) {
  InodeState& state = *item.state;
  const InodeLocks::Guard guard(core.locks, {state.ino});
  const base::MutexLock lock(state.mutex);
  if (state.gone || state.reclaiming) {
    if (item.flush) core.bytes->aborted(std::move(item.flush));
    state.buffer.discard();
    state.pending = {};
    return false;
  }
  if (!item.flush && !item.error && !state.pending.any()) return state.orphan;
  const Result<void> committed = commit_item(core, state, item);
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
    items.push_back({.state = std::move(state), .flush = {}, .error = {}});
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
    from = FlushFrom::elsewhere;  // what is still dirty was queued again
  }
  return result;
}

}  // namespace

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
