// SPDX-License-Identifier: Apache-2.0
// Equal blocks are stored once: what is found, what is counted, and what freed space must wait for.
#include <catch2/catch.hpp>
#include <thread>

#include "support/data_world.hpp"
#include "support/scale.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;

constexpr std::uint64_t block_bytes = 16384;
constexpr std::uint64_t block_units = block_bytes / unit_bytes;

std::vector<UnitRun> places_of(DataWorld& world, const DataFile& file) {
  std::vector<UnitRun> places;
  REQUIRE(world.bytes->for_each_block(
      file.ino, [&](const BlockInfo& block) { places.push_back(block.place); }));
  return places;
}

TEST_CASE("sharing: equal blocks of different files take their space once", "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(1);
  const std::string content = random_bytes(random, 3 * block_bytes + 100);
  DataFile first{.ino = Ino{5}};
  DataFile second{.ino = Ino{6}};
  REQUIRE(world.write(first, 0, content));
  REQUIRE(world.flush(first));
  REQUIRE(world.write(second, 0, content));
  REQUIRE(world.flush(second));
  CHECK(places_of(world, first) == places_of(world, second));
  CHECK(second.contents.units == 3 * block_units + 1);
  CHECK(world.bytes->space().units_used == 3 * block_units + 1);
  CHECK(world.bytes->space().units_saved == 3 * block_units + 1);
  CHECK(world.bytes->space().blocks_shared == 4);
  test::check_space(world, {&first, &second});

  SECTION("a change of one leaves the other alone") {
    REQUIRE(world.write(second, block_bytes + 5, "changed"));
    REQUIRE(world.flush(second));
    CHECK(world.read(first, 0, content.size()) == content);
    CHECK(world.read(second, 0, content.size()) == second.bytes);
    CHECK(world.bytes->space().blocks_shared == 4);  // one is patched
    REQUIRE(world.write(second, block_bytes, random_bytes(random, block_bytes)));
    REQUIRE(world.flush(second));
    CHECK(world.bytes->space().blocks_shared == 3);
  }
  SECTION("the space goes with the last of them") {
    REQUIRE(world.remove(first));
    CHECK(world.bytes->space().units_used == 3 * block_units + 1);
    CHECK(world.read(second, 0, content.size()) == content);
    REQUIRE(world.remove(second));
    CHECK(world.bytes->space().units_used == 0);
    CHECK(world.bytes->space().blocks_indexed == 0);
  }
  SECTION("a shortened block is still found by what is stored") {
    REQUIRE(world.truncate(second, 2 * block_bytes + 77));
    REQUIRE(world.flush(second));
    CHECK(world.read(second, 0, content.size()) == second.bytes);
    CHECK(world.read(first, 0, content.size()) == content);
  }
  world.reopen_bytes({&first, &second});
  CHECK(world.read(first, 0, content.size()) == first.bytes);
  CHECK(world.read(second, 0, content.size()) == second.bytes);
  test::check_space(world, {&first, &second});
}

TEST_CASE("sharing: a file of one repeated block stores it once, in one flush and in many",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(2);
  const std::string block = random_bytes(random, block_bytes);
  DataFile file{.ino = Ino{5}};
  const bool at_once = GENERATE(true, false);
  for (std::uint64_t i = 0; i < 600; ++i) {
    REQUIRE(world.write(file, i * block_bytes, block));
    if (!at_once && i % 7 == 0) REQUIRE(world.flush(file));
  }
  REQUIRE(world.flush(file));
  CHECK(file.contents.units == 600 * block_units);
  CHECK(world.bytes->space().units_used == block_units);
  CHECK(world.bytes->space().units_reserved == 0);
  CHECK(world.read(file, 0, file.bytes.size()) == file.bytes);
  test::check_space(world, {&file});
  REQUIRE(world.truncate(file, 3 * block_bytes));
  REQUIRE(world.flush(file));
  CHECK(world.bytes->space().units_saved == 2 * block_units);
  test::check_space(world, {&file});
}

TEST_CASE("sharing: without dedup equal blocks are stored each for itself", "[unit][data]") {
  DataWorld world({.block_bytes = block_bytes, .inline_bytes_max = 2048, .dedup = false});
  std::mt19937_64 random(3);
  const std::string block = random_bytes(random, block_bytes);
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, block + block));
  REQUIRE(world.flush(file));
  CHECK(world.bytes->space().units_used == 2 * block_units);
  CHECK(world.bytes->space().blocks_indexed == 0);
  test::check_space(world, {&file});
}

