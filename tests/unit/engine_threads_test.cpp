// SPDX-License-Identifier: Apache-2.0
// Many threads on one store with the smallest cache, checkpoints all the while.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>
#include <vector>

#include "support/engine_store.hpp"
#include "support/faults.hpp"
#include "support/random_keys.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::Faults;
using test::must_create;
using test::must_open;
using test::small_options;

TEST_CASE("threads: writers of their own keys, readers and checkpoints agree in the end",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  constexpr int writers = 3;
  const std::uint64_t operations = test::scaled(4000);
  std::vector<std::map<std::string, std::string>> models(writers);
  std::atomic<bool> stop{false};
  Faults faults;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      test::RandomKeys keys(static_cast<std::uint64_t>(writer) + 1, 4000);
      keys.make_values_large(4 * kib);
      auto& model = models[static_cast<std::size_t>(writer)];
      for (std::uint64_t index = 0; index < operations; ++index) {
        const std::string key = keys.key().substr(0, 1000) + "#" + std::to_string(writer);
        if (keys.chance(30)) {
          faults.check(tree.erase(key).has_value() == (model.erase(key) == 1));
        } else {
          std::string value = keys.value();
          faults.check(tree.put(key, value).has_value());
          model[key] = std::move(value);
        }
        if (keys.chance(20) && !model.empty()) {
          auto place = model.lower_bound(keys.key());
          if (place == model.end()) place = model.begin();
          const auto record = tree.get(place->first);
          faults.check(record && record->value == place->second);
        }
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      std::string before;
      Scan scan = tree.scan({.prefix = "usr/", .limit = 300});
      for (;;) {
        const Result<bool> more = scan.next();
        faults.check(more.has_value());
        if (!more || !*more) break;
        faults.check(before < scan.entry().key);
        before = scan.entry().key;
      }
      faults.check(store->checkpoint().has_value());
    }
  });
  for (int writer = 0; writer < writers; ++writer) threads[static_cast<std::size_t>(writer)].join();
  stop = true;
  threads.back().join();
  REQUIRE(faults.count() == 0);
  test::require_clean(*store);
  std::map<std::string, std::string> whole;
  for (auto& model : models) whole.merge(model);
  for (int life = 0; life < 2; ++life) {
    Scan scan = store->open_tree("t")->scan({});
    for (const auto& [key, value] : whole) {
      if (!*scan.next() || scan.entry().key != key || scan.entry().value != value) FAIL(key);
    }
    REQUIRE_FALSE(*scan.next());
    REQUIRE(store->close().has_value());
    store = must_open(disk, small_options());
  }
}

TEST_CASE("threads: compare_and_put loses no increment, transactions move without loss",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree left = *store->create_tree("left");
  const Tree right = *store->create_tree("right");
  REQUIRE(left.put("n", "0").has_value());
  constexpr int threads_count = 4;
  const int rounds = static_cast<int>(test::scaled(500));
  std::atomic<int> moved{0};
  Faults faults;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < threads_count; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < rounds;) {
        const auto now = left.get("n");
        faults.check(now.has_value());
        const auto next =
            left.compare_and_put("n", now->version, std::to_string(std::stoi(now->value) + 1));
        if (next) {
          ++round;
        } else {
          faults.check(next.error().code == Errc::version_mismatch);
        }
        Txn txn;
        const std::string key = std::to_string(round % 10);
        // The trees named in either order: latches are taken in one.
        if (thread % 2 == 0) {
          txn.assert_absent(left, key).put(left, key, "").erase(right, key).add(left, 0, 1);
        } else {
          txn.assert_absent(right, key).put(right, key, "").erase(left, key).add(right, 0, 1);
        }
        if (store->commit(txn)) ++moved;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(faults.count() == 0);
  CHECK(left.get("n")->value == std::to_string(threads_count * rounds));
  CHECK(left.counter(0) + right.counter(0) == moved);
  for (int key = 0; key < 10; ++key) {
    CHECK(*left.contains(std::to_string(key)) != *right.contains(std::to_string(key)));
  }
}

TEST_CASE("threads: a scan returns what stays exactly once while neighbours come and go",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  const auto name = [](std::uint64_t number) { return "k" + std::to_string(100000 + number); };
  const std::string value(2000, 'v');
  constexpr std::uint64_t keys = 3000;
  for (std::uint64_t number = 0; number < keys; number += 2) {
    REQUIRE(tree.put(name(number), value).has_value());
  }
  std::atomic<bool> stop{false};
  Faults faults;
  std::thread writer([&] {
    test::RandomKeys random(3, 1);
    while (!stop) {
      const std::string odd = name(random.below(keys / 2) * 2 + 1);
      if (random.chance(50)) {
        faults.check(tree.put(odd, value).has_value());
      } else {
        const auto erased = tree.erase(odd);
        faults.check(erased.has_value() || erased.error().code == Errc::key_not_found);
      }
    }
  });
  const std::uint64_t rounds = test::scaled(30);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Scan scan = tree.scan({.keys_only = round % 2 == 0});
    std::uint64_t stable = 0;
    std::string before;
    while (*scan.next()) {
      const std::string key(scan.entry().key);
      faults.check(before < key);
      before = key;
      if ((std::stoull(key.substr(1)) - 100000) % 2 == 0) ++stable;
    }
    faults.check(stable == keys / 2);
  }
  stop = true;
  writer.join();
  CHECK(faults.count() == 0);
  test::require_clean(*store);
}

}  // namespace

}  // namespace artfs
