// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "support/engine_store.hpp"

namespace artfs::test {
namespace {

constexpr std::uint64_t keys = 30'000;  // 80 MiB of frames, or somewhat more

std::string key_of(std::uint64_t number) {
  return fmt::format("/usr/share/category-{}/file-{:06}", number % 7, number);
}

// Some values are longer than a page, or lie across two.
std::string value_of(std::uint64_t number, std::uint64_t round = 0) {
  const std::size_t bytes = number % 997 == 0 ? 20'000 : 1000 + number % 1400;
  std::string value = fmt::format("{}:{}:", number, round);
  value.resize(std::max(bytes, value.size()), static_cast<char>('a' + number % 26));
  return value;
}

std::unique_ptr<Store> open_cold(io::MemoryDirectory& disk, std::uint64_t cache_bytes) {
  StoreOptions options = small_options();
  options.cache_bytes = cache_bytes;
  options.checkpoint_log_bytes = 4 * mib;
  return must_open(disk, options);
}

// A store with all keys, closed; made once.
std::unique_ptr<io::MemoryDirectory> filled_store() {
  static io::MemoryDirectory* const original = [] {
    static io::MemoryDirectory disk;
    must_create(disk);
    const auto store = open_cold(disk, 64 * mib);
    const Tree tree = store->create_tree("t").value();
    std::vector<std::uint64_t> order(keys);
    for (std::uint64_t i = 0; i < keys; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
    for (const std::uint64_t number : order) {
      REQUIRE(tree.put(key_of(number), value_of(number)));
    }
    REQUIRE(store->close());
    return &disk;
  }();
  return original->clone_current();
}

}  // namespace

TEST_CASE("cold: point reads of a store ten times the cache read pages, not frames",
          "[unit][engine]") {
  const auto files = filled_store();
  io::MemoryDirectory& disk = *files;
  const auto store = open_cold(disk, 8 * mib);
  const Tree tree = store->open_tree("t").value();
  std::mt19937_64 random(2);
  constexpr std::uint64_t gets = 3000;
  for (std::uint64_t i = 0; i < gets; ++i) {
    const std::uint64_t number = random() % (keys + 100);
    const auto got = tree.get(key_of(number));
    if (number < keys) {
      REQUIRE(got);
      REQUIRE(got->value == value_of(number));
    } else {
      REQUIRE_FALSE(got);
      REQUIRE(got.error().code == Errc::key_not_found);
    }
    REQUIRE(tree.contains(key_of(number)).value() == (number < keys));
    REQUIRE(store->stats().cache.resident_bytes <= 8 * mib);
  }
  const CacheStats stats = store->stats().cache;
  INFO("frames " << store->stats().frames_allocated << ", bytes per get "
                 << stats.read_bytes / gets);
  CHECK(store->stats().frames_allocated >= 120);
  CHECK(stats.read_bytes / gets <= 20 * kib);
  CHECK(stats.frames <= 2);
}

TEST_CASE("cold: with a cache that holds all of it, the store is read about once",
          "[unit][engine]") {
  const auto files = filled_store();
  io::MemoryDirectory& disk = *files;
  const auto store = open_cold(disk, 256 * mib);
  const Tree tree = store->open_tree("t").value();
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t number = random() % keys;
    REQUIRE(tree.get(key_of(number)).value().value == value_of(number));
  }
  const CacheStats stats = store->stats().cache;
  CHECK(stats.read_bytes <= store->stats().frames_allocated * 512 * kib);
  CHECK(stats.misses <= store->stats().frames_allocated * 32);
  CHECK(stats.evictions == 0);
  // Scans and changes find the rest.
  std::uint64_t seen = 0;
  Scan scan = tree.scan({});
  while (scan.next().value()) ++seen;
  CHECK(seen == keys);
  CHECK(store->stats().cache.read_bytes <= store->stats().frames_allocated * 512 * kib);
}

TEST_CASE("cold: a read sees the newest value beside writers and a cache of a few frames",
          "[unit][engine]") {
  const auto files = filled_store();
  io::MemoryDirectory& disk = *files;
  const auto store = open_cold(disk, 8 * mib);
  const Tree tree = store->open_tree("t").value();
  constexpr std::uint64_t hot = 64;
  std::vector<std::atomic<std::uint64_t>> rounds(hot);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> wrong{0};
  const auto number_of = [](std::uint64_t index) { return index * (keys / hot); };
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 2; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!stop) {
        const std::uint64_t index = random() % hot;
        const std::uint64_t at_least = rounds[index];
        const auto got = tree.get(key_of(number_of(index)));
        const std::uint64_t at_most = rounds[index] + 1;
        bool is_right = false;
        for (std::uint64_t round = at_least; got && round <= at_most && !is_right; ++round) {
          is_right = got->value == value_of(number_of(index), round);
        }
        if (!is_right) ++wrong;
        ++reads;
        // Pushes out what others need.
        if (!tree.get(key_of(random() % keys))) ++wrong;
      }
    });
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t index = random() % hot;
    const std::uint64_t round = rounds[index] + 1;
    REQUIRE(tree.put(key_of(number_of(index)), value_of(number_of(index), round)));
    rounds[index] = round;
    if (i % 500 == 499) REQUIRE(store->checkpoint());
  }
  while (reads < 300) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  require_clean(*store);
}

