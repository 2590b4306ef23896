// SPDX-License-Identifier: Apache-2.0
// Power cuts while several threads commit: the survivors are a prefix of the order of versions, over
// all threads; what any of them saw durable is among them. R4.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "support/engine_store.hpp"
#include "support/random_keys.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

constexpr int writers = 3;

struct Writer {
  std::vector<Version> versions;          // of its transactions, in order
  std::atomic<std::uint64_t> durable{0};  // so many of them
};

void write(Store& store, Tree tree, Writer& self, int number) {
  test::RandomKeys keys(static_cast<std::uint64_t>(number) + 77, 2000);
  keys.make_values_large(4 * kib);
  const std::string mine = "seq/" + std::to_string(number);
  Txn txn;
  for (;;) {
    txn.clear();
    txn.put(tree, mine, std::to_string(self.versions.size() + 1)).add(tree, 0, 1);
    txn.put(tree, keys.path(keys.below(2000)), keys.value());
    if (keys.chance(30)) txn.erase(tree, keys.path(keys.below(2000)));
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

TEST_CASE("power cut: with several threads the survivors are a prefix of the commit order",
          "[crash][engine]") {
  const std::uint64_t seeds = test::scaled(40);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    io::MemoryDirectory disk;
    test::must_create(disk);
    StoreOptions options = test::small_options();
    options.commit_interval = std::chrono::milliseconds(seed % 2 == 0 ? 10 : 10000);
    std::vector<Writer> all(writers);
    std::vector<std::uint64_t> durable(writers, 0);
    {
      const auto store = test::must_open(disk, options);
      const Tree tree = *store->create_tree("t");
      REQUIRE(store->sync().has_value());
      disk.fail_call(20 + seed * 37 % 400, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
      std::vector<std::thread> threads;
      for (int number = 0; number < writers; ++number) {
        threads.emplace_back(
            [&, number] { write(*store, tree, all[static_cast<std::size_t>(number)], number); });
      }
      for (std::thread& thread : threads) thread.join();
      for (std::size_t number = 0; number < writers; ++number)
        durable[number] = all[number].durable;
    }
    disk.power_cut(seed);
    disk.fail_call(0, Errc::io_failed);
    const auto store = test::must_open(disk, options);
    require_prefix(*store->open_tree("t"), all, durable);
    test::require_clean(*store);
  }
}

}  // namespace

}  // namespace artfs
