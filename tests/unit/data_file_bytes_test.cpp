// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <thread>

#include "base/mutex.hpp"
#include "data/file_bytes.hpp"
#include "support/data_world.hpp"
#include "support/scale.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;
using test::random_bytes;

TEST_CASE("file bytes: a small file lives in its record and takes no units", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, "hello"));
  CHECK(world.read(file, 0, 100) == "hello");
  REQUIRE(world.flush(file));
  CHECK(file.buffer.empty());
  CHECK(file.contents ==
        Contents{.size = 5, .units = 0, .is_inline = true, .inline_bytes = "hello"});
  CHECK(world.read(file, 1, 100) == "ello");
  CHECK(world.bytes->space().units_used == 0);
  CHECK(world.bytes->buffered_bytes() == 0);
}

TEST_CASE(
    "file bytes: growing past the inline limit makes blocks, truncation makes it inline again",
    "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(1);
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, random_bytes(random, 2000)));
  REQUIRE(world.flush(file));
  REQUIRE(file.contents.is_inline);
  REQUIRE(world.write(file, 40000, "far away"));
  CHECK(world.read(file, 0, 50000) == file.bytes);
  REQUIRE(world.flush(file));
  CHECK_FALSE(file.contents.is_inline);
  CHECK(file.contents.units == 1 + 2);  // the hole between takes nothing
  CHECK(world.read(file, 0, 50000) == file.bytes);
  REQUIRE(world.truncate(file, 1000));
  REQUIRE(world.flush(file));
  CHECK(file.contents.is_inline);
  CHECK(file.contents.units == 0);
  CHECK(world.read(file, 0, 50000) == file.bytes);
  test::check_space(world, {&file});
}

TEST_CASE("file bytes: bytes cut off never come back when the file grows again", "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(1);
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, random_bytes(random, 100000)));
  const bool flushed_before = GENERATE(false, true);
  const bool flushed_between = GENERATE(false, true);
  if (flushed_before) REQUIRE(world.flush(file));
  REQUIRE(world.truncate(file, 33333));
  if (flushed_between) REQUIRE(world.flush(file));
  REQUIRE(world.truncate(file, 90000));
  CHECK(world.read(file, 0, 200000) == file.bytes);
  REQUIRE(world.write(file, 60000, "x"));
  CHECK(world.read(file, 0, 200000) == file.bytes);
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 200000) == file.bytes);
  test::check_space(world, {&file});
}

TEST_CASE("file bytes: a write that starts or ends behind 2^63 - 1 is refused", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  constexpr std::uint64_t end = (std::uint64_t{1} << 63) - 1;
  CHECK(world.bytes->write(file.ino, file.contents, file.buffer, end - 1, base::as_bytes("ab"))
            .error()
            .code == Errc::file_too_big);
  CHECK(world.bytes->truncate(file.ino, file.contents, file.buffer, end + 1).error().code ==
        Errc::file_too_big);
  CHECK(file.buffer.empty());
  REQUIRE(world.bytes->write(file.ino, file.contents, file.buffer, end - 2, base::as_bytes("ab")));
  CHECK(file.buffer.size(file.contents) == end);
  REQUIRE(world.flush(file));
  CHECK(world.read(file, end - 3, 10) == std::string("\0ab", 3));
}

TEST_CASE("file bytes: writes during a flush are kept, whether it commits or aborts",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(2);
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, random_bytes(random, 70000)));
  REQUIRE(world.flush(file));
  REQUIRE(world.write(file, 100, random_bytes(random, 20000)));

  const bool commits = GENERATE(true, false);
  Flush flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
  REQUIRE(flush);
  REQUIRE(world.write(file, 5000, random_bytes(random, 3000)));
  CHECK(world.read(file, 0, 100000) == file.bytes);
  REQUIRE(world.bytes->write_out(flush));
  REQUIRE(world.truncate(file, 17000));
  REQUIRE(world.write(file, 30000, random_bytes(random, 30000)));
  CHECK(world.read(file, 0, 100000) == file.bytes);
  if (commits) {
    REQUIRE(world.bytes->sync_data());
    REQUIRE(world.finish(file, std::move(flush)));
  } else {
    world.bytes->aborted(std::move(flush));
  }
  CHECK(world.read(file, 0, 100000) == file.bytes);
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 100000) == file.bytes);
  CHECK(world.bytes->space().units_reserved == 0);
  CHECK(world.bytes->buffered_bytes() == 0);
  test::check_space(world, {&file});
}

