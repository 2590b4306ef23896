// SPDX-License-Identifier: Apache-2.0
#include "data/block_holds.hpp"

#include "base/assert.hpp"

namespace artfs::data {

std::optional<BlockHolds::Pending> BlockHolds::find(const base::Hash128& hash) {
  const auto found = pending_.find(hash);
  if (found == pending_.end()) return std::nullopt;
  if (found->second == unwritten) return Pending{};
  Held& held = held_.at(found->second);
  ++held.holds;
  return Pending{.is_written = true, .held = held};
}

bool BlockHolds::is_being_written(const base::Hash128& hash) const {
  const auto found = pending_.find(hash);
  return found != pending_.end() && found->second == unwritten;
}

void BlockHolds::claim(const base::Hash128& hash) {
  const bool is_new = pending_.emplace(hash, unwritten).second;
  ARTFS_ASSERT(is_new);
}

void BlockHolds::withdraw(const base::Hash128& hash) {
  const auto found = pending_.find(hash);
  ARTFS_ASSERT(found != pending_.end() && found->second == unwritten);
  pending_.erase(found);
}

void BlockHolds::offer(const StoredBlock& block, std::uint64_t write_ticket) {
  const auto found = pending_.find(block.hash);
  ARTFS_ASSERT(found != pending_.end() && found->second == unwritten);
  found->second = block.place.first;
  // Somebody may hold the place for what stood there before, and is about to find out.
  Held& held = held_[block.place.first];
  held.block = block;
  held.state = State::taken;
  held.write_ticket = write_ticket;
  held.offered = true;
  ++held.holds;
}

void BlockHolds::hold(const StoredBlock& block) {
  Held& held = held_.try_emplace(block.place.first, Held{.block = block}).first->second;
  ++held.holds;
}

std::optional<BlockHolds::Held> BlockHolds::release(std::uint64_t first_unit) {
  const auto found = held_.find(first_unit);
  ARTFS_ASSERT(found != held_.end() && found->second.holds > 0);
  if (--found->second.holds > 0) return std::nullopt;
  const Held held = found->second;
  held_.erase(found);
  if (held.offered) pending_.erase(held.block.hash);
  return held;
}

std::optional<BlockHolds::State> BlockHolds::now_used(std::uint64_t first_unit) {
  const auto found = held_.find(first_unit);
  if (found == held_.end()) return std::nullopt;
  const State before = found->second.state;
  found->second.state = State::used;
  return before;
}

std::optional<BlockHolds::State> BlockHolds::now_freed(UnitRun run, Version version) {
  const auto found = held_.find(run.first);
  if (found == held_.end()) return std::nullopt;
  const State before = found->second.state;
  found->second.state = State::freed;
  found->second.freed_at = version;
  found->second.block.place = run;  // what stood there before may have been shorter
  return before;
}

}  // namespace artfs::data