TEST_CASE(
    "budget: memory stays within 5 % of it under gets, scans, puts, transactions, checkpoints",
    "[unit][engine]") {
  const auto files = filled_store();
  // Half of the store. Below 32 MiB what one operation pins may be more than 5 %.
  constexpr std::uint64_t budget = 36 * mib;
  const auto store = open_cold(*files, budget);
  const Tree tree = store->open_tree("t").value();
  std::atomic<std::uint64_t> highest{0};
  std::atomic<unsigned> failed{0};
  const auto look = [&] {
    const std::uint64_t now = store->stats().cache.resident_bytes;
    if (now > highest) highest = now;
  };
  const auto run = [&](unsigned kind) {
    std::mt19937_64 random(kind);
    for (unsigned round = 0; round < 400; ++round) {
      bool is_done = true;
      if (kind == 0) {  // gets
        for (int i = 0; i < 5; ++i) is_done &= tree.get(key_of(random() % keys)).has_value();
      } else if (kind == 1) {  // scans
        const std::string after = key_of(random() % keys);
        Scan scan = tree.scan({.start_after = after, .limit = 300});
        for (auto more = scan.next(); more && *more; more = scan.next())
          is_done &= more.has_value();
      } else if (kind == 2) {  // puts of other lengths, and new keys: frames spill
        const std::uint64_t number = random() % (keys + keys / 4);
        is_done = tree.put(key_of(number), value_of(number, round)).has_value();
      } else {  // transactions that pin many frames
        Txn txn;
        for (int i = 0; i < 8; ++i) txn.put(tree, key_of(random() % keys), "short");
        is_done = store->commit(txn).has_value();
      }
      if (!is_done) ++failed;
      look();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned kind = 0; kind < 4; ++kind) threads.emplace_back([&run, kind] { run(kind); });
  for (int i = 0; i < 3; ++i) {
    if (!store->checkpoint()) ++failed;
    look();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(highest > budget / 2);
  CHECK(highest <= budget + budget / 20);
  CHECK(store->stats().cache.evictions > 0);
}

TEST_CASE("P11: a damaged page costs the keys in it, point reads of others go on",
          "[unit][engine]") {
  const auto files = filled_store();
  io::MemoryDirectory& disk = *files;
  // Somewhere in the middle of each of some frames.
  for (std::uint64_t slot = 0; slot < 100; slot += 5) {
    REQUIRE(disk.flip_bit("frames.dat", (slot * 512 * kib + 200 * kib + 1234) * 8));
  }
  silence_log();
  const auto store = open_cold(disk, 8 * mib);
  const Tree tree = store->open_tree("t").value();
  std::uint64_t found = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t number = 0; number < keys; number += 3) {
    const auto got = tree.get(key_of(number));
    if (got) {
      REQUIRE(got->value == value_of(number));
      ++found;
    } else {
      REQUIRE(got.error().code == Errc::frame_corrupt);
      ++refused;
    }
  }
  CHECK(refused > 0);
  CHECK(refused * 20 < found);  // a few pages of a hundred, not a few frames of ten
}

}  // namespace artfs::test