TEST_CASE("file bytes: a flipped bit on the device is EIO for its block, other blocks are read",
          "[unit][data]") {
  DataWorld world;
  std::mt19937_64 random(2);
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, random_bytes(random, 3 * 16384)));
  REQUIRE(world.flush(file));
  std::vector<BlockInfo> blocks;
  REQUIRE(world.bytes->for_each_block(file.ino, [&](const BlockInfo& b) { blocks.push_back(b); }));
  REQUIRE(blocks.size() == 3);
  REQUIRE(world.disk->flip_bit("blocks.dat", (blocks[1].place.first * unit_bytes + 777) * 8));
  CHECK(world.read(file, 0, 16384) == file.bytes.substr(0, 16384));
  CHECK(world.read(file, 32768, 20000) == file.bytes.substr(32768));
  std::vector<std::byte> out(10);
  const auto read = world.bytes->read(file.ino, file.contents, &file.buffer, 20000, out);
  REQUIRE_FALSE(read);
  CHECK(read.error() == Error{Errc::block_corrupt, 1});
  CHECK(world.bytes->verify_block(file.ino, 1).error() == Error{Errc::block_corrupt, 1});
  CHECK(world.bytes->verify_block(file.ino, 0));
  // Whole overwriting heals it.
  REQUIRE(world.write(file, 16384, random_bytes(random, 16384)));
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 100000) == file.bytes);
}

TEST_CASE("file bytes: fallocate keeps its space for later writes, also on a full device",
          "[unit][data]") {
  DataWorld world;
  world.leave_room(4 * mib);
  DataFile file{.ino = Ino{5}};
  REQUIRE(
      world.fallocate(file, {.offset = 0, .length = 200000, .keep_size = GENERATE(false, true)}));
  REQUIRE(world.flush(file));
  CHECK(file.contents.units == 13 * 4);
  CHECK(world.read(file, 0, 300000) == file.bytes);
  std::mt19937_64 random(9);
  DataFile filler{.ino = Ino{6}};
  Result<void> filled;
  while (filled) {
    filled = world.write(filler, filler.bytes.size(), random_bytes(random, 16384));
    if (filled) filled = world.flush(filler);
  }
  CHECK(filled.error().code == Errc::no_space);
  for (int i = 0; i < 13; ++i) {
    REQUIRE(
        world.write(file, static_cast<std::uint64_t>(i) * 16384 + 10, random_bytes(random, 1000)));
    if (i % 3 == 0) REQUIRE(world.flush(file));
  }
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 300000) == file.bytes);
  CHECK(file.contents.units == 13 * 4);
  test::check_space(world, {&file, &filler});
}

TEST_CASE(
    "file bytes: a full device refuses writes, keeps what it has, and takes them again after a "
    "removal",
    "[unit][data]") {
  DataWorld world;
  world.leave_room(3 * mib);
  std::mt19937_64 random(9);
  std::vector<std::unique_ptr<DataFile>> files;
  std::vector<DataFile*> all;
  Result<void> result;
  while (result) {
    files.push_back(std::make_unique<DataFile>());
    files.back()->ino = Ino{10 + files.size()};
    all.push_back(files.back().get());
    result = world.write(*files.back(), 0, random_bytes(random, 1 + random() % 100000));
    if (random() % 2 == 0) REQUIRE(world.flush(*files.back()));
  }
  CHECK(result.error().code == Errc::no_space);
  for (DataFile* file : all) REQUIRE(world.flush(*file));
  for (DataFile* file : all) CHECK(world.read(*file, 0, 200000) == file->bytes);
  test::check_space(world, all);
  const std::uint64_t used = world.bytes->space().units_used;
  CHECK(used > 300);
  REQUIRE(world.remove(*all[0]));
  REQUIRE(world.remove(*all[1], 1));
  REQUIRE(world.write(*all[2], 0, random_bytes(random, 16384)));
  REQUIRE(world.flush(*all[2]));
  CHECK(world.read(*all[2], 0, 200000) == all[2]->bytes);
  for (DataFile* file : all) REQUIRE(world.remove(*file));
  CHECK(world.bytes->space().units_used == 0);
  CHECK(world.bytes->space().units_free >= used);
  test::check_space(world, all);
}

