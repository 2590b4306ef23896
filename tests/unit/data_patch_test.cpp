// SPDX-License-Identifier: Apache-2.0
// Patched blocks: what a small write costs, what is read afterwards, and what becomes of the space.
#include <catch2/catch.hpp>

#include "data/patch_policy.hpp"
#include "support/data_world.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;
using Counts = std::map<std::uint64_t, std::uint64_t>;

constexpr std::uint64_t block = 65536;

// A file of some whole blocks, 16 units each, written and synced.
struct PatchWorld : DataWorld {
  explicit PatchWorld(std::uint64_t blocks_count = 2)
      : DataWorld(Layout{.block_bytes = block, .inline_bytes_max = 2048}) {
    if (blocks_count == 0) return;
    REQUIRE(write(file, 0, random_bytes(random, blocks_count * block)));
    REQUIRE(flush(file));
    REQUIRE(store->sync());
  }

  void write_flushed(std::uint64_t offset, std::size_t count) {
    REQUIRE(write(file, offset, random_bytes(random, count)));
    REQUIRE(flush(file));
  }

  // Reads the same in one piece, in small ones, and after a restart; nothing is lost or counted twice.
  void check() {
    REQUIRE(read(file, 0, file.bytes.size() + 1) == file.bytes);
    for (std::uint64_t at = 0; at < file.bytes.size(); at += 3000) {
      REQUIRE(read(file, at, 3000) == file.bytes.substr(at, 3000));
    }
    check_map(file);
    test::check_space(*this, {&file});
    if (file.buffer.empty()) reopen_bytes({&file});
    REQUIRE(read(file, 0, file.bytes.size() + 1) == file.bytes);
  }

  std::mt19937_64 random{41};
  DataFile file{.ino = Ino{5}};
};

TEST_CASE("patches: a small write in a large block writes its units alone", "[unit][data]") {
  PatchWorld world;
  REQUIRE(world.file.contents.units == 32);
  world.write_flushed(block + 4096, 4096);
  CHECK(world.patches(world.file) == Counts{{1, 1}});
  CHECK(world.file.contents.units == 33);
  world.write_flushed(5 * 4096 + 100, 5000);  // in parts of two units
  CHECK(world.patches(world.file) == Counts{{0, 2}, {1, 1}});
  CHECK(world.file.contents.units == 35);
  world.check();
}

TEST_CASE("patches: a patch is replaced by one in a fresh unit, and its own becomes free",
          "[unit][data]") {
  PatchWorld world;
  UnitRun before{};
  for (int round = 0; round < 5; ++round) {
    world.write_flushed(3 * 4096 + 5, 3000);
    UnitRun place{};
    REQUIRE(world.bytes->for_each_block(world.file.ino, [&place](const BlockInfo& info) {
      if (info.patches > 0) place = info.patch_places.at(0);
    }));
    CHECK(place != before);
    before = place;
  }
  CHECK(world.file.contents.units == 33);
  world.check();
}

TEST_CASE("patches: a block with many of them, or with much that changed, is written whole again",
          "[unit][data]") {
  PatchWorld world;
  for (std::uint64_t unit = 0; unit < patches_displaced_max; ++unit) {
    world.write_flushed(unit * 4096, 4096);
    CHECK(world.patches(world.file) == Counts{{0, unit + 1}});
  }
  SECTION("one more") {
    world.write_flushed(12 * 4096, 1);
  }
  SECTION("more than a quarter") {
    world.write_flushed(4096, 5 * 4096);
  }
  CHECK(world.patches(world.file).empty());
  CHECK(world.file.contents.units == 32);
  CHECK(world.bytes->space().blocks_indexed == 2);
  world.check();
}

TEST_CASE("patches: appending adds units until the block is full, then it is whole",
          "[unit][data]") {
  PatchWorld world(0);
  std::uint64_t most = 0;
  for (std::uint64_t size = 0; size < 2 * block; size += 1000) {
    world.write_flushed(size, 1000);
    for (const auto& [index, count] : world.patches(world.file)) most = std::max(most, count);
    REQUIRE(world.read(world.file, 0, size + 1001) == world.file.bytes);
  }
  CHECK(most > 8);
  CHECK_FALSE(world.patches(world.file).contains(0));
  world.check();
}

