// SPDX-License-Identifier: Apache-2.0
// Every failing call, by number: no false success, nothing lost, the store reopens. R3.
#include <catch2/catch.hpp>

#include "support/crash_history.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::CrashHistory;
using Repeat = io::MemoryDirectory::Repeat;

StoreOptions quiet_options() {
  StoreOptions options = test::small_options();
  options.commit_interval = std::chrono::milliseconds(10000);
  return options;
}

struct Fault {
  std::uint64_t call = 0;
  Errc code = Errc::io_failed;
  Repeat repeat = Repeat::once;
};

// Commits, syncs and checkpoints; goes on after errors as long as the store is not stopped.
void work(CrashHistory& history, Store& store, Tree tree) {
  for (int round = 0; round < 40; ++round) {
    const Result<Version> version = history.commit(store, tree);
    if (round % 8 == 3) {
      const Result<void> synced = store.sync();
      if (version && synced) REQUIRE(store.is_durable(*version));
    }
    if (round % 16 == 9) {
      const Result<void> written = store.checkpoint();
      if (version && written) REQUIRE(store.is_durable(*version));
    }
    history.note_durable(store);
    if (store.stats().stopped) return;
  }
}

// A read-only opener sees the same, and changes nothing.
void read_and_check(CrashHistory history, io::MemoryDirectory& disk) {
  const std::uint64_t before = disk.counters().changes;
  StoreOptions options = quiet_options();
  options.read_only = true;
  const auto store = test::must_open(disk, options);
  const auto tree = store->open_tree("t");
  REQUIRE(tree.has_value());
  history.check_prefix(*store, *tree);
  REQUIRE(store->close().has_value());
  REQUIRE(disk.counters().changes == before);
}

void reopen_and_check(CrashHistory history, std::unique_ptr<io::MemoryDirectory> disk) {
  read_and_check(history, *disk);
  const auto store = test::must_open(*disk, quiet_options());
  const auto tree = store->open_tree("t");
  REQUIRE(tree.has_value());
  history.check_prefix(*store, *tree);
  REQUIRE(history.commit(*store, *tree).has_value());
  REQUIRE(store->checkpoint().has_value());
  history.note_durable(*store);
  REQUIRE(history.durable() == history.committed());
}

// The fault is gone and did not stop the store: what failed before is made up for.
void require_recovered(CrashHistory& history, Store& store, Tree tree) {
  REQUIRE(history.commit(store, tree).has_value());
  REQUIRE(store.checkpoint().has_value());
  history.note_durable(store);
  REQUIRE(history.durable() == history.committed());
  test::require_clean(store);
}

// Returns the calls that the history made; a failure at each of them was tried when it is done.
std::uint64_t run(std::uint64_t seed, const Fault& fault) {
  io::MemoryDirectory disk;
  test::must_create(disk);
  CrashHistory history(seed);
  std::uint64_t calls = 0;
  {
    const auto store = test::must_open(disk, quiet_options());
    REQUIRE(store->create_tree("t").has_value());
    REQUIRE(store->sync().has_value());
    const Tree tree = *store->open_tree("t");
    const std::uint64_t before = disk.counters().changes;
    disk.fail_call(fault.call, fault.code, fault.repeat);
    work(history, *store, tree);
    history.note_durable(*store);
    calls = disk.counters().changes - before;
    REQUIRE(tree.contains("seq").has_value());  // stopped or not, reads go on
    disk.fail_call(0, fault.code);
    if (!store->stats().stopped) require_recovered(history, *store, tree);
    reopen_and_check(history, disk.clone_current());
    reopen_and_check(history, disk.clone_after_power_cut(seed + fault.call));
  }
  reopen_and_check(history, disk.clone_durable());
  return calls;
}

void fail_at_every_call(Errc code, Repeat repeat) {
  const std::uint64_t seed = 17;
  const std::uint64_t calls = run(seed, {});
  const std::uint64_t step = std::max<std::uint64_t>(1, 100 / test::scaled(100));
  for (std::uint64_t call = 1; call <= calls; call += step) {
    CAPTURE(call, calls);
    run(seed, {.call = call, .code = code, .repeat = repeat});
  }
}

TEST_CASE(
    "P16: failing calls: an I/O error at every call stops the store and loses nothing durable",
    "[crash][engine]") {
  fail_at_every_call(Errc::io_failed, Repeat::once);
}

TEST_CASE("failing calls: a device that stays dead from any call on loses nothing durable",
          "[crash][engine]") {
  fail_at_every_call(Errc::io_failed, Repeat::for_ever);
}

TEST_CASE("failing calls: no space at any one call gives no false success", "[crash][engine]") {
  fail_at_every_call(Errc::no_space, Repeat::once);
}

TEST_CASE("failing calls: a full disk refuses changes, keeps what it has, and goes on with space",
          "[crash][engine]") {
  const std::uint64_t rounds = test::scaled(40);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    io::MemoryDirectory disk;
    test::must_create(disk);
    CrashHistory history(round);
    const auto store = test::must_open(disk, quiet_options());
    REQUIRE(store->create_tree("t").has_value());
    const Tree tree = *store->open_tree("t");
    disk.set_capacity(16 * mib + round * mib);
    for (int part = 0; part < 5; ++part) work(history, *store, tree);
    REQUIRE_FALSE(store->stats().stopped);
    REQUIRE(store->sync().has_value());
    disk.set_capacity(gib);
    require_recovered(history, *store, tree);
    reopen_and_check(history, disk.clone_after_power_cut(round));
  }
}

}  // namespace

}  // namespace artfs