TEST_CASE("file bytes: truncating or extending a file of many blocks takes several bounded flushes",
          "[unit][data]") {
  DataWorld world(Layout{.block_bytes = 4096, .inline_bytes_max = 100});
  std::mt19937_64 random(4);
  DataFile file{.ino = Ino{5}};
  constexpr std::uint64_t stride = 16 * 4096;  // a block in each run
  for (std::uint64_t i = 0; i < 3000; ++i) {
    REQUIRE(world.bytes->write(file.ino, file.contents, file.buffer, i * stride,
                               base::as_bytes("abcdefgh")));
  }
  REQUIRE(world.flush_once(file));
  CHECK(file.buffer.dirty());
  CHECK(file.contents.size == 511 * stride + 8);
  REQUIRE(world.flush(file));
  CHECK(file.contents.size == 2999 * stride + 8);
  CHECK(file.contents.units == 3000);
  CHECK(world.read(file, 2500 * stride, 8) == "abcdefgh");

  REQUIRE(world.bytes->truncate(file.ino, file.contents, file.buffer, 5));
  REQUIRE(world.flush_once(file));
  CHECK(file.contents.size == 5);
  CHECK(file.buffer.dirty());
  SECTION("a crash in between leaves blocks behind the end that never show") {
    file.buffer.discard();
    REQUIRE(world.bytes->truncate(file.ino, file.contents, file.buffer, 2999 * stride + 8));
    CHECK(world.read(file, 2900 * stride, 8) == std::string(8, '\0'));
    REQUIRE(world.flush(file));
    CHECK(world.read(file, 2900 * stride, 8) == std::string(8, '\0'));
    CHECK(world.read(file, 0, 8) == std::string("abcde\0\0\0", 8));
    CHECK(file.contents.units == 1);
  }
  SECTION("writing goes on meanwhile") {
    REQUIRE(world.bytes->write(file.ino, file.contents, file.buffer, 2000 * stride,
                               base::as_bytes("new")));
    CHECK(world.read(file, 2900 * stride, 8).empty());
    REQUIRE(world.flush(file));
    CHECK(world.read(file, 2000 * stride - 1, 8) == std::string("\0new", 4));
    CHECK(file.contents.units == 2);
  }
  test::check_space(world, {&file});
}

TEST_CASE("file bytes: an inline file with much space behind it is cut in several flushes",
          "[unit][data]") {
  DataWorld world(Layout{.block_bytes = 4096, .inline_bytes_max = 100});
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(50, 'a')));
  REQUIRE(world.fallocate(file, {.offset = 0, .length = 1100 * 16 * 4096, .keep_size = true}));
  REQUIRE(world.flush(file));
  CHECK(file.contents.is_inline);
  CHECK(file.contents.units == 1100 * 16);
  REQUIRE(world.truncate(file, 10));
  REQUIRE(world.flush_once(file));
  CHECK(file.buffer.dirty());
  CHECK(file.contents.size == 10);
  CHECK(file.contents.inline_bytes == std::string(10, 'a'));
  REQUIRE(world.flush(file));
  CHECK(file.contents.units == 1);  // the block that holds the end keeps its space
  CHECK(world.read(file, 0, 100) == file.bytes);
  test::check_space(world, {&file});
}

