// SPDX-License-Identifier: Apache-2.0
// What the store does when memory or the disk runs short: it slows down, it says so, it loses nothing.
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::small_options;

std::string name_of(std::uint64_t number) {
  return "directory-" + std::to_string(number % 97) + "/file-" + std::to_string(number);
}

// Three times the smallest cache.
constexpr std::uint64_t wide_records = 24000;

void fill_wide(Tree tree) {
  const std::string value(900, 'w');
  for (std::uint64_t number = 0; number < wide_records; ++number) {
    if (!tree.put(name_of(number), value)) FAIL("put " << number);
  }
}

TEST_CASE("pressure: who adds to the dirty frames pays in small delays", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  fill_wide(tree);
  // Slow enough that the pressure rises while a checkpoint runs.
  disk.set_sync_delay(std::chrono::milliseconds(2));
  std::mt19937_64 random(7);
  const std::string value(900, 'x');
  // How many puts it takes depends on how fast they are beside the checkpoints.
  for (int put = 0; put < 1500 || (put < 150000 && store->stats().admission.delays == 0); ++put) {
    REQUIRE(tree.put(name_of(random() % wide_records), value).has_value());
  }
  disk.set_sync_delay(std::chrono::milliseconds(0));
  const StoreStats stats = store->stats();
  CHECK(stats.admission.delays > 0);
  CHECK(stats.admission.delayed_ns > 0);
  CHECK(stats.cache.resident_bytes <= 2 * stats.cache.budget_bytes);
  test::require_clean(*store);
}

TEST_CASE("pressure: a store that fits is never slowed down", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = small_options();
  options.cache_bytes = 64 * mib;
  const auto store = must_open(disk, options);
  const Tree tree = *store->create_tree("t");
  fill_wide(tree);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t number = 0; number < wide_records; number += 5) {
      REQUIRE(tree.put(name_of(number), "again").has_value());
    }
    REQUIRE(store->checkpoint().has_value());
  }
  const StoreStats stats = store->stats();
  CHECK(stats.admission.delays == 0);
  CHECK(stats.admission.stops == 0);
}

TEST_CASE("pressure: a log that runs ahead of its checkpoint slows its writers", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = small_options();
  options.cache_bytes = 256 * mib;
  const auto store = must_open(disk, options);
  const Tree tree = *store->create_tree("t");
  const std::string value(60000, 'l');
  for (std::uint64_t put = 0; put < 50; ++put) REQUIRE(tree.put(name_of(put), value).has_value());
  disk.set_sync_delay(std::chrono::milliseconds(5));  // the delays are in proportion to its work
  REQUIRE(store->checkpoint().has_value());
  disk.set_sync_delay(std::chrono::milliseconds(0));
  // The next one waits for its first log sync.
  std::atomic<bool> is_held{true};
  store->impl().set_before_log_sync([&]() -> Result<void> {
    while (is_held) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  });
  int refused = 0;
  for (std::uint64_t put = 0; put < 2500; ++put)
    refused += tree.put(name_of(put % 50), value) ? 0 : 1;
  is_held = false;
  store->impl().set_before_log_sync({});
  CHECK(refused == 0);
  const StoreStats stats = store->stats();
  CHECK(stats.admission.delays > 0);
  CHECK(stats.admission.stops == 0);
  CHECK(stats.log.segments <= 16);
}

TEST_CASE("pressure: a checkpoint that rests ends at once when somebody waits for it",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = small_options();
  options.cache_bytes = 64 * mib;
  options.checkpoint_log_bytes = 64 * mib;
  const auto store = must_open(disk, options);
  const Tree tree = *store->create_tree("t");
  fill_wide(tree);
  REQUIRE(store->checkpoint().has_value());
  CHECK(store->stats().checkpoint.rested_ns == 0);
  CHECK(store->stats().checkpoint.last_work_ns > 0);
}

// Puts until the store refuses; the number of those it took. Every refusal is an ordinary error.
std::uint64_t fill_until_refused(Store& store, Tree tree) {
  const std::string value(3000, 'f');
  std::uint64_t taken = 0;
  for (; taken < 40000; ++taken) {
    const auto put = tree.put(name_of(taken), value);
    if (put) continue;
    const Errc code = put.error().code;
    CHECK((code == Errc::no_space || code == Errc::log_full));
    break;
  }
  CHECK(!store.stats().stopped);
  return taken;
}

TEST_CASE("full disk: a writable open works or says what is missing, and nothing is lost",
          "[unit][engine]") {
  // What the log and the checkpoint's log leave for frames differs: the refusal comes at other places.
  const std::uint64_t capacity = GENERATE(60 * mib, 75 * mib, 96 * mib);
  io::MemoryDirectory disk;
  must_create(disk);
  disk.set_capacity(capacity);
  std::uint64_t taken = 0;
  {
    const auto store = must_open(disk, small_options());
    const auto tree = store->create_tree("t");
    REQUIRE(tree);
    taken = fill_until_refused(*store, *tree);
    REQUIRE(taken > 0);
    REQUIRE(taken < 40000);
  }
  for (int life = 0; life < 3; ++life) {
    auto store = test::open_on(disk, small_options());
    if (!store) {
      CHECK(store.error().code == Errc::no_space);
      disk.set_capacity(capacity + 64 * mib);
      store = test::open_on(disk, small_options());
      REQUIRE(store);
    }
    const auto tree = (*store)->open_tree("t");
    REQUIRE(tree);
    for (std::uint64_t number = 0; number < taken; ++number) {
      const auto found = tree->get(name_of(number));
      if (!found || found->value.size() != 3000) FAIL("lost " << number << " of " << taken);
    }
    test::require_clean(**store);
  }
}

}  // namespace

}  // namespace artfs
