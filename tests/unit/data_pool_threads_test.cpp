// SPDX-License-Identifier: Apache-2.0
// Races of the pool: the ones that matter step by step, and all of them under load.
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "data/pool/pool.hpp"
#include "support/pool_blocks.hpp"
#include "support/scale.hpp"

namespace artfs::data::pool {
namespace {

using test::hash_of;

// The states below the handles, where the two halves of letting go can be kept apart.
struct Parts {
  Registry registry;
  States states;

  explicit Parts(std::size_t slots, Duplicates duplicates = Duplicates::reject)
      : states(registry,
               {.slots = slots, .policy = BlockCachePolicy::lru, .duplicates = duplicates}) {}

  Tenure enter(std::uint64_t number) {
    Slot slot;
    REQUIRE(states.allocate(std::span(&slot, 1)));
    states.stage(slot, {.hash = hash_of(number), .bytes = 1});
    return states.enter(slot);
  }

  std::optional<Tenure> find(std::uint64_t number) {
    const base::Hash128 hash = hash_of(number);
    std::optional<Tenure> found;
    static_cast<void>(states.find_scattered(std::span(&hash, 1), std::span(&found, 1)));
    return found;
  }

  void let_go(Tenure tenure) {
    if (states.release(tenure)) states.retire(tenure);
  }
};

TEST_CASE("pool races: a lookup between the two halves of the last drop takes the block over",
          "[unit][data][pool][threads]") {
  Parts parts(2);
  const Tenure first = parts.enter(1);
  REQUIRE(parts.states.release(first));  // the last holder is about to retire it
  const std::optional<Tenure> second = parts.find(1);
  REQUIRE(second);
  CHECK(second->slot == first.slot);
  CHECK(second->generation != first.generation);
  parts.states.retire(first);  // late
  BlockCacheStats stats = parts.states.stats();
  CHECK(stats.raced_lookups == 1);
  CHECK(stats.late_releases == 1);
  CHECK(stats.active == 1);
  CHECK_FALSE(parts.states.try_share(first));
  parts.let_go(*second);
  stats = parts.states.stats();
  CHECK(stats.inactive == 1);
  CHECK(stats.retired == 2);
}

TEST_CASE("pool races: a late drop does not touch the block's next contents",
          "[unit][data][pool][threads]") {
  Parts parts(1);
  const Tenure first = parts.enter(1);
  REQUIRE(parts.states.release(first));
  parts.let_go(*parts.find(1));         // taken over, and let go: inactive
  const Tenure other = parts.enter(2);  // evicted, refilled
  CHECK(other.slot == first.slot);
  parts.states.retire(first);
  CHECK(parts.states.stats().late_releases == 1);
  CHECK(parts.states.stats().active == 1);
  CHECK(parts.states.contains(hash_of(2)));
  REQUIRE(parts.states.release(other));
  parts.states.retire(first);  // not even while nobody holds the new contents
  CHECK(parts.states.stats().active == 1);
  parts.states.retire(other);
  CHECK(parts.states.stats().inactive == 1);
}

TEST_CASE("pool races: a block to be reset that is met by a lookup is gone for both",
          "[unit][data][pool][threads]") {
  Parts parts(1);
  const Tenure first = parts.enter(1);
  parts.states.reset_on_release(hash_of(1));
  REQUIRE(parts.states.release(first));
  CHECK_FALSE(parts.find(1));
  CHECK(parts.states.stats().free == 1);
  parts.states.retire(first);
  CHECK(parts.states.stats().free == 1);
}

TEST_CASE("pool races: registering a hash whose last holder is leaving keeps one copy",
          "[unit][data][pool][threads]") {
  Parts parts(2, GENERATE(Duplicates::reject, Duplicates::allow));
  const Tenure first = parts.enter(1);
  REQUIRE(parts.states.release(first));
  const Tenure second = parts.enter(1);
  parts.states.retire(first);
  CHECK(parts.states.stats().late_releases == 1);
  parts.let_go(second);
  CHECK(parts.states.stats().inactive == 1);
  CHECK(parts.states.stats().free == 1);
  CHECK(parts.states.contains(hash_of(1)));
}

// Runs f(thread number) on so many threads that all begin together.
template <typename F>
void together(std::size_t count, const F& f) {
  std::atomic<std::size_t> waiting{count};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting.load() > 0) std::this_thread::yield();
      f(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("pool races: two registrations of one hash end in one block",
          "[unit][data][pool][threads]") {
  const Duplicates duplicates = GENERATE(Duplicates::reject, Duplicates::allow);
  for (std::uint64_t round = 0; round < test::scaled(300); ++round) {
    Pool pool({.blocks = 4,
               .block_bytes = test::pool_block_bytes,
               .policy = BlockCachePolicy::lru,
               .duplicates = duplicates});
    std::array<const std::byte*, 2> seen{};
    std::array<std::optional<ImmutableBlock>, 2> blocks;
    together(2, [&](std::size_t i) {
      auto block = pool.allocate();
      if (!block) return;
      blocks[i] = pool.register_block(test::complete(std::move(*block), 1));
      seen[i] = blocks[i]->bytes().data();
    });
    REQUIRE((seen[0] != nullptr && seen[1] != nullptr));
    REQUIRE((seen[0] == seen[1]) == (duplicates == Duplicates::reject));
    const BlockCacheStats stats = pool.stats();
    REQUIRE(stats.registered == 1);
    REQUIRE(stats.rejected + stats.duplicated == 1);
    REQUIRE(pool.find(hash_of(1)));
    blocks = {};
    REQUIRE(pool.stats().inactive == 1);
  }
}

TEST_CASE("pool races: drops race lookups, and the block is never missing",
          "[unit][data][pool][threads]") {
  Pool pool({.blocks = 2, .block_bytes = test::pool_block_bytes});
  test::put(pool, 1);
  std::atomic<std::uint64_t> missing{0};
  std::atomic<std::uint64_t> wrong{0};
  together(4, [&](std::size_t) {
    for (std::uint64_t i = 0; i < test::scaled(20000); ++i) {
      const std::optional<ImmutableBlock> found = pool.find(hash_of(1));
      if (!found) {
        ++missing;
      } else if (test::block_of(found->bytes()) != 1U) {
        ++wrong;
      }
    }
  });
  CHECK(missing == 0);
  CHECK(wrong == 0);
  const BlockCacheStats stats = pool.stats();
  CHECK(stats.inactive == 1);
  CHECK(stats.revived + 1 == stats.retired);
  CHECK(stats.late_releases == stats.raced_lookups);
}

TEST_CASE("pool races: eviction under full pins refuses, and goes on when somebody lets go",
          "[unit][data][pool][threads]") {
  constexpr std::size_t blocks = 8;
  Pool pool({.blocks = blocks, .block_bytes = test::pool_block_bytes});
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> served{0};
  together(4, [&](std::size_t thread) {
    // Together they want twice what there is.
    for (std::uint64_t i = 0; i < test::scaled(3000); ++i) {
      auto taken = pool.allocate(4);
      if (!taken) {
        std::this_thread::yield();
        continue;
      }
      ++served;
      std::vector<ImmutableBlock> held;
      for (MutableBlock& block : *taken) {
        const std::uint64_t number = (thread * 1000 + i * 4 + held.size()) % 64;
        held.push_back(pool.register_block(test::complete(std::move(block), number)));
        if (test::block_of(held.back().bytes()) != number) ++wrong;
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(served > 0);
  const BlockCacheStats stats = pool.stats();
  CHECK(stats.free + stats.inactive == blocks);
  CHECK(pool.allocate(blocks));
}

TEST_CASE("pool races: everything at once keeps contents and counts right",
          "[unit][data][pool][threads]") {
  PoolOptions options{.blocks = 16, .block_bytes = test::pool_block_bytes};
  options.policy = GENERATE(BlockCachePolicy::fifo, BlockCachePolicy::lru,
                            BlockCachePolicy::multi_lru, BlockCachePolicy::lineage);
  options.duplicates = GENERATE(Duplicates::reject, Duplicates::allow);
  Pool pool(options);
  std::atomic<std::uint64_t> wrong{0};
  together(4, [&](std::size_t thread) {
    std::mt19937_64 random(test::first_seed() + thread);
    std::optional<WeakBlock> weak;
    std::vector<ImmutableBlock> held;
    for (std::uint64_t i = 0; i < test::scaled(4000); ++i) {
      const std::uint64_t number = random() % 32;
      std::optional<ImmutableBlock> block = pool.find(hash_of(number));
      if (!block) {
        auto buffer = pool.allocate();
        if (!buffer) {
          held.clear();
          continue;
        }
        block = pool.register_block(
            test::complete(std::move(*buffer), number, {.file = number % 4, .position = number}));
      }
      if (test::block_of(block->bytes()) != number) ++wrong;
      if (random() % 16 == 0) pool.reset_on_release(hash_of(number));
      if (weak) {
        const std::optional<ImmutableBlock> upgraded = weak->upgrade();
        if (upgraded && upgraded->hash() != weak->hash()) ++wrong;
      }
      weak = block->weak();
      if (held.size() > 2) held.clear();
      held.push_back(block->share());
    }
  });
  CHECK(wrong == 0);
  const BlockCacheStats stats = pool.stats();
  CHECK(stats.active + stats.duplicates + stats.filling + stats.staged == 0);
  CHECK(stats.free + stats.inactive == options.blocks);
  CHECK(stats.late_releases == stats.raced_lookups);
}

TEST_CASE("pool races: of many who miss one block a single one loads it",
          "[unit][data][pool][threads]") {
  Pool pool({.blocks = 8, .block_bytes = test::pool_block_bytes});
  std::atomic<std::uint64_t> loads{0};
  std::atomic<std::uint64_t> wrong{0};
  together(4, [&](std::size_t) {
    for (std::uint64_t number = 0; number < 4; ++number) {
      for (;;) {
        const std::optional<ImmutableBlock> found = pool.find(hash_of(number));
        if (found) {
          if (test::block_of(found->bytes()) != number) ++wrong;
          break;
        }
        const std::optional<Loading> loading = pool.registry().try_load(hash_of(number));
        if (!loading) {
          pool.registry().wait_until_loaded(hash_of(number));
          continue;
        }
        if (pool.registry().has(hash_of(number), Mark::cached)) continue;
        ++loads;
        auto buffer = pool.allocate();
        if (buffer) {
          static_cast<void>(pool.register_block(test::complete(std::move(*buffer), number)));
        }
      }
    }
  });
  CHECK(loads == 4);
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace artfs::data::pool