TEST_CASE("file bytes: a failed sync of blocks.dat stops the store and commits nothing",
          "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(30000, 'a')));
  REQUIRE(world.flush(file));
  REQUIRE(world.write(file, 0, std::string(30000, 'b')));
  Flush flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
  REQUIRE(world.bytes->write_out(flush));
  world.disk->fail_call(1, Errc::io_failed);
  CHECK(world.bytes->sync_data().error().code == Errc::io_failed);
  CHECK(world.bytes->sync_data().error().code == Errc::store_stopped);
  world.bytes->aborted(std::move(flush));
  CHECK(world.store->impl().stopped());
  CHECK(world.write(file, 0, "c").error().code == Errc::store_stopped);
  CHECK(world.read(file, 0, 30000) == std::string(30000, 'b'));  // accepted, still in memory
  file.buffer.discard();
  CHECK(world.read(file, 0, 30000) == std::string(30000, 'a'));
}

TEST_CASE("file bytes: the budget counts what is buffered, until it is written or dropped",
          "[unit][data]") {
  DataWorld world;
  world.options.write_buffer_bytes = 50000;
  world.open_bytes();
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(40000, 'a')));
  CHECK_FALSE(world.bytes->over_budget());
  REQUIRE(world.write(file, 40000, std::string(20000, 'a')));
  CHECK(world.bytes->over_budget());
  CHECK(file.buffer.dirty_bytes() == world.bytes->buffered_bytes());
  CHECK(file.buffer.reserved_units() == world.bytes->space().units_reserved);
  REQUIRE(world.truncate(file, 10));
  CHECK_FALSE(world.bytes->over_budget());
  file.buffer.discard();
  CHECK(world.bytes->buffered_bytes() == 0);
  CHECK(world.bytes->space().units_reserved == 0);
}

TEST_CASE("file bytes: many writers share device syncs", "[unit][data]") {
  DataWorld world;
  world.disk->set_sync_delay(std::chrono::microseconds(2000));
  constexpr int threads_count = 6;
  constexpr int rounds = 15;
  const std::uint64_t before = world.disk->counters().file_syncs;
  std::vector<std::unique_ptr<DataFile>> files;
  std::vector<DataFile*> all;
  for (std::uint64_t i = 0; i < threads_count; ++i) {
    files.push_back(std::make_unique<DataFile>());
    files.back()->ino = Ino{10 + i};
    all.push_back(files.back().get());
  }
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (DataFile* file : all) {
    threads.emplace_back([&world, &failures, file] {
      for (std::uint64_t round = 0; round < rounds; ++round) {
        const std::string data(20000, static_cast<char>('a' + round));
        if (!world.write(*file, round * 5000, data) || !world.flush_once(*file)) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  for (DataFile* file : all) CHECK(world.read(*file, 0, 1000000) == file->bytes);
  CHECK(world.disk->counters().file_syncs - before < threads_count * rounds);
  test::check_space(world, all);
}

TEST_CASE("file bytes: one file is written, read and flushed at once", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  base::Mutex inode{base::Rank::inode};
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  constexpr std::size_t size = 150000;
  constexpr std::size_t piece = 3000;
  REQUIRE(world.write(file, 0, std::string(size, 'a')));

  std::thread flusher([&] {
    while (!done) {
      Flush flush;
      {
        const base::MutexLock lock(inode);
        flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
      }
      if (!flush) continue;
      const bool written = world.bytes->write_out(flush) && world.bytes->sync_data();
      const base::MutexLock lock(inode);
      if (!written || !world.finish(file, std::move(flush))) ++failures;
    }
  });
  std::thread reader([&] {
    std::string out(piece, '?');
    std::mt19937_64 random(8);
    while (!done) {
      const std::uint64_t offset = (random() % (size / piece)) * piece;
      const base::MutexLock lock(inode);
      const auto got = world.bytes->read(file.ino, file.contents, &file.buffer, offset,
                                         std::as_writable_bytes(std::span(out.data(), piece)));
      if (!got || *got != piece || out != file.bytes.substr(offset, piece)) ++failures;
    }
  });
  std::mt19937_64 random(9);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t offset = (random() % (size / piece)) * piece;
    const base::MutexLock lock(inode);
    if (!world.write(file, offset, std::string(piece, static_cast<char>('a' + i % 26)))) ++failures;
  }
  done = true;
  flusher.join();
  reader.join();
  CHECK(failures == 0);
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, size + 1) == file.bytes);
  test::check_space(world, {&file});
}

}  // namespace
}  // namespace artfs::data