TEST_CASE("patches: a hole takes small writes at a unit each", "[unit][data]") {
  PatchWorld world(0);
  REQUIRE(world.truncate(world.file, 4 * block));
  world.write_flushed(block + 9 * 4096, 4096);
  world.write_flushed(3 * block - 10, 20);
  CHECK(world.patches(world.file) == Counts{{1, 1}, {2, 1}});
  CHECK(world.file.contents.units == 3);
  world.check();
  for (const std::uint64_t unit : {0U, 3U, 6U, 15U, 1U, 2U, 4U, 5U, 7U, 8U, 10U, 11U, 12U, 13U}) {
    world.write_flushed(block + unit * 4096, 4096);
  }
  CHECK(world.patches(world.file).at(1) == 15);
  world.write_flushed(block + std::uint64_t{14} * 4096, 4096);
  CHECK_FALSE(world.patches(world.file).contains(1));
  world.check();
}

TEST_CASE("patches: what a truncation cut off does not come back when the file grows again",
          "[unit][data]") {
  PatchWorld world(1);
  world.write_flushed(2 * 4096, 4096);
  world.write_flushed(5 * 4096, 4096);
  world.write_flushed(9 * 4096, 4096);
  const std::uint64_t cut = GENERATE(8292U, 20480U, 20481U, 24581U, 10U);
  CAPTURE(cut);
  REQUIRE(world.truncate(world.file, cut));
  if (GENERATE(true, false)) REQUIRE(world.flush(world.file));
  REQUIRE(world.truncate(world.file, block));
  if (GENERATE(true, false)) REQUIRE(world.flush(world.file));
  world.check();
  world.write_flushed(11 * 4096 + 7, 30);
  world.check();
  world.write_flushed(5 * 4096 + 50, 30);
  world.check();
}

TEST_CASE("patches: punched and zeroed ranges take patches away", "[unit][data]") {
  PatchWorld world(3);
  world.write_flushed(2 * 4096, 4096);
  world.write_flushed(block + 4096, 4096);
  world.write_flushed(2 * block + 4096, 4096);
  const auto how = GENERATE(FileBytes::Clear::punch, FileBytes::Clear::zero);
  const bool whole = GENERATE(true, false);
  const FileBytes::Range range{.offset = whole ? block : 4096,
                               .length = whole ? block : block + 4096 + 100,
                               .keep_size = true};
  REQUIRE(world.clear(world.file, range, how));
  CHECK(world.read(world.file, 0, 3 * block) == world.file.bytes);
  REQUIRE(world.flush(world.file));
  CHECK(world.patches(world.file).contains(2));
  world.check();
}

TEST_CASE("patches: space put aside takes first writes in place, also on a full device",
          "[unit][data]") {
  PatchWorld world(0);
  world.leave_room(4 * mib);
  REQUIRE(world.fallocate(world.file, {.offset = 0, .length = 3 * block}));
  REQUIRE(world.flush(world.file));
  DataFile filler{.ino = Ino{6}};
  Result<void> filled;
  while (filled) {
    filled = world.write(filler, filler.bytes.size(), random_bytes(world.random, block));
    if (filled) filled = world.flush(filler);
  }
  REQUIRE(filled.error().code == Errc::no_space);
  for (const std::uint64_t unit : {3U, 0U, 15U, 7U, 20U, 40U, 41U, 42U, 47U, 8U, 9U}) {
    REQUIRE(world.write(world.file, unit * 4096 + 10, random_bytes(world.random, 1000)));
    if (unit % 2 == 1) REQUIRE(world.flush(world.file));
  }
  REQUIRE(world.flush(world.file));
  CHECK(world.file.contents.units == 48);
  CHECK(world.patches(world.file) == Counts{{0, 6}, {1, 1}, {2, 4}});
  CHECK(world.read(world.file, 0, 3 * block) == world.file.bytes);
  // Writing there again is a copy.
  CHECK(world.write(world.file, 3 * 4096, "x").error().code == Errc::no_space);
  // The rest of the block goes in place too, and makes it a written one.
  for (const std::uint64_t unit : {1U, 2U, 4U, 5U, 6U, 10U, 11U, 12U, 13U, 14U}) {
    REQUIRE(world.write(world.file, unit * 4096, random_bytes(world.random, 4096)));
    REQUIRE(world.flush(world.file));
  }
  CHECK(world.patches(world.file) == Counts{{1, 1}, {2, 4}});
  CHECK(world.file.contents.units == 48);
  test::check_space(world, {&world.file, &filler});
  CHECK(world.read(world.file, 0, 3 * block) == world.file.bytes);
}

