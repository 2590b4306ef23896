// SPDX-License-Identifier: Apache-2.0
// Readers without latches beside writers: what they answer is whole, in order, and was so at some moment.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "support/engine_store.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::small_options;

// A value tells which key it belongs to and is the same number all through, so that a mixture shows.
std::string value_of(std::uint64_t key, std::uint64_t round) {
  const std::uint64_t words = 1 + (key * 7 + round) % 150;
  const std::uint64_t number = key << 40U | round;
  std::string value(words * sizeof number, '\0');
  for (std::uint64_t i = 0; i < words; ++i) {
    std::memcpy(value.data() + i * sizeof number, &number, sizeof number);
  }
  return value;
}

bool is_value_of(std::uint64_t key, std::string_view value) {
  if (value.size() < sizeof(std::uint64_t)) return false;
  const auto number = base::copy_object<std::uint64_t>(base::as_bytes(value));
  return number >> 40U == key && value == value_of(key, number & ((std::uint64_t{1} << 40U) - 1));
}

std::string key_of(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return "usr/share/" + std::to_string(number % 7) + "/file-" +
         std::string(6 - digits.size(), '0') + digits;
}

// Threads that run until the first of them, or run_for() itself, ends; counts what went wrong.
class Crew {
 public:
  void add(std::function<void()> step) {
    threads_.emplace_back([this, step = std::move(step)] {
      while (!stop_.load()) step();
    });
  }

  void check(bool holds) noexcept {
    if (!holds) faults_.fetch_add(1);
  }

  // Does `step` so often, beside the others; returns the number of faults.
  int run(std::uint64_t count, const std::function<void(std::uint64_t)>& step) {
    for (std::uint64_t i = 0; i < count && faults_.load() == 0; ++i) step(i);
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
    return faults_.load();
  }

 private:
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  std::atomic<int> faults_{0};
};

class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::mt19937_64 random_;
};

void read_beside_writers(Tree tree, std::uint64_t keys, std::uint64_t writes) {
  for (std::uint64_t key = 0; key < keys; ++key) {
    REQUIRE(tree.put(key_of(key), value_of(key, 0)));
  }
  Crew crew;
  std::atomic<std::uint64_t> reads{0};
  for (std::uint64_t reader = 0; reader < 2; ++reader) {
    crew.add([&, numbers = Numbers(reader), value = std::string()]() mutable {
      const std::uint64_t key = numbers.below(keys);
      const Result<Version> got = tree.get_into(key_of(key), value);
      crew.check(got && is_value_of(key, value));
      crew.check(tree.contains(key_of(key)) == true);
      crew.check(tree.contains(key_of(key) + "x") == false);
      crew.check(tree.prefix_empty(key_of(key)) == false);
      crew.check(tree.longest_prefix(key_of(key) + "/more") == key_of(key));
      reads.fetch_add(1);
    });
  }
  crew.add([&, numbers = Numbers(7)]() mutable {
    // Neighbours that come and go: nodes grow, shrink and fuse around the keys that stay.
    const std::string other = key_of(numbers.below(keys)) + "-" + std::to_string(numbers.below(5));
    if (!tree.erase(other))
      crew.check(tree.put(other, std::string(numbers.below(900), 'o')).has_value());
  });
  Numbers numbers(9);
  CHECK(crew.run(writes, [&](std::uint64_t round) {
    const std::uint64_t key = numbers.below(keys);
    crew.check(tree.put(key_of(key), value_of(key, round + 1)).has_value());
    // The last write waits for a reader: a busy machine may not have let one in before.
    while (round + 1 == writes && reads.load() == 0) std::this_thread::yield();
  }) == 0);
}

// Keys of even numbers stay; those of odd numbers come, go and move all the while.
class ChangingTree {
 public:
  ChangingTree(Tree tree, std::uint64_t keys) : tree_(tree), keys_(keys) {
    for (std::uint64_t key = 0; key < keys; key += 2) {
      REQUIRE(tree_.put(key_of(key), value_of(key, 0)));
    }
  }

  void change(Numbers& numbers, Crew& crew) {
    const std::uint64_t key = numbers.below(keys_ / 2) * 2 + 1;
    const std::uint64_t choice = numbers.below(4);
    if (choice == 0) {
      (void)tree_.erase(key_of(key));
    } else if (choice == 1) {
      (void)tree_.rename(key_of(key), key_of((key + 1002) % keys_), RenameMode::replace);
    } else {
      crew.check(tree_.put(key_of(key), std::string(numbers.below(1500), 'c')).has_value());
    }
    const std::uint64_t stays = numbers.below(keys_ / 2) * 2;
    crew.check(tree_.put(key_of(stays), value_of(stays, numbers.below(1000))).has_value());
  }

  // A whole scan: in order, nothing twice, every key that stays exactly once and whole.
  void scan(const ScanOptions& options, Crew& crew) {
    std::string before;
    std::uint64_t seen = 0;
    Scan scan = tree_.scan(options);
    for (;;) {
      const Result<bool> more = scan.next();
      crew.check(more.has_value());
      if (!more || !*more) break;
      const ScanEntry& entry = scan.entry();
      crew.check(before < entry.key);
      before = entry.key;
      const std::uint64_t number = std::stoull(before.substr(before.size() - 6));
      if (number % 2 != 0) continue;
      ++seen;
      crew.check(is_value_of(number, entry.value));
    }
    std::uint64_t expected = 0;
    for (std::uint64_t key = 0; key < keys_; key += 2) {
      expected += key_of(key).starts_with(options.prefix) ? 1U : 0U;
    }
    crew.check(seen == expected);
  }

