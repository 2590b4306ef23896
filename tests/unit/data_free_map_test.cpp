// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "data/free_map.hpp"

namespace artfs::data {
namespace {

constexpr std::uint64_t units = 3000;
constexpr std::uint64_t request_max = 16;

void check_against(const FreeMap& map, const std::vector<bool>& free) {
  std::vector<bool> seen(units, false);
  std::uint64_t sum = 0;
  std::uint64_t usable = 0;
  std::uint64_t last_end = 0;
  for (const auto& [first, count] : map.runs()) {
    REQUIRE((first > last_end || last_end == 0));  // neighbours are merged
    for (std::uint64_t unit = first; unit < first + count; ++unit) seen[unit] = true;
    sum += count;
    usable += count >= request_max ? count - (request_max - 1) : 0;
    last_end = first + count;
  }
  REQUIRE(seen == free);
  REQUIRE(map.free_units() == sum);
  REQUIRE(map.usable_units() == usable);
}

TEST_CASE("free map: random takes and returns agree with a bit map", "[unit][data]") {
  std::mt19937_64 random(5);
  FreeMap map(request_max);
  std::vector<bool> free(units, true);
  map.insert({.first = 0, .count = units});
  std::vector<UnitRun> taken;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 2 == 0 || taken.empty()) {
      const std::uint64_t wanted = 1 + random() % 60;
      const std::uint64_t at_least = 1 + random() % std::min(wanted, request_max);
      const auto run = map.take(wanted, at_least);
      if (!run) continue;
      REQUIRE(run->count >= at_least);
      REQUIRE(run->count <= wanted);
      for (std::uint64_t i = 0; i < run->count; ++i) {
        REQUIRE(free[run->first + i]);
        free[run->first + i] = false;
      }
      taken.push_back(*run);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      const UnitRun run = taken.back();
      taken.pop_back();
      REQUIRE_FALSE(map.overlaps(run));
      map.insert(run);
      REQUIRE(map.overlaps(run));
      std::fill_n(free.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
    }
    if (step % 50 == 0) check_against(map, free);
  }
  for (const UnitRun& run : taken) map.insert(run);
  CHECK(map.runs().size() == 1);
}

TEST_CASE("free map: a part of a run can be removed from anywhere", "[unit][data]") {
  FreeMap map(request_max);
  map.insert({.first = 100, .count = 100});
  map.remove({.first = 150, .count = 10});
  map.remove({.first = 100, .count = 10});
  map.remove({.first = 190, .count = 10});
  const std::map<std::uint64_t, std::uint64_t> expected{{110, 40}, {160, 30}};
  CHECK(map.runs() == expected);
  CHECK(map.run_reaching(150)->first == 110);
  CHECK_FALSE(map.run_reaching(151));
  CHECK_FALSE(map.run_starting(111));
}

TEST_CASE("free map: promises up to the usable units can all be kept, however fragmented",
          "[unit][data]") {
  std::mt19937_64 random(17);
  for (int round = 0; round < 200; ++round) {
    FreeMap map(request_max);
    for (std::uint64_t at = random() % 40; at < units;) {
      const std::uint64_t count = 1 + random() % (round % 2 == 0 ? 20 : 200);
      map.insert({.first = at, .count = count});
      at += count + 1 + random() % 30;
    }
    std::uint64_t promised = map.usable_units();
    while (promised > 0) {
      const std::uint64_t size = std::min(promised, 1 + random() % request_max);
      REQUIRE(map.take(size, size));
      promised -= size;
      REQUIRE(map.usable_units() >= promised);
    }
  }
}

}  // namespace
}  // namespace artfs::data