TEST_CASE("patches: rewriting at random on a nearly full device goes on for ever", "[unit][data]") {
  constexpr std::uint64_t blocks = 64;
  PatchWorld world(blocks);
  world.leave_room(8 * mib);
  DataFile room{
      .ino = Ino{6}};  // more than what patches may take beyond the file's blocks, and a few blocks
  REQUIRE(world.write(room, 0, random_bytes(world.random, 44 * block)));
  REQUIRE(world.flush(room));
  DataFile filler{.ino = Ino{7}};
  Result<void> filled;
  while (filled) {
    filled = world.write(filler, filler.bytes.size(), random_bytes(world.random, block));
    if (filled) filled = world.flush(filler);
  }
  REQUIRE(world.remove(room));
  REQUIRE(world.store->sync());
  for (int round = 0; round < 600; ++round) {
    for (int writes = 0; writes < 6; ++writes) {
      const std::uint64_t unit = world.random() % (blocks * 16);
      REQUIRE(world.write(world.file, unit * 4096, random_bytes(world.random, 4096)));
    }
    REQUIRE(world.flush(world.file));
    REQUIRE(world.store->sync());
  }
  CHECK(world.read(world.file, 0, world.file.bytes.size()) == world.file.bytes);
}

TEST_CASE("patches: a unit in place is rewritten elsewhere, and its place stays the base's",
          "[unit][data]") {
  PatchWorld world(0);
  REQUIRE(world.fallocate(world.file, {.offset = 0, .length = block}));
  world.write_flushed(4 * 4096, 4096);
  CHECK(world.file.contents.units == 16);
  world.write_flushed(4 * 4096, 4096);
  CHECK(world.file.contents.units == 17);
  world.write_flushed(4 * 4096, 4096);
  CHECK(world.file.contents.units == 17);
  world.check();
  SECTION("a truncation gives back what lies behind it, so that nothing there is overwritten") {
    REQUIRE(world.truncate(world.file, 4096));
    REQUIRE(world.flush(world.file));
    CHECK(world.file.contents.units == 1);
    REQUIRE(world.truncate(world.file, block));
    world.write_flushed(4 * 4096, 4096);
    CHECK(world.file.contents.units == 2);
    world.check();
  }
  SECTION("removal frees all of it") {
    REQUIRE(world.remove(world.file));
    CHECK(world.bytes->space().units_used == 0);
    test::check_space(world, {&world.file});
  }
}

TEST_CASE("patches: space put aside under patches is there for the other units", "[unit][data]") {
  PatchWorld world(0);
  REQUIRE(world.truncate(world.file, block));
  world.write_flushed(9 * 4096, 4096);
  CHECK(world.file.contents.units == 1);
  REQUIRE(world.write(world.file, 12 * 4096, "pending"));
  REQUIRE(world.fallocate(world.file, {.offset = 0, .length = block}));
  REQUIRE(world.flush(world.file));
  CHECK(world.file.contents.units == 17);
  CHECK(world.patches(world.file) == Counts{{0, 2}});
  world.check();
}

TEST_CASE("patches: a copy by reference ends at a patched block", "[unit][data]") {
  PatchWorld world(4);
  DataFile copy{.ino = Ino{6}};
  world.write_flushed(2 * block + 4096, 100);
  const auto clone = [&](std::uint64_t from, std::uint64_t count) {
    return world.clone(world.file, copy,
                       {.source = world.file.ino,
                        .target = copy.ino,
                        .source_block = from,
                        .target_block = from,
                        .count = count,
                        .target_size = (from + count) * block});
  };
  CHECK(clone(0, 4) == Result<std::uint64_t>(2));
  CHECK(clone(2, 2) == Result<std::uint64_t>(0));
  CHECK(clone(3, 1) == Result<std::uint64_t>(1));
  // What is replaced gives its patches back.
  CHECK(world.write(copy, 0, "patch of the copy"));
  REQUIRE(world.flush(copy));
  CHECK(world.patches(copy) == Counts{{0, 1}});
  CHECK(clone(0, 1) == Result<std::uint64_t>(1));
  CHECK(world.patches(copy).empty());
  CHECK(world.read(copy, 0, 4 * block) == copy.bytes);
  test::check_space(world, {&world.file, &copy});
}

