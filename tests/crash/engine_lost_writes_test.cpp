// SPDX-License-Identifier: Apache-2.0
// A device that lies: it acknowledges a write and stores nothing, or stores it somewhere else. Whatever
// the store answers then is right or an error, never something else. R6, P11.
//
// What no format can tell is the loss of the very last write of the log: nothing was written after it
// that would know of it, nor of what it overwrote in the wrong place. So each history ends with one more synced transaction, which alone may miss.
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "support/crash_history.hpp"
#include "support/figure.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::CrashHistory;
using WriteFault = io::MemoryDirectory::WriteFault;

struct Outcome {
  std::uint64_t hit = 0;
  std::uint64_t refused = 0;   // the open said so
  std::uint64_t partly = 0;    // some keys said so
  std::uint64_t harmless = 0;  // everything is there and right
};

StoreOptions still_options() {
  StoreOptions options = test::small_options();
  options.commit_interval = std::chrono::milliseconds(10000);
  return options;
}

// False when the store refused to go on: it met the damage itself.
bool work(CrashHistory& history, Store& store, Tree tree, std::uint64_t operations) {
  for (std::uint64_t index = 0; index < operations; ++index) {
    if (!history.commit(store, tree)) return false;
    if (history.random().chance(4) && !history.move(store, tree)) return false;
    const std::uint64_t kind = history.random().below(100);
    if (kind < 8 && !store.checkpoint()) return false;
    if (kind >= 8 && kind < 30 && !store.sync()) return false;
  }
  return true;
}

std::unique_ptr<io::MemoryDirectory> live(CrashHistory& history, const io::MemoryDirectory& start,
                                          WriteFault fault, std::uint64_t seed,
                                          std::string& damage) {
  const auto disk = start.clone_current();
  const auto store = test::must_open(*disk, still_options());
  const Tree tree = *store->open_tree("t");
  test::RandomKeys& random = history.random();
  // A history of so many transactions makes about as many writes.
  const std::uint64_t operations = 20 + random.below(60);
  disk->damage_write(1 + random.below(operations), fault, seed);
  bool well = work(history, *store, tree, operations);
  // Two syncs behind everything: the last transaction is the only one whose loss nobody knows of. Nor does
  // anybody of what its write destroyed: the damage must have been done before.
  well = well && store->sync();
  damage = disk->damage();
  well = well && !damage.empty() && history.commit(*store, tree) && store->sync();
  if (!well) return nullptr;
  if (random.chance(20)) REQUIRE(store->close().has_value());
  return random.chance(50) ? disk->clone_current() : disk->clone_after_power_cut(seed);
}

void judge(CrashHistory& history, io::MemoryDirectory& disk, Outcome& outcome) {
  ++outcome.hit;
  const auto store = test::open_on(disk, still_options());
  if (!store) {
    INFO(to_text(store.error()));
    const Errc code = store.error().code;
    REQUIRE((code == Errc::superblock_corrupt || code == Errc::manifest_corrupt ||
             code == Errc::frame_corrupt || code == Errc::log_corrupt ||
             code == Errc::checkpoint_corrupt ||
             code == Errc::store_foreign));  // both superblocks hit
    ++outcome.refused;
    return;
  }
  const auto tree = (*store)->open_tree("t");
  REQUIRE(tree.has_value());
  const CrashHistory::Differences differences = history.compare(*tree, true);
  for (const std::string& lie : differences.lies) UNSCOPED_INFO(lie);
  REQUIRE(differences.lies.empty());
  ++(differences.errors > 0 ? outcome.partly : outcome.harmless);
  if (differences.errors == 0) test::require_clean(**store);
}

void lie(WriteFault fault, const test::Rounds& counts) {
  test::silence_log();
  const auto empty = test::empty_store();
  Outcome outcome;
  const std::uint64_t wanted = test::rounds(counts);
  for (std::uint64_t seed = test::first_seed(); outcome.hit < wanted; ++seed) {
    CrashHistory history(seed);
    std::string damage;
    const auto disk = live(history, *empty, fault, seed, damage);
    if (disk == nullptr) continue;
    CAPTURE(seed, damage);
    judge(history, *disk, outcome);
  }
  WARN(outcome.hit << " hit: " << outcome.refused << " refused at the open, " << outcome.partly
                   << " refused for some keys, " << outcome.harmless << " harmless");
  CHECK(outcome.refused + outcome.partly > 0);
  CHECK(outcome.harmless > 0);
  test::figure(fault == WriteFault::dropped ? "dropped writes" : "misdirected writes", wanted);
}

TEST_CASE("P11: lost writes: a dropped write is detected or harmless", "[crash][engine]") {
  lie(WriteFault::dropped, {.normal = 400, .in_long_mode = 10000});
}

TEST_CASE("P11: lost writes: a misdirected write is detected or harmless", "[crash][engine]") {
  lie(WriteFault::misdirected, {.normal = 400, .in_long_mode = 10000});
}

}  // namespace

}  // namespace artfs
