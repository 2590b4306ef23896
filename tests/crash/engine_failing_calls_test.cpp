// SPDX-License-Identifier: Apache-2.0
// Every failing call, by number: no false success, nothing lost, the store reopens. R3.
#include <array>
#include <catch2/catch.hpp>

#include "support/crash_history.hpp"
#include "support/figure.hpp"
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
  bool only_syncs = false;  // `call` counts those
};

// Three recorded histories: few small keys; large values over many frames, and so many pages per
// checkpoint; a log that runs through its segments, with the last transactions left in it.
struct History {
  std::uint64_t seed = 0;
  int rounds = 0;
  int sync_every = 0;
  int checkpoint_every = 0;
};

constexpr std::array<History, 3> histories = {{{17, 40, 8, 16}, {3, 30, 10, 10}, {21, 90, 5, 60}}};

// Commits, syncs and checkpoints; goes on after errors as long as the store is not stopped.
void work(CrashHistory& history, Store& store, Tree tree, const History& plan) {
  for (int round = 0; round < plan.rounds; ++round) {
    const Result<Version> version = history.commit(store, tree);
    if (round % plan.sync_every == 3) {
      const Result<void> synced = store.sync();
      if (version && synced) REQUIRE(store.is_durable(*version));
    }
    if (round % plan.checkpoint_every == 9) {
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

// The fault is gone, and nothing has stopped the store so far: what failed before is made up for. A thread of the log
// may have met the fault with nobody waiting for it: then the next change is told, and the store has stopped.
void require_recovered(CrashHistory& history, Store& store, Tree tree) {
  const bool goes_on = history.commit(store, tree).has_value() && store.checkpoint().has_value();
  if (!goes_on) {
    REQUIRE(store.stats().stopped);
    return;
  }
  history.note_durable(store);
  REQUIRE(history.durable() == history.committed());
  test::require_clean(store);
}

std::uint64_t calls_of(const io::MemoryDirectory& disk, const Fault& fault) {
  const io::MemoryDirectory::Counters counters = disk.counters();
  return fault.only_syncs ? counters.file_syncs + counters.directory_syncs : counters.changes;
}

// Returns the calls that the history made, its open and close included; a failure at each of them was
// tried when it is done.
std::uint64_t run(const io::MemoryDirectory& empty, const History& plan, const Fault& fault) {
  const auto disk = empty.clone_current();
  CrashHistory history(plan.seed);
  if (fault.only_syncs) {
    disk->fail_sync(fault.call, fault.code);
  } else {
    disk->fail_call(fault.call, fault.code, fault.repeat);
  }
  if (auto opened = test::open_on(*disk, quiet_options())) {
    const auto store = *std::move(opened);
    const Tree tree = *store->open_tree("t");
    work(history, *store, tree, plan);
    history.note_durable(*store);
    REQUIRE(tree.contains("seq").has_value());  // stopped or not, reads go on
    if (fault.call % 2 == 0) {
      // The log's own thread may have met the fault and nobody asked since: a sync is told.
      (void)store->sync();
      disk->fail_call(0, fault.code);
      disk->fail_sync(0, fault.code);
      if (!store->stats().stopped) require_recovered(history, *store, tree);
    }
    reopen_and_check(history, disk->clone_current());
    reopen_and_check(history, disk->clone_after_power_cut(plan.seed + fault.call));
    // What close() says is durable is: everything.
    if (store->close()) {
      history.note_durable(*store);
      REQUIRE(history.durable() == history.committed());
    }
  }
  const std::uint64_t calls = calls_of(*disk, fault);
  reopen_and_check(history, disk->clone_durable());
  return calls;
}

void fail_at_every_call(const Fault& kind) {
  test::silence_log();
  const auto empty = test::empty_store();
  const std::uint64_t step = std::max<std::uint64_t>(1, 100 / test::scaled(100));
  std::uint64_t failed = 0;
  for (const History& plan : histories) {
    const std::uint64_t calls =
        run(*empty, plan, {.call = 0, .code = {}, .repeat = {}, .only_syncs = kind.only_syncs});
    REQUIRE(calls > 8);
    for (std::uint64_t call = 1; call <= calls; call += step) {
      CAPTURE(plan.seed, call, calls);
      Fault fault = kind;
      fault.call = call;
      run(*empty, plan, fault);
      ++failed;
    }
  }
  test::figure("histories with a failing call of the device", failed);
}

TEST_CASE(
    "P16: failing calls: an I/O error at every call stops the store and loses nothing durable",
    "[crash][engine]") {
  fail_at_every_call({.code = Errc::io_failed});
}

TEST_CASE("failing calls: a device that stays dead from any call on loses nothing durable",
          "[crash][engine]") {
  fail_at_every_call({.code = Errc::io_failed, .repeat = Repeat::for_ever});
}

TEST_CASE("failing calls: no space at any one call gives no false success", "[crash][engine]") {
  fail_at_every_call({.code = Errc::no_space});
}

TEST_CASE("P16: failing calls: every sync that fails, for whatever reason, is never believed later",
          "[crash][engine]") {
  fail_at_every_call({.code = Errc::io_failed, .only_syncs = true});
  fail_at_every_call({.code = Errc::no_space, .only_syncs = true});
}

TEST_CASE("failing calls: a full disk refuses changes, keeps what it has, and goes on with space",
          "[crash][engine]") {
  test::silence_log();
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
    for (int part = 0; part < 5; ++part) work(history, *store, tree, histories[0]);
    REQUIRE_FALSE(store->stats().stopped);
    REQUIRE(store->sync().has_value());
    disk.set_capacity(gib);
    require_recovered(history, *store, tree);
    reopen_and_check(history, disk.clone_after_power_cut(round));
  }
  test::figure("histories of transactions on a full disk", rounds);
}

}  // namespace

}  // namespace artfs