 private:
  Tree tree_;
  std::uint64_t keys_;
};

void scan_beside_writers(Tree tree, std::uint64_t scans) {
  ChangingTree changing(tree, 2002);
  Crew crew;
  for (std::uint64_t writer = 0; writer < 2; ++writer) {
    crew.add([&, numbers = Numbers(writer + 3)]() mutable { changing.change(numbers, crew); });
  }
  CHECK(crew.run(scans, [&](std::uint64_t round) {
    changing.scan({}, crew);
    changing.scan({.prefix = round % 2 == 0 ? "usr/share/3" : "usr/share/5/file-0"}, crew);
  }) == 0);
}

}  // namespace

TEST_CASE("P4: a value read beside writers is one that was written, in memory", "[unit][engine]") {
  auto store = Store::open_in_memory({}).value();
  read_beside_writers(*store->create_tree("t"), 3000, test::scaled(20000));
}

TEST_CASE("P4: a value read beside writers, evictions and checkpoints is one that was written",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  read_beside_writers(*store->create_tree("t"), 20000, test::scaled(3000));
  CHECK(store->stats().cache.evictions > 0);
  CHECK(store->verify()->problems.empty());
}

TEST_CASE("scan: keys that stay are seen exactly once while others come, go and move",
          "[unit][engine]") {
  auto store = Store::open_in_memory({}).value();
  scan_beside_writers(*store->create_tree("t"), test::scaled(100));
}

TEST_CASE("scan: the same with a small cache", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  for (int i = 0; i < 4000; ++i) {
    REQUIRE(tree.put("var/" + std::to_string(i) + "-000001", std::string(4000, 'v')));
  }
  scan_beside_writers(tree, test::scaled(10));
  CHECK(store->stats().cache.evictions > 0);
}

TEST_CASE("scan: a roll-up stands for a directory that lives, and no living one is left out",
          "[unit][engine]") {
  auto store = Store::open_in_memory({}).value();
  const Tree tree = *store->create_tree("t");
  constexpr std::uint64_t directories = 40;
  for (std::uint64_t i = 0; i < directories; ++i) {
    REQUIRE(tree.put("r/live-" + std::to_string(i) + "/file", std::string(8000, 'v')));
  }
  Crew crew;
  std::atomic<std::uint64_t> gone{0};
  crew.add([&, number = std::uint64_t{0}]() mutable {
    ++number;
    const std::string key = "r/dead-" + std::to_string(number) + "/file";
    crew.check(tree.put(key, std::string(number % 12000, 'd')).has_value());
    crew.check(tree.erase(key).has_value());
    gone.store(number);
  });
  crew.add([&, numbers = Numbers(5)]() mutable {
    const std::string key = "r/live-" + std::to_string(numbers.below(directories)) + "/" +
                            std::to_string(numbers.below(9));
    if (!tree.erase(key)) crew.check(tree.put(key, std::string(9000, 'o')).has_value());
  });
  CHECK(crew.run(test::scaled(2000), [&](std::uint64_t) {
    const std::uint64_t gone_before = gone.load();
    std::uint64_t living = 0;
    Scan scan = tree.scan({.prefix = "r/", .delimiter = '/'});
    for (;;) {
      const Result<bool> more = scan.next();
      crew.check(more.has_value());
      if (!more || !*more) break;
      const std::string_view name = scan.entry().key;
      crew.check(scan.entry().is_rollup && name.ends_with('/'));
      if (name.starts_with("r/live-")) ++living;
      if (name.starts_with("r/dead-"))
        crew.check(std::stoull(std::string(name.substr(7))) > gone_before);
    }
    crew.check(living == directories);
  }) == 0);
}

TEST_CASE("a reader gets on under a storm of writes to the very key it reads", "[unit][engine]") {
  auto store = Store::open_in_memory({}).value();
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("the key", value_of(1, 0)));
  Crew crew;
  std::atomic<std::uint64_t> writes{0};
  for (int writer = 0; writer < 3; ++writer) {
    crew.add(
        [&] { crew.check(tree.put("the key", value_of(1, writes.fetch_add(1))).has_value()); });
  }
  std::string value;
  CHECK(crew.run(test::scaled(20000), [&](std::uint64_t round) {
    // Also on one processor the storm goes on all the while.
    while (round % 100 == 0 && writes.load() < round) std::this_thread::yield();
    crew.check(tree.get_into("the key", value) && is_value_of(1, value));
    Scan scan = tree.scan({});
    crew.check(scan.next() == true && is_value_of(1, scan.entry().value) && scan.next() == false);
  }) == 0);
}

TEST_CASE("a read that is disturbed for a while is repeated until it holds", "[unit][engine]") {
  auto store = Store::open_in_memory({}).value();
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("key", value_of(1, 0)));
  frame::Cache& cache = store->impl().cache();
  const frame::Pin root = cache.load(store->impl().find_tree(tree.id())->root).value();
  Crew crew;
  std::atomic<std::uint64_t> disturbed{0};
  crew.add([&] {
    const sync::ExclusiveGuard writing(root.latch());
    disturbed.fetch_add(1);
  });
  while (disturbed.load() == 0) std::this_thread::yield();
  std::string value;
  CHECK(crew.run(2000, [&](std::uint64_t) {
    crew.check(tree.get_into("key", value) && is_value_of(1, value));
    crew.check(tree.get_into("kex", value).error().code == Errc::key_not_found);
  }) == 0);
}

}  // namespace artfs