TEST_CASE("sharing: a stored block that was damaged is not shared, the bytes are stored anew",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(4);
  const std::string content = random_bytes(random, block_bytes);
  DataFile damaged{.ino = Ino{5}};
  DataFile whole{.ino = Ino{6}};
  REQUIRE(world.write(damaged, 0, content));
  REQUIRE(world.flush(damaged));
  const UnitRun place = places_of(world, damaged).front();
  REQUIRE(world.disk->flip_bit("blocks.dat", (place.first * unit_bytes + 99) * 8));
  REQUIRE(world.write(whole, 0, content));
  REQUIRE(world.flush(whole));
  CHECK(places_of(world, whole).front().first != place.first);
  world.reopen_bytes({&damaged, &whole});
  CHECK(world.read(whole, 0, block_bytes) == content);
  CHECK(world.bytes->space().blocks_shared == 0);
  test::check_space(world, {&damaged, &whole});
}

TEST_CASE("sharing: two flushes that store the same new content at once store it once",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(5);
  const std::string content = random_bytes(random, 2 * block_bytes);
  DataFile first{.ino = Ino{5}};
  DataFile second{.ino = Ino{6}};
  REQUIRE(world.write(first, 0, content));
  REQUIRE(world.write(second, 0, content));
  Flush one = world.bytes->begin_flush(first.ino, first.contents, first.buffer);
  Flush two = world.bytes->begin_flush(second.ino, second.contents, second.buffer);
  REQUIRE(world.bytes->write_out(one));
  REQUIRE(world.bytes->write_out(two));
  CHECK(two.needs_sync());
  REQUIRE(world.bytes->sync_data());

  SECTION("in either order of the commits") {
    if (GENERATE(true, false)) {
      REQUIRE(world.finish(first, std::move(one)));
      REQUIRE(world.finish(second, std::move(two)));
    } else {
      REQUIRE(world.finish(second, std::move(two)));
      test::check_space(world, {&second});
      REQUIRE(world.finish(first, std::move(one)));
    }
  }
  SECTION("also when the one that wrote it is given up, before or after the other commits") {
    if (GENERATE(true, false)) {
      world.bytes->aborted(std::move(one));
      REQUIRE(world.finish(second, std::move(two)));
    } else {
      REQUIRE(world.finish(second, std::move(two)));
      world.bytes->aborted(std::move(one));
    }
    test::check_space(world, {&second});
    REQUIRE(world.flush(first));
  }
  SECTION("and nothing of it stays taken when both are given up") {
    world.bytes->aborted(std::move(one));
    world.bytes->aborted(std::move(two));
    CHECK(world.bytes->space().units_used == 0);
    test::check_space(world, {});
    REQUIRE(world.flush(second));
    REQUIRE(world.flush(first));
  }
  CHECK(world.bytes->space().units_used == 2 * block_units);
  CHECK(world.bytes->space().units_reserved == 0);
  CHECK(world.read(first, 0, content.size()) == content);
  CHECK(world.read(second, 0, content.size()) == content);
  test::check_space(world, {&first, &second});
}

TEST_CASE("sharing: the last reference may go while a flush counts on the block", "[unit][data]") {
  DataWorld world;
  world.leave_room(3 * mib);
  std::mt19937_64 random(6);
  const std::string content = random_bytes(random, block_bytes);
  DataFile old{.ino = Ino{5}};
  DataFile hit{.ino = Ino{6}};
  DataFile filler{.ino = Ino{7}};
  REQUIRE(world.write(old, 0, content));
  REQUIRE(world.flush(old));
  const UnitRun place = places_of(world, old).front();
  REQUIRE(world.write(hit, 0, content));
  Flush flush = world.bytes->begin_flush(hit.ino, hit.contents, hit.buffer);
  REQUIRE(world.bytes->write_out(flush));
  REQUIRE(world.remove(old));
  REQUIRE(world.store->sync());
  // Everything that is free is overwritten: the block must not be among it.
  Result<void> filled;
  while (filled) {
    filled = world.write(filler, filler.bytes.size(), random_bytes(random, unit_bytes));
    if (filled) filled = world.flush(filler);
  }
  CHECK(filled.error().code == Errc::no_space);

  const bool commits = GENERATE(true, false);
  if (commits) {
    REQUIRE(world.finish(hit, std::move(flush)));
    CHECK(places_of(world, hit).front() == place);
    CHECK(world.read(hit, 0, block_bytes) == content);
    test::check_space(world, {&hit, &filler});
  } else {
    world.bytes->aborted(std::move(flush));
    test::check_space(world, {&filler});
    hit.buffer.discard();
    CHECK(world.bytes->space().units_free >= block_units);
    REQUIRE(world.write(filler, 0, random_bytes(random, block_bytes)));  // the space is there again
  }
}

