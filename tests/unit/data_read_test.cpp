// SPDX-License-Identifier: Apache-2.0
// Reads of stored blocks: what goes to the device, what is kept, what a plan that grew old does.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "data/file_bytes.hpp"
#include "support/data_world.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;

constexpr std::size_t block = 16384;

// A file of so many random blocks, on the device and not in the cache.
struct StoredFile {
  DataFile file{.ino = Ino{5}};

  StoredFile(DataWorld& world, std::size_t blocks) {
    std::mt19937_64 random(blocks);
    REQUIRE(world.write(file, 0, random_bytes(random, blocks * block)));
    REQUIRE(world.flush(file));
    world.reopen_bytes({&file});
  }
};

std::uint64_t reads(const DataWorld& world) {
  return world.disk->counters().reads;
}

TEST_CASE("reads: neighbouring whole blocks come in one transfer and are not kept",
          "[unit][data]") {
  DataWorld world;
  const StoredFile stored(world, 8);
  const std::uint64_t before = reads(world);
  CHECK(world.read(stored.file, 0, 8 * block) == stored.file.bytes);
  CHECK(reads(world) == before + 1);
  CHECK(world.bytes->block_cache().registered == 0);
}

TEST_CASE("reads: a block read in part is fetched once and kept", "[unit][data]") {
  DataWorld world;
  const StoredFile stored(world, 2);
  const std::uint64_t before = reads(world);
  for (std::size_t at = 0; at < block; at += 4096) {
    CHECK(world.read(stored.file, at, 4096) == stored.file.bytes.substr(at, 4096));
  }
  CHECK(reads(world) == before + 1);
  CHECK(world.bytes->block_cache().inactive == 1);
  CHECK(world.bytes->block_cache().hits == 3);
  CHECK(world.read(stored.file, 0, block) ==
        stored.file.bytes.substr(0, block));  // also as a whole
  CHECK(reads(world) == before + 1);
  // Two ends and what is between: one part is there, the other is fetched.
  CHECK(world.read(stored.file, 100, 2 * block - 200) ==
        stored.file.bytes.substr(100, 2 * block - 200));
  CHECK(reads(world) == before + 2);
}

TEST_CASE("reads: without a cache, or with too small a one, the bytes are the same",
          "[unit][data]") {
  DataWorld world;
  world.options.block_cache_bytes = GENERATE(std::size_t{0}, block / 2, block, 2 * block);
  world.options.block_cache_policy =
      GENERATE(BlockCachePolicy::fifo, BlockCachePolicy::multi_lru, BlockCachePolicy::lineage);
  const StoredFile stored(world, 6);
  std::mt19937_64 random(3);
  for (int i = 0; i < 60; ++i) {
    const std::size_t at = random() % (6 * block);
    const std::size_t count = random() % (3 * block);
    REQUIRE(world.read(stored.file, at, count) == stored.file.bytes.substr(at, count));
  }
  const BlockCacheStats stats = world.bytes->block_cache();
  CHECK(stats.free + stats.inactive == stats.blocks);
  CHECK(stats.blocks == world.options.block_cache_bytes / block);
}

TEST_CASE("reads: what many miss at once is fetched by one of them", "[unit][data][threads]") {
  DataWorld world;
  const StoredFile stored(world, 8);
  const std::uint64_t before = reads(world);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i + 1 < 8; ++i) {
        // Over the border of two blocks, so that each read needs both.
        std::string out(200, '?');
        const std::size_t at = (i + 1) * block - 100;
        const auto got =
            world.bytes->read(stored.file.ino, stored.file.contents, &stored.file.buffer, at,
                              std::as_writable_bytes(std::span(out.data(), out.size())));
        if (!got || out != stored.file.bytes.substr(at, 200)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(reads(world) == before + 8);
}

TEST_CASE("reads: a damaged block is an error for itself alone, and is never kept",
          "[unit][data]") {
  DataWorld world;
  const StoredFile stored(world, 4);
  std::uint64_t unit = 0;
  REQUIRE(world.bytes->for_each_block(Ino{5}, [&unit](const BlockInfo& info) {
    if (info.index == 2) unit = info.place.first;
  }));
  const bool whole = GENERATE(false, true);
  REQUIRE(world.disk->flip_bit("blocks.dat", unit * unit_bytes * 8 + 1000));
  std::string out(whole ? block : 100, '?');
  const auto read = [&](std::uint64_t at) {
    return world.bytes->read(Ino{5}, stored.file.contents, nullptr, at,
                             std::as_writable_bytes(std::span(out.data(), out.size())));
  };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto failed = read(2 * block);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::block_corrupt);
    CHECK(failed.error().detail == 2);
  }
  CHECK(world.bytes->block_cache().registered == 0);
  CHECK(world.bytes->block_cache().free == world.bytes->block_cache().blocks);
  CHECK(read(1 * block));
  CHECK(out == stored.file.bytes.substr(block, out.size()));
  CHECK(read(3 * block));
}

TEST_CASE("reads: a failing device is an error, and the next read begins anew", "[unit][data]") {
  DataWorld world;
  const StoredFile stored(world, 2);
  world.disk->fail_read(1, Errc::io_failed);
  std::string out(100, '?');
  const auto bytes = std::as_writable_bytes(std::span(out.data(), out.size()));
  CHECK(world.bytes->read(Ino{5}, stored.file.contents, nullptr, 5, bytes).error().code ==
        Errc::io_failed);
  CHECK(world.bytes->block_cache().filling == 0);
  CHECK(world.bytes->read(Ino{5}, stored.file.contents, nullptr, 5, bytes));
  CHECK(out == stored.file.bytes.substr(5, 100));
}

TEST_CASE("reads: a plan that grew old gives the old bytes or an error, nothing else",
          "[unit][data]") {
  DataWorld world;
  StoredFile stored(world, 4);
  const std::string old = stored.file.bytes;
  std::string out(old.size() - 10, '?');  // the last block is wanted in part
  const auto plan =
      world.bytes->plan_read(Ino{5}, stored.file.contents, &stored.file.buffer, 0,
                             std::as_writable_bytes(std::span(out.data(), out.size())));
  REQUIRE(plan);
  CHECK(plan->bytes == out.size());
  CHECK(plan->pieces.size() == 4);
  std::mt19937_64 random(9);
  // The blocks are freed, their units reused once that is durable.
  for (int round = 0; round < 20; ++round) {
    REQUIRE(world.write(stored.file, 0, random_bytes(random, 4 * block)));
    REQUIRE(world.flush(stored.file));
    REQUIRE(world.store->sync());
    REQUIRE(world.store->checkpoint());
  }
  const auto read = world.bytes->read_blocks(Ino{5}, *plan);
  if (read) {
    CHECK(out == old.substr(0, out.size()));
  } else {
    CHECK(read.error().code == Errc::block_corrupt);
  }
  CHECK(world.read(stored.file, 0, 4 * block) == stored.file.bytes);
}

}  // namespace
}  // namespace artfs::data
