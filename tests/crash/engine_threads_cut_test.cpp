// SPDX-License-Identifier: Apache-2.0
// Power cuts while several threads commit: the survivors are a prefix of the order of versions, over
// all threads; what any of them saw durable is among them. R4.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/engine_store.hpp"
#include "support/figure.hpp"
#include "support/random_keys.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

constexpr int writers = 3;

struct Writer {
  std::vector<Version> versions;          // of its transactions, in order
  std::atomic<std::uint64_t> durable{0};  // so many of them
};

// Each transaction: the thread's number; a record of its own, put or erased, counted in counter 1; and two
// records that all threads share and always write together.
void write(Store& store, Tree tree, Writer& self, std::uint64_t seed, int number) {
  test::RandomKeys keys(seed * 16 + static_cast<std::uint64_t>(number), 500);
  keys.make_values_large(4 * kib);
  const std::string mine = "seq/" + std::to_string(number);
  const std::string own = "own/" + std::to_string(number) + "/";
  std::set<std::string> live;
  Txn txn;
  for (;;) {
    txn.clear();
    txn.put(tree, mine, std::to_string(self.versions.size() + 1)).add(tree, 0, 1);
    const std::string key = own + keys.path(keys.below(500));
    const auto before = static_cast<std::int64_t>(live.size());
    if (keys.chance(40)) {
      txn.erase(tree, key);
      live.erase(key);
    } else {
      txn.put(tree, key, keys.value());
      live.insert(key);
    }
    txn.add(tree, 1, static_cast<std::int64_t>(live.size()) - before);
    const std::string pair = std::to_string(keys.below(20));
    const std::string value = mine + " " + std::to_string(self.versions.size());
    txn.put(tree, "pair/a/" + pair, value).put(tree, "pair/b/" + pair, value);
    const Result<Version> version = store.commit(txn);
    if (!version) return;
    self.versions.push_back(*version);
    if (keys.chance(3) && !store.sync_to(*version)) return;
    if (keys.chance(1) && !store.checkpoint()) return;
    if (store.is_durable(*version)) self.durable = self.versions.size();
  }
}

// The largest version of the surviving transactions, and that all with smaller ones survived.
void require_prefix(Tree tree, const std::vector<Writer>& all,
                    const std::vector<std::uint64_t>& durable) {
  std::vector<std::uint64_t> found(writers, 0);
  Version last;
  std::uint64_t total = 0;
  for (std::size_t number = 0; number < writers; ++number) {
    const auto seq = tree.get("seq/" + std::to_string(number));
    if (seq) found[number] = std::stoull(seq->value);
    if (seq) last = std::max(last, seq->version);
    total += found[number];
    REQUIRE(found[number] >= durable[number]);
  }
  for (std::size_t number = 0; number < writers; ++number) {
    const auto& versions = all[number].versions;
    const auto below = static_cast<std::uint64_t>(
        std::upper_bound(versions.begin(), versions.end(), last) - versions.begin());
    // The last one of a thread may have been logged without an answer.
    const bool fits = found[number] == below ||
                      (found[number] == versions.size() + 1 && below == versions.size());
    INFO("writer " << number << " found " << found[number] << " expected " << below);
    REQUIRE(fits);
  }
  REQUIRE(tree.counter(0) == static_cast<std::int64_t>(total));
}

// Transactions whole: what is written together is there together, of one version; and the counters are
// what a walk finds.
void require_whole(Tree tree) {
  Scan pairs = tree.scan({.prefix = "pair/a/"});
  while (pairs.next().value()) {
    const std::string other = "pair/b/" + std::string(pairs.entry().key.substr(7));
    const Result<Record> second = tree.get(other);
    REQUIRE(second.has_value());
    REQUIRE(second->value == pairs.entry().value);
    REQUIRE(second->version == pairs.entry().version);
  }
  Scan own = tree.scan({.prefix = "own/", .keys_only = true});
  std::int64_t count = 0;
  while (own.next().value()) ++count;
  REQUIRE(tree.counter(1) == count);
}

TEST_CASE("power cut: with several threads the survivors are a prefix of the commit order",
          "[crash][engine]") {
  test::silence_log();
  const std::uint64_t seeds = test::rounds({.normal = 120, .in_long_mode = 6000});
  const auto empty = test::empty_store();
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + seeds; ++seed) {
    CAPTURE(seed);
    const auto disk = empty->clone_current();
    StoreOptions options = test::small_options();
    options.commit_interval = std::chrono::milliseconds(seed % 2 == 0 ? 10 : 10000);
    std::vector<Writer> all(writers);
    std::vector<std::uint64_t> durable(writers, 0);
    {
      const auto store = test::must_open(*disk, options);
      const Tree tree = *store->open_tree("t");
      disk->fail_call(20 + seed * 37 % 400, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
      std::vector<std::thread> threads;
      for (int number = 0; number < writers; ++number) {
        threads.emplace_back([&, number] {
          write(*store, tree, all[static_cast<std::size_t>(number)], seed, number);
        });
      }
      for (std::thread& thread : threads) thread.join();
      for (std::size_t number = 0; number < writers; ++number)
        durable[number] = all[number].durable;
    }
    disk->power_cut(seed);
    const auto store = test::must_open(*disk, options);
    require_prefix(*store->open_tree("t"), all, durable);
    require_whole(*store->open_tree("t"));
    test::require_clean(*store);
  }
  test::figure("power cuts under transactions of several threads", seeds);
}

}  // namespace

}  // namespace artfs
