// SPDX-License-Identifier: Apache-2.0
#include "data/free_map.hpp"

#include <iterator>

#include "base/assert.hpp"

namespace artfs::data {

void FreeMap::add_run(UnitRun run) {
  by_place_.emplace(run.first, run.count);
  by_size_.emplace(run.count, run.first);
  free_units_ += run.count;
  if (run.count > spare_) usable_units_ += run.count - spare_;
}

void FreeMap::drop_run(UnitRun run) {
  by_place_.erase(run.first);
  by_size_.erase({run.count, run.first});
  free_units_ -= run.count;
  if (run.count > spare_) usable_units_ -= run.count - spare_;
}

void FreeMap::insert(UnitRun run) {
  if (run.count == 0) return;
  ARTFS_ASSERT(!overlaps(run));
  if (const auto below = run_reaching(run.first)) {
    drop_run(*below);
    run = {.first = below->first, .count = below->count + run.count};
  }
  if (const auto above = run_starting(run.first + run.count)) {
    drop_run(*above);
    run.count += above->count;
  }
  add_run(run);
}

void FreeMap::remove(UnitRun run) {
  if (run.count == 0) return;
  const auto whole = run_reaching(run.first);
  const std::uint64_t end = run.first + run.count;
  ARTFS_ASSERT(whole && end <= whole->first + whole->count);
  drop_run(*whole);
  if (run.first > whole->first) add_run({.first = whole->first, .count = run.first - whole->first});
  const std::uint64_t whole_end = whole->first + whole->count;
  if (end < whole_end) add_run({.first = end, .count = whole_end - end});
}

std::optional<UnitRun> FreeMap::take(std::uint64_t wanted, std::uint64_t at_least) {
  auto best = by_size_.lower_bound({wanted, 0});
  if (best == by_size_.end()) {
    if (by_size_.empty()) return std::nullopt;
    best = std::prev(by_size_.end());
  }
  const UnitRun run{.first = best->second, .count = best->first};
  if (run.count < at_least) return std::nullopt;
  drop_run(run);
  if (run.count <= wanted) return run;
  add_run({.first = run.first + wanted, .count = run.count - wanted});
  return UnitRun{.first = run.first, .count = wanted};
}

std::optional<UnitRun> FreeMap::run_reaching(std::uint64_t unit) const {
  auto next = by_place_.upper_bound(unit);
  if (next == by_place_.begin()) return std::nullopt;
  --next;
  if (next->first + next->second < unit) return std::nullopt;
  return UnitRun{.first = next->first, .count = next->second};
}

std::optional<UnitRun> FreeMap::run_starting(std::uint64_t unit) const {
  const auto found = by_place_.find(unit);
  if (found == by_place_.end()) return std::nullopt;
  return UnitRun{.first = found->first, .count = found->second};
}

bool FreeMap::contains(UnitRun run) const {
  const auto whole = run_reaching(run.first);
  return whole && run.first + run.count <= whole->first + whole->count;
}

bool FreeMap::overlaps(UnitRun run) const {
  const auto next = by_place_.lower_bound(run.first);
  if (next != by_place_.end() && next->first < run.first + run.count) return true;
  if (next == by_place_.begin()) return false;
  const auto below = std::prev(next);
  return below->first + below->second > run.first;
}

}  // namespace artfs::data
