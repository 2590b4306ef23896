// SPDX-License-Identifier: Apache-2.0
// Power cuts: the machine dies at a random change of the disk, in the middle of commits, checkpoints
// and recoveries; unsynced writes are lost, torn and reordered. R2, R4.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

#include "support/crash_history.hpp"
#include "support/figure.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::CrashHistory;

StoreOptions random_options(test::RandomKeys& random) {
  StoreOptions options = test::small_options();
  options.commit_interval = std::chrono::milliseconds(random.chance(50) ? 10 : 10000);
  if (random.chance(20)) options.durability = Durability::strict;
  return options;
}

// Works until the disk fails or the operations are used up.
void work(CrashHistory& history, Store& store, Tree tree) {
  const std::uint64_t operations = 20 + history.random().below(300);
  for (std::uint64_t index = 0; index < operations; ++index) {
    if (!history.commit(store, tree)) return;
    if (history.random().chance(2) && !history.move(store, tree)) return;
    const std::uint64_t kind = history.random().below(100);
    if (kind < 3 && !store.checkpoint()) return;
    if (kind >= 3 && kind < 15) {
      const Result<void> synced = store.sync();
      if (!synced) return;
    }
    history.note_durable(store);
  }
}

// One life of the store: opened on the disk, used, cut off.
void live(CrashHistory& history, io::MemoryDirectory& disk) {
  test::RandomKeys& random = history.random();
  const bool dies_while_opening = random.chance(20);
  const std::uint64_t calls = random.chance(50) ? 1 + random.below(60) : 1 + random.below(600);
  if (dies_while_opening)
    disk.fail_call(1 + random.below(12), Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
  auto store = test::open_on(disk, random_options(random));
  if (!store) {
    REQUIRE(dies_while_opening);
    return;
  }
  auto tree = (*store)->open_tree("t");
  REQUIRE(tree.has_value());
  if (!dies_while_opening) {
    disk.fail_call(calls, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
  }
  work(history, **store, *tree);
  history.note_durable(**store);
}

// W2D: a page at home whose record was lost would show up as a change outside the prefix.
TEST_CASE("power cut: what was durable is there, the rest is a prefix of the commit order",
          "[crash][engine]") {
  test::silence_log();
  const std::uint64_t cuts = test::rounds({.normal = 2000, .in_long_mode = 100000});
  constexpr int lives = 4;
  const auto empty = test::empty_store();
  std::uint64_t seed = test::first_seed();
  for (std::uint64_t cut = 0; cut < cuts; ++seed) {
    CAPTURE(seed);
    auto disk = empty->clone_current();
    CrashHistory history(seed);
    for (int life = 0; life < lives; ++life, ++cut) {
      CAPTURE(life);
      live(history, *disk);
      disk = disk->clone_after_power_cut(seed * 8 + static_cast<std::uint64_t>(life));
      auto after = disk->clone_current();
      const auto store = test::must_open(*after, test::small_options());
      const auto tree = store->open_tree("t");
      REQUIRE(tree.has_value());
      history.check_prefix(*store, *tree);
      // Sometimes the next life goes on from what recovery made, sometimes it recovers again.
      if (history.random().chance(70)) {
        REQUIRE(store->close().has_value());
        disk = std::move(after);
      }
    }
  }
  test::figure("power cuts under transactions", cuts);
}

}  // namespace

}  // namespace artfs
