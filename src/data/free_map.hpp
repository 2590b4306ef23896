// SPDX-License-Identifier: Apache-2.0
// FreeMap: runs of free units, found by place and by size.
//
// Contract:   runs never overlap and never touch (neighbours merge). usable_units() is what can be
//             promised to requests of at most `request_max` units each: every run counts without its
//             last request_max - 1 units. It falls by at most n when n units are taken, and while it is
//             positive some run holds request_max units; so promises up to it can all be kept, whatever
//             the fragmentation.
// Threading:  the owner serialises.
// Cost:       O(log runs) per call; about 100 bytes per run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "data/change.hpp"

namespace artfs::data {

class FreeMap {
 public:
  explicit FreeMap(std::uint64_t request_max) noexcept : spare_(request_max - 1) {}

  // The run must not overlap a free one.
  void insert(UnitRun run);
  // The run must be free as a whole.
  void remove(UnitRun run);
  // Takes from the smallest run that holds `wanted`, else the whole largest one; it has at least
  // `at_least` units, or nothing is taken.
  [[nodiscard]] std::optional<UnitRun> take(std::uint64_t wanted, std::uint64_t at_least);

  // The free run that contains the unit, or touches it from below (ends right before it).
  [[nodiscard]] std::optional<UnitRun> run_reaching(std::uint64_t unit) const;
  // The free run that starts exactly here.
  [[nodiscard]] std::optional<UnitRun> run_starting(std::uint64_t unit) const;
  [[nodiscard]] bool overlaps(UnitRun run) const;
  // All of it is free.
  [[nodiscard]] bool contains(UnitRun run) const;

  [[nodiscard]] std::uint64_t free_units() const noexcept { return free_units_; }

  [[nodiscard]] std::uint64_t usable_units() const noexcept { return usable_units_; }

  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& runs() const noexcept {
    return by_place_;
  }

 private:
  void add_run(UnitRun run);
  void drop_run(UnitRun run);

  std::uint64_t spare_;
  std::map<std::uint64_t, std::uint64_t> by_place_;            // first unit -> units
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;  // units, first unit
  std::uint64_t free_units_ = 0;
  std::uint64_t usable_units_ = 0;
};

}  // namespace artfs::data