TEST_CASE("patches: a block that others share is patched for one file alone", "[unit][data]") {
  PatchWorld world(1);
  DataFile twin{.ino = Ino{6}};
  REQUIRE(world.write(twin, 0, world.file.bytes));
  REQUIRE(world.flush(twin));
  CHECK(world.bytes->space().blocks_shared == 1);
  world.write_flushed(8 * 4096, 10);
  CHECK(world.bytes->space().blocks_shared == 1);
  CHECK(world.read(twin, 0, block) == twin.bytes);
  CHECK(world.read(world.file, 0, block) == world.file.bytes);
  test::check_space(world, {&world.file, &twin});
}

TEST_CASE("patches: a damaged one is an error where it lies, and for the check", "[unit][data]") {
  PatchWorld world;
  world.write_flushed(block + 3 * 4096, 4096);
  UnitRun place{};
  REQUIRE(world.bytes->for_each_block(world.file.ino, [&place](const BlockInfo& info) {
    if (info.patches > 0) place = info.patch_places.at(0);
  }));
  CHECK(world.bytes->verify_block(world.file.ino, 1));
  auto file = world.disk->open(format::blocks_file_name, {});
  REQUIRE(file);
  REQUIRE((*file)->write_at(place.first * unit_bytes + 77, base::as_bytes("damage")));
  CHECK(world.bytes->verify_block(world.file.ino, 1).error() == Error{Errc::block_corrupt, 1});
  CHECK(world.bytes->verify_block(world.file.ino, 0));
  std::string out(100, '?');
  const auto read =
      world.bytes->read(world.file.ino, world.file.contents, nullptr, block + 3 * 4096,
                        std::as_writable_bytes(std::span(out.data(), out.size())));
  CHECK(read.error() == Error{Errc::block_corrupt, 1});
  CHECK(world.read(world.file, block, 3 * 4096) == world.file.bytes.substr(block, 3 * 4096));
  CHECK(world.read(world.file, block + 4 * 4096, block) ==
        world.file.bytes.substr(block + 4 * 4096));
}

TEST_CASE("patches: a flush that is aborted gives its units back, and goes through later",
          "[unit][data]") {
  PatchWorld world;
  const SpaceFigures before = world.bytes->space();
  REQUIRE(world.write(world.file, 4096, random_bytes(world.random, 4096)));
  Flush flush = world.bytes->begin_flush(world.file.ino, world.file.contents, world.file.buffer);
  REQUIRE(world.bytes->write_out(flush));
  world.bytes->aborted(std::move(flush));
  CHECK(world.bytes->space().units_used == before.units_used);
  CHECK(world.bytes->space().units_free + world.bytes->space().units_reserved == before.units_free);
  test::check_space(world, {&world.file});
  REQUIRE(world.flush(world.file));
  CHECK(world.patches(world.file) == Counts{{0, 1}});
  CHECK(world.bytes->space().units_reserved == 0);
  world.check();
}

TEST_CASE("patches: blocks of one unit have none", "[unit][data]") {
  DataWorld world(Layout{.block_bytes = 4096, .inline_bytes_max = 0});
  DataFile file{.ino = Ino{5}};
  std::mt19937_64 random(3);
  REQUIRE(world.write(file, 0, random_bytes(random, 40000)));
  REQUIRE(world.flush(file));
  REQUIRE(world.write(file, 5000, "x"));
  REQUIRE(world.flush(file));
  CHECK(world.patches(file).empty());
  CHECK(world.read(file, 0, 40000) == file.bytes);
}

TEST_CASE("patches: a file with very many of them is cut in several transactions", "[unit][data]") {
  PatchWorld world(0);
  constexpr std::uint64_t blocks = 4200;
  const std::string bytes(4 * 4096, 'x');
  REQUIRE(world.truncate(world.file, blocks * block));
  for (std::uint64_t i = 0; i < blocks; ++i) {
    REQUIRE(world.bytes->write(world.file.ino, world.file.contents, world.file.buffer,
                               i * block + 12 * 4096, base::as_bytes(bytes)));
  }
  REQUIRE(world.flush(world.file));
  CHECK(world.patches(world.file).size() == blocks);
  const std::uint64_t units = world.file.contents.units;
  REQUIRE(world.truncate(world.file, 0));
  REQUIRE(world.flush_once(world.file));
  CHECK(world.file.buffer.dirty());
  CHECK(world.file.contents.units < units);
  REQUIRE(world.flush(world.file));
  CHECK(world.file.contents.units == 0);
  test::check_space(world, {&world.file});
}

}  // namespace
}  // namespace artfs::data
