// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstring>
#include <type_traits>

#include "data/pool/pool.hpp"
#include "support/death.hpp"
#include "support/pool_blocks.hpp"

namespace artfs::data::pool {
namespace {

using test::block_of;
using test::fill;
using test::hash_of;
using test::put;

// Wrong transitions do not compile: a block is registered once complete, and completed once.
static_assert(!std::is_invocable_v<decltype(&Pool::register_block), Pool&, MutableBlock>);
static_assert(!std::is_invocable_v<decltype(&Pool::register_block), Pool&, CompleteBlock&>);
static_assert(!std::is_invocable_v<decltype(&MutableBlock::complete), MutableBlock&, Identity>);
static_assert(!std::is_copy_constructible_v<MutableBlock> &&
              !std::is_copy_constructible_v<CompleteBlock> &&
              !std::is_copy_constructible_v<ImmutableBlock>);

PoolOptions small(std::size_t blocks, BlockCachePolicy policy = BlockCachePolicy::lru) {
  return {.blocks = blocks, .block_bytes = test::pool_block_bytes, .policy = policy};
}

TEST_CASE("pool: a block goes from free over filling, staged and active to inactive",
          "[unit][data][pool]") {
  Pool pool(small(4));
  CHECK(pool.stats().free == 4);
  std::optional<MutableBlock> filling = pool.allocate();
  REQUIRE(filling);
  CHECK(pool.stats().filling == 1);
  std::memset(filling->bytes().data(), 7, filling->bytes().size());
  CompleteBlock staged = std::move(*filling).complete({.hash = hash_of(1), .bytes = 100});
  CHECK(pool.stats().staged == 1);
  CHECK(staged.bytes().size() == 100);
  CHECK_FALSE(pool.find(hash_of(1)));
  {
    const ImmutableBlock active = pool.register_block(std::move(staged));
    CHECK(pool.stats().active == 1);
    CHECK(active.hash() == hash_of(1));
    CHECK(active.bytes().size() == 100);
    CHECK(active.bytes()[99] == std::byte{7});
  }
  CHECK(pool.stats().inactive == 1);
  CHECK(pool.find(hash_of(1)));
  CHECK(pool.stats().revived == 1);
  CHECK(pool.stats().hits == 1);
  CHECK(pool.stats().misses == 1);
}

TEST_CASE("pool: what is dropped before it is registered leaves its buffer free",
          "[unit][data][pool]") {
  Pool pool(small(1));
  { const std::optional<MutableBlock> filling = pool.allocate(); }
  CHECK(pool.stats().free == 1);
  {
    std::optional<MutableBlock> filling = pool.allocate();
    const CompleteBlock staged = std::move(*filling).complete({.hash = hash_of(1), .bytes = 1});
    CHECK(pool.registry().size() == 1);
  }
  CHECK(pool.stats().free == 1);
  CHECK(pool.registry().size() == 0);
  CHECK_FALSE(pool.find(hash_of(1)));
}

TEST_CASE("pool: an allocation that finds too little changes nothing, not even the order",
          "[unit][data][pool]") {
  const BlockCachePolicy policy = GENERATE(BlockCachePolicy::fifo, BlockCachePolicy::lru,
                                           BlockCachePolicy::multi_lru, BlockCachePolicy::lineage);
  Pool pool(small(6, policy));
  for (std::uint64_t i = 1; i <= 4; ++i) {
    put(pool, i, {.file = 1 + i % 2, .position = i});
  }
  const ImmutableBlock held = fill(pool, 5);
  std::vector<std::uint64_t> expected;  // in the order in which a twin of the pool gives them up
  {
    Pool twin(small(6, policy));
    for (std::uint64_t i = 1; i <= 4; ++i) put(twin, i, {.file = 1 + i % 2, .position = i});
    const ImmutableBlock held_too = fill(twin, 5);
    const auto first = twin.allocate(1);
    for (std::size_t count = 1; count <= 4; ++count) {
      const auto taken = twin.allocate(count);
      REQUIRE(taken);
      for (std::uint64_t i = 1; i <= 4; ++i) {
        const bool is_new = std::find(expected.begin(), expected.end(), i) == expected.end();
        if (is_new && !twin.registry().has(hash_of(i), Mark::cached)) expected.push_back(i);
      }
    }
  }
  REQUIRE(expected.size() == 4);
  for (int attempt = 0; attempt < 3; ++attempt) REQUIRE_FALSE(pool.allocate(6));
  CHECK(pool.stats().refused == 3);
  CHECK(pool.stats().inactive == 4);
  CHECK(pool.stats().free == 1);
  std::vector<MutableBlock> taken;
  taken.push_back(*pool.allocate());
  for (const std::uint64_t next : expected) {
    CHECK(pool.registry().has(hash_of(next), Mark::cached));
    taken.push_back(*pool.allocate());
    CHECK_FALSE(pool.registry().has(hash_of(next), Mark::cached));
  }
  CHECK_FALSE(pool.allocate());
}

TEST_CASE("pool: free buffers are taken before a cached block is given up", "[unit][data][pool]") {
  Pool pool(small(3));
  put(pool, 1);
  const auto two = pool.allocate(2);
  REQUIRE(two);
  CHECK(pool.stats().evicted == 0);
  CHECK(pool.find(hash_of(1)));
  const auto third = pool.allocate();
  REQUIRE(third);
  CHECK(pool.stats().evicted == 1);
  CHECK_FALSE(pool.find(hash_of(1)));
}

TEST_CASE("pool: while every block is held nothing can be allocated, and nothing is lost",
          "[unit][data][pool]") {
  Pool pool(small(8));
  std::vector<ImmutableBlock> held;
  for (std::uint64_t i = 0; i < 8; ++i) held.push_back(fill(pool, i));
  CHECK_FALSE(pool.allocate());
  CHECK(pool.stats().refused == 1);
  for (std::uint64_t i = 0; i < 8; ++i) {
    CHECK(block_of(held[i].bytes()) == i);
    CHECK(pool.find(hash_of(i)));
  }
  held.pop_back();
  CHECK(pool.allocate());
}

TEST_CASE("pool: the second copy of a hash is given up, or kept for its owner alone",
          "[unit][data][pool]") {
  PoolOptions options = small(4);
  options.duplicates = GENERATE(Duplicates::reject, Duplicates::allow);
  const bool allowed = options.duplicates == Duplicates::allow;
  Pool pool(options);
  {
    const ImmutableBlock first = fill(pool, 1);
    const ImmutableBlock second = fill(pool, 1);
    CHECK((first.bytes().data() == second.bytes().data()) != allowed);
    CHECK(pool.stats().duplicates == (allowed ? 1 : 0));
    CHECK(pool.stats().free == (allowed ? 2 : 3));
    CHECK(pool.find(hash_of(1))->bytes().data() == first.bytes().data());
  }
  CHECK(pool.stats().inactive == 1);
  CHECK(pool.stats().free == 3);
  CHECK(pool.stats().rejected == (allowed ? 0 : 1));
  CHECK(pool.stats().duplicated == (allowed ? 1 : 0));
  // The copy that is there may also be inactive.
  const ImmutableBlock third = fill(pool, 1);
  CHECK(pool.stats().inactive == (allowed ? 1 : 0));
}

TEST_CASE("pool: what will not be asked for again is reset by its last holder",
          "[unit][data][pool]") {
  Pool pool(small(2));
  {
    const ImmutableBlock block = fill(pool, 1);
    pool.reset_on_release(hash_of(1));
    CHECK(pool.find(hash_of(1)));  // as long as somebody holds it
  }
  CHECK(pool.stats().free == 2);
  CHECK_FALSE(pool.find(hash_of(1)));
  put(pool, 2);
  pool.reset_on_release(hash_of(2));  // nobody holds it: at once
  CHECK(pool.stats().free == 2);
  CHECK_FALSE(pool.find(hash_of(2)));
  pool.reset_on_release(hash_of(3));
  {
    const ImmutableBlock block = fill(pool, 4);
    pool.reset_on_release(hash_of(4));
    const ImmutableBlock again = fill(pool, 4);  // registered once more: wanted after all
  }
  CHECK(pool.find(hash_of(4)));
}

TEST_CASE("pool: prefix lookup stops at the first gap, scattered lookup does not",
          "[unit][data][pool]") {
  Pool pool(small(8));
  for (const std::uint64_t i : {1U, 2U, 4U, 5U}) put(pool, i);
  const std::vector<base::Hash128> wanted = {hash_of(1), hash_of(2), hash_of(3), hash_of(4)};
  const std::vector<ImmutableBlock> prefix = pool.find_prefix(wanted);
  REQUIRE(prefix.size() == 2);
  CHECK(block_of(prefix[1].bytes()) == 2);
  const auto scattered = pool.find_scattered(wanted);
  REQUIRE(scattered.size() == 4);
  CHECK((scattered[0] && scattered[1] && !scattered[2] && scattered[3]));
  CHECK(pool.stats().active == 3);
  CHECK(pool.find_prefix({}).empty());
}

TEST_CASE("pool: a weak block gives its contents while they are cached and keeps nothing",
          "[unit][data][pool]") {
  Pool pool(small(2));
  std::optional<WeakBlock> weak;
  {
    const ImmutableBlock block = fill(pool, 1);
    weak = block.weak();
    CHECK(weak->upgrade()->bytes().data() == block.bytes().data());
  }
  CHECK(pool.stats().inactive == 1);
  CHECK(weak->upgrade());  // from inactive
  { const auto both = pool.allocate(2); }
  CHECK_FALSE(weak->upgrade());
  put(pool, 2);
  put(pool, 1);  // the same contents, perhaps in another buffer
  const std::optional<ImmutableBlock> again = weak->upgrade();
  REQUIRE(again);
  CHECK(block_of(again->bytes()) == 1);
}

TEST_CASE("pool: the registry marks what is cached and forgets what nobody deals with",
          "[unit][data][pool]") {
  Pool pool(small(1));
  {
    const ImmutableBlock block = fill(pool, 1);
    CHECK(pool.registry().has(hash_of(1), Mark::cached));
    const Registration kept = pool.registry().enrol(hash_of(1));
    CHECK(kept.has(Mark::cached));
    CHECK(pool.registry().size() == 1);
  }
  CHECK(pool.registry().has(hash_of(1), Mark::cached));
  const Registration watched = pool.registry().enrol(hash_of(1));
  put(pool, 2);
  CHECK_FALSE(watched.has(Mark::cached));
  CHECK(pool.registry().size() == 2);
}

TEST_CASE("pool: one loads a block, the others see that it is being loaded", "[unit][data][pool]") {
  Registry registry;
  {
    std::optional<Loading> first = registry.try_load(hash_of(1));
    REQUIRE(first);
    CHECK_FALSE(registry.try_load(hash_of(1)));
    CHECK(registry.try_load(hash_of(2)));
    CHECK(registry.has(hash_of(1), Mark::loading));
  }
  registry.wait_until_loaded(hash_of(1));
  CHECK(registry.try_load(hash_of(1)));
  CHECK(registry.size() == 0);
}

TEST_CASE("pool: the registry's lock under the pool's aborts", "[unit][data][pool]") {
  CHECK(test::aborts([] {
    base::Mutex pool(base::Rank::block_pool);
    Registry registry;
    const base::MutexLock lock(pool);
    static_cast<void>(registry.size());
  }));
}

TEST_CASE("pool: a pool of no blocks finds nothing and gives nothing", "[unit][data][pool]") {
  Pool pool(small(0));
  CHECK_FALSE(pool.enabled());
  CHECK_FALSE(pool.allocate());
  CHECK_FALSE(pool.find(hash_of(1)));
  CHECK(pool.stats().blocks == 0);
}

TEST_CASE("pool: the frequency sketch counts to fifteen, tells hashes apart and forgets",
          "[unit][data][pool]") {
  FrequencySketch sketch(256);
  CHECK(sketch.estimate(hash_of(1)) == 0);
  for (unsigned i = 1; i <= 20; ++i) {
    sketch.touch(hash_of(1));
    CHECK(sketch.estimate(hash_of(1)) == std::min(i, FrequencySketch::count_max));
  }
  unsigned wrong = 0;
  for (std::uint64_t i = 2; i < 258; ++i) {
    sketch.touch(hash_of(i));
    CHECK(sketch.estimate(hash_of(i)) >= 1);
    if (sketch.estimate(hash_of(i)) > 1) ++wrong;
  }
  CHECK(wrong < 13);  // one in twenty
  REQUIRE(sketch.halvings() == 0);
  for (std::uint64_t i = 276; i < sketch.sample(); ++i) sketch.touch(hash_of(1000 + i % 256));
  CHECK(sketch.halvings() == 1);
  CHECK(sketch.estimate(hash_of(1)) == 7);
}

TEST_CASE("pool: with multi_lru a scan does not push out what is used again and again",
          "[unit][data][pool]") {
  Pool frequent(small(16, BlockCachePolicy::multi_lru));
  Pool recent(small(16, BlockCachePolicy::lru));
  std::array<std::uint64_t, 2> kept{};
  std::size_t which = 0;
  for (Pool* pool : {&frequent, &recent}) {
    for (std::uint64_t i = 1; i <= 8; ++i) put(*pool, i);
    for (int round = 0; round < 6; ++round) {
      for (std::uint64_t i = 1; i <= 8; ++i) static_cast<void>(pool->find(hash_of(i)));
    }
    for (std::uint64_t i = 100; i < 124; ++i) put(*pool, i);
    for (std::uint64_t i = 1; i <= 8; ++i) {
      if (pool->registry().has(hash_of(i), Mark::cached)) ++kept[which];
    }
    ++which;
  }
  CHECK(kept[0] == 8);
  CHECK(kept[1] == 0);
}

TEST_CASE("pool: with lineage a file loses its last block first", "[unit][data][pool]") {
  Pool pool(small(6, BlockCachePolicy::lineage));
  for (std::uint64_t i = 0; i < 3; ++i) put(pool, 10 + i, {.file = 1, .position = i});
  for (std::uint64_t i = 0; i < 3; ++i) put(pool, 20 + i, {.file = 2, .position = i});
  static_cast<void>(pool.find(hash_of(11)));  // the first file was used last
  std::vector<MutableBlock> taken;
  for (const std::uint64_t next : {22U, 21U, 20U, 12U, 11U, 10U}) {
    CHECK(pool.registry().has(hash_of(next), Mark::cached));
    taken.push_back(*pool.allocate());
    CHECK_FALSE(pool.registry().has(hash_of(next), Mark::cached));
  }
}

}  // namespace
}  // namespace artfs::data::pool