TEST_CASE("sharing: what fallocate put aside is given up for a block that is stored already",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(7);
  const std::string content = random_bytes(random, block_bytes);
  DataFile prepared{.ino = Ino{5}};
  DataFile twin{.ino = Ino{6}};
  REQUIRE(world.fallocate(prepared, {.offset = 0, .length = 4 * block_bytes}));
  REQUIRE(world.flush(prepared));
  REQUIRE(world.write(prepared, 0, content + content));
  REQUIRE(world.flush(prepared));
  CHECK(world.bytes->space().units_used == 3 * block_units);
  REQUIRE(world.write(twin, 0, content));
  REQUIRE(world.flush(twin));
  REQUIRE(world.write(prepared, 2 * block_bytes, content));
  REQUIRE(world.flush(prepared));
  CHECK(world.bytes->space().units_used == 2 * block_units);
  CHECK(prepared.contents.units == 4 * block_units);
  CHECK(world.read(prepared, 0, 5 * block_bytes) == prepared.bytes);
  test::check_space(world, {&prepared, &twin});
}

TEST_CASE("sharing: threads that write, drop and give up the same few contents agree on references",
          "[unit][data][threads]") {
  DataWorld world({.block_bytes = 4096, .inline_bytes_max = 100});
  std::mt19937_64 random(8);
  std::vector<std::string> contents;
  for (int i = 0; i < 6; ++i) contents.push_back(random_bytes(random, 4096));
  std::vector<std::unique_ptr<DataFile>> files;
  std::vector<DataFile*> all;
  for (std::uint64_t i = 0; i < 4; ++i) {
    files.push_back(std::make_unique<DataFile>());
    files.back()->ino = Ino{10 + i};
    all.push_back(files.back().get());
  }
  // Catch's macros are not for other threads.
  std::atomic<int> failures{0};
  const auto work = [&](DataFile& file, std::uint64_t seed) {
    std::mt19937_64 own(seed);
    for (std::uint64_t step = 0; step < test::scaled(400); ++step) {
      const std::uint64_t index = own() % 8;
      Result<void> done = world.write(file, index * 4096, contents[own() % contents.size()]);
      if (own() % 5 == 0) done = world.truncate(file, index * 4096);
      Flush flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
      if (done && flush) done = world.bytes->write_out(flush);
      if (done && flush && own() % 4 == 0) {
        world.bytes->aborted(std::move(flush));
        continue;
      }
      if (done && flush) done = world.bytes->sync_data();
      if (done && flush) {
        Contents after = file.contents;
        Change change;
        done = world.bytes->finish_flush(flush, after, change);
        change.txn.put(world.volume, format::inode_key(file.ino), test::encode_contents(after));
        if (done && !world.bytes->commit(change)) done = fail(Errc::io_failed);
        file.contents = after;
        world.bytes->committed(std::move(flush));
      }
      if (!done) ++failures;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < all.size(); ++i) {
    threads.emplace_back([&, i] { work(*all[i], 100 + i); });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  for (DataFile* file : all) {
    REQUIRE(world.flush(*file));
    CHECK(world.read(*file, 0, file->bytes.size()) == file->bytes);
  }
  CHECK(world.bytes->space().units_used <= contents.size() + 4);
  CHECK(world.bytes->space().units_reserved == 0);
  test::check_space(world, all);
  for (DataFile* file : all) REQUIRE(world.remove(*file));
  CHECK(world.bytes->space().units_used == 0);
  test::check_space(world, {});
}

}  // namespace
}  // namespace artfs::data
