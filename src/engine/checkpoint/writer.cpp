// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/writer.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "engine/checkpoint/home.hpp"

namespace artfs::engine::checkpoint {

Result<void> Writer::run() {
  ARTFS_ASSERT(wal_ != nullptr);
  if (pending_) ARTFS_TRY(timed_finish());
  if (!due() && !has_staged()) return {};
  freeze(std::nullopt);
  return timed_finish();
}

Result<void> Writer::run_at(Lsn cut) {
  if (pending_) ARTFS_TRY(timed_finish());
  freeze(cut);
  return timed_finish();
}

void Writer::stage(Staged& staged) {
  const base::MutexLock lock(staged_mutex_);
  staged_.push_back(&staged);
}

bool Writer::take_back(Staged& staged) {
  const base::MutexLock lock(staged_mutex_);
  return std::erase(staged_, &staged) > 0;
}

bool Writer::has_staged() const {
  const base::MutexLock lock(staged_mutex_);
  return !staged_.empty();
}

std::vector<Staged*> Writer::take_staged() {
  const base::MutexLock lock(staged_mutex_);
  return std::exchange(staged_, {});
}

bool Writer::due() const noexcept {
  return wal_->end() != cut();
}

// Every change of a frame, a root or a counter belongs to a log record and happens under the gate
// shared. So what is frozen here is the state of exactly the records below the cut (I3).
void Writer::freeze(std::optional<Lsn> cut) {
  ARTFS_ASSERT(!pending_);
  Pending pending;
  ManifestDelta& delta = pending.delta;
  delta.trees.reserve(parts_.trees.size());
  const std::uint64_t began_ns = base::now_ns();
  {
    const sync::GateExclusive exclusive(parts_.gate);
    pending.staged = take_staged();
    std::erase_if(pending.staged, [](Staged* staged) { return !staged->before_freeze(); });
    pending.frozen = parts_.cache.freeze();
    for (Staged* staged : pending.staged) staged->after_freeze();
    delta.cut = cut ? *cut : wal_->end();
    delta.trees = changed_trees();
    delta.next_tree_id = parts_.trees.next_id();
  }
  last_gate_ns_.store(base::now_ns() - began_ns, std::memory_order_relaxed);

  const ManifestState& state = parts_.manifest.state();
  delta.generation = state.generation + 1;
  delta.next_frame_id = pending.frozen.next_frame_id;
  delta.created = pending.frozen.created;
  for (const Staged* staged : pending.staged) {
    delta.created.insert(delta.created.end(), staged->frames().begin(), staged->frames().end());
  }
  // A frame that lived and died since the last checkpoint was never in the manifest.
  for (const frame::FrameLocation& removed : pending.frozen.removed) {
    if (state.frames.contains(removed.id)) delta.removed.push_back(removed);
  }
  // By slot: the data file is written in one sweep.
  std::sort(pending.frozen.frames.begin(), pending.frozen.frames.end(),
            [](const frame::FrozenFrame& left, const frame::FrozenFrame& right) {
              return left.slot < right.slot;
            });
  pending_.emplace(std::move(pending));
}

std::vector<ManifestTree> Writer::changed_trees() const {
  std::vector<ManifestTree> changed;
  const auto& known = parts_.manifest.state().trees;
  for (const TreeState* tree : parts_.trees.all()) {
    ManifestTree now{.id = tree->id, .root = tree->root, .name = tree->name, .counters = {}};
    for (std::size_t index = 0; index < tree_counters_max; ++index) {
      now.counters[index] = tree->counters[index].load(std::memory_order_relaxed);
    }
    const auto before = known.find(tree->id);
    if (before == known.end() || !(before->second == now)) changed.push_back(std::move(now));
  }
  return changed;
}

Result<void> Writer::timed_finish() {
  const std::uint64_t began_ns = base::now_ns();
  parts_.pace.begin();
  Result<void> finished = finish();
  last_work_ns_.store(parts_.pace.work_ns(), std::memory_order_relaxed);
  last_duration_ns_.store(base::now_ns() - began_ns, std::memory_order_relaxed);
  (finished ? completed_ : failed_).fetch_add(1, std::memory_order_relaxed);
  return finished;
}

Result<void> Writer::finish() {
  Pending& pending = *pending_;
  if (pending.stage == Stage::frozen) {
    ARTFS_TRY(commit(pending));
    pending.stage = Stage::committed;
  }
  if (pending.stage == Stage::committed) {
    ARTFS_TRY(write_frames(pending, false));
    pending.stage = Stage::home;
  }
  if (pending.stage == Stage::home) {
    ARTFS_TRY(parts_.manifest.append(pending.delta));
    pending.stage = Stage::recorded;
  }
  const Lsn cut = pending.delta.cut;
  pages_written_.fetch_add(pending.pages, std::memory_order_relaxed);
  parts_.cache.release(std::move(pending.frozen));
  for (Staged* staged : pending.staged) staged->recorded();
  pending_.reset();
  publish_state();
  if (wal_ != nullptr) ARTFS_TRY(wal_->cut(cut));
  return {};
}

Result<void> Writer::commit(Pending& pending) {
  if (wal_ != nullptr) ARTFS_TRY(wal_->sync_to(pending.delta.cut));
  ARTFS_TRY(write_frames(pending, true));
  ARTFS_TRY(parts_.log.begin(pending.delta.generation, pending.delta.cut));
  pending.pages = 0;
  for (frame::FrozenFrame& frozen : pending.frozen.frames) {
    pending.pages += frozen.pages.count();
    if (frozen.is_new) continue;
    const auto images = images_.span().first(frozen.pages.count() * io::page_bytes);
    parts_.cache.capture(frozen, images);
    ARTFS_TRY(parts_.log.append(
        {.frame = frozen.id, .slot = frozen.slot, .pages = frozen.pages, .images = images}));
    parts_.pace.did();
  }
  pending.delta.sealed.clear();
  for (const frame::FrozenFrame& frozen : pending.frozen.frames) {
    if (frozen.seal != 0) pending.delta.sealed.push_back({frozen.id, frozen.seal});
  }
  for (const Staged* staged : pending.staged) {
    for (const frame::FrameLocation& frame : staged->frames()) {
      pending.delta.sealed.push_back({frame.id, frame.seal});
    }
  }
  // What can fail for lack of space fails before the commit point.
  ARTFS_TRY(parts_.manifest.reserve(pending.delta));
  return parts_.log.commit(pending.delta);
}

// New frames go home before the commit: no durable manifest names their slots, so a crash before it
// leaves garbage in free slots. The others go home after it: the checkpoint log repairs torn ones.
Result<void> Writer::write_frames(Pending& pending, bool is_new) {
  HomeWriter home(parts_.blobs);
  bool any = false;
  for (frame::FrozenFrame& frozen : pending.frozen.frames) {
    if (frozen.is_new != is_new) continue;
    const std::span<std::byte> place = ARTFS_TRY(home.add(frozen.slot, frozen.pages));
    parts_.cache.capture(frozen, place);
    any = true;
    parts_.pace.did();
  }
  if (!any) return {};
  ARTFS_TRY(home.flush());
  // P16: whatever a failed sync says, what it left is unknown. It is never tried again.
  const Result<void> synced = parts_.blobs.sync();
  if (!synced) return fail(Errc::io_failed, synced.error().detail);
  return {};
}

void Writer::publish_state() noexcept {
  const ManifestState& state = parts_.manifest.state();
  generation_.store(state.generation, std::memory_order_relaxed);
  cut_.store(state.cut.raw, std::memory_order_relaxed);
  frames_.store(state.frames.size(), std::memory_order_relaxed);
}

CheckpointStats Writer::stats() const noexcept {
  CheckpointStats stats;
  stats.generation = generation_.load(std::memory_order_relaxed);
  stats.completed = completed_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.pages_written = pages_written_.load(std::memory_order_relaxed);
  stats.last_duration_ns = last_duration_ns_.load(std::memory_order_relaxed);
  stats.last_work_ns = last_work_ns_.load(std::memory_order_relaxed);
  stats.rested_ns = parts_.pace.rested_ns();
  stats.last_gate_ns = last_gate_ns_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace artfs::engine::checkpoint
