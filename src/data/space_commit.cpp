// SPDX-License-Identifier: Apache-2.0
// Space::commit: what a transaction does to free space and to the references of blocks.
#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "data/space.hpp"
#include "format/content.hpp"

namespace artfs::data {

namespace {

std::uint64_t sum_of(std::span<const UnitRun> runs) {
  return std::transform_reduce(runs.begin(), runs.end(), std::uint64_t{0}, std::plus<>(),
                               [](const UnitRun& run) { return run.count; });
}

auto order_of(const StoredBlock& block) {
  return std::tuple(block.hash.high, block.hash.low, block.place.first);
}

}  // namespace

// In the order of the block index, so that a big change walks through its frames once.
std::vector<Space::Turnover> Space::turnover_of(const Change& change) {
  std::vector<Turnover> all;
  all.reserve(change.gained.size() + change.lost.size() + change.settled.size());
  for (const StoredBlock& block : change.gained) all.push_back({.block = block, .references = 1});
  for (const StoredBlock& block : change.lost) all.push_back({.block = block, .references = -1});
  for (const StoredBlock& block : change.settled) all.push_back({.block = block, .settled = true});
  std::sort(all.begin(), all.end(), [](const Turnover& left, const Turnover& right) {
    return order_of(left.block) < order_of(right.block);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kept > 0 && all[kept - 1].block == all[i].block) {
      all[kept - 1].references += all[i].references;
      all[kept - 1].settled = all[kept - 1].settled || all[i].settled;
    } else {
      all[kept++] = all[i];
    }
  }
  all.resize(kept);
  return all;
}

Result<void> Space::take(UnitRun run, Moves& moves) {
  if (!recorded_.contains(run)) return fail(Errc::record_corrupt, run.first);
  record_used(run, moves.touched);
  moves.used.push_back(run);
  return {};
}

Result<void> Space::give(UnitRun run, Moves& moves) {
  if (recorded_.overlaps(run)) return fail(Errc::record_corrupt, run.first);
  record_free(run, moves.touched);
  moves.freed.push_back(run);
  return {};
}

Result<void> Space::move_block(const Turnover& turnover, Change& change, Moves& moves) {
  if (turnover.references == 0 && !turnover.settled) return {};
  const StoredBlock& block = turnover.block;
  BlockIndex::Count before;
  if (!recorded_.overlaps(block.place)) before = ARTFS_TRY(index_.count(block));
  const auto references = static_cast<std::int64_t>(before.references) + turnover.references;
  if (references < 0) return fail(Errc::record_corrupt, block.place.first);
  if (before.references == 0) {
    ARTFS_TRY(take(block.place, moves));
  } else if (references == 0) {
    ARTFS_TRY(give(block.place, moves));
  }
  index_.write(change.txn, block, before, static_cast<std::uint64_t>(references), moves.delta);
  return {};
}

Result<void> Space::move(Change& change, Moves& moves) {
  for (const UnitRun& run : change.allocated) ARTFS_TRY(take(run, moves));
  for (const UnitRun& run : change.freed) ARTFS_TRY(give(run, moves));
  for (const Turnover& turnover : turnover_of(change)) {
    ARTFS_TRY(move_block(turnover, change, moves));
  }
  write_touched(moves.touched, change.txn);
  change.txn.add(tree_, format::space_counter_used,
                 static_cast<std::int64_t>(sum_of(moves.used) - sum_of(moves.freed)));
  index_.write_figures(change.txn, moves.delta);
  return {};
}

void Space::undo(const Moves& moves) {
  for (const UnitRun& run : moves.freed) recorded_.remove(run);
  for (const UnitRun& run : moves.used) recorded_.insert(run);
}

// The transaction happened: held blocks learn what became of their units, other freed ones wait for it
// to be durable.
void Space::settle(Moves&& moves, Version version) {
  const base::MutexLock lock(mutex_);
  for (const UnitRun& run : moves.used) {
    const auto before = holds_.now_used(run.first);
    if (before == BlockHolds::State::freed) quarantined_units_ -= run.count;
  }
  Quarantined waiting{.version = version, .runs = {}};
  for (const UnitRun& run : moves.freed) {
    quarantined_units_ += run.count;
    if (holds_.now_freed(run, version)) continue;
    if (!waiting.runs.empty() &&
        waiting.runs.back().first + waiting.runs.back().count == run.first) {
      waiting.runs.back().count += run.count;
    } else {
      waiting.runs.push_back(run);
    }
  }
  if (!waiting.runs.empty()) quarantine_.push_back(std::move(waiting));
}

// Space was promised when the bytes were accepted: the records about them shall not fail for lack of it.
Result<Version> Space::commit(Change& change) {
  change.txn.take_reserve();
  if (change.allocated.empty() && change.freed.empty() && change.gained.empty() &&
      change.lost.empty() && change.settled.empty()) {
    return store_.commit(change.txn);
  }
  const base::MutexLock turn(turn_);
  Moves moves;
  const Result<void> moved = move(change, moves);
  if (!moved) {
    undo(moves);
    return fail(moved.error());
  }
  const Result<Version> version = store_.commit(change.txn);
  if (!version) {
    undo(moves);
    return version;
  }
  settle(std::move(moves), *version);
  return version;
}

}  // namespace artfs::data
