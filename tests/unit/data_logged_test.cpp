// SPDX-License-Identifier: Apache-2.0
// What is planned as a logged write, what a flush takes, and what is restored from records (LOGGED).
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "format/logged.hpp"
#include "support/data_world.hpp"

namespace artfs::data {
namespace {

using test::DataFile;
using test::DataWorld;

constexpr std::uint64_t block_bytes = 16384;

// Plans and marks as the volume does; the records.
std::vector<std::string> log(DataWorld& world, DataFile& file) {
  const LogPlan plan = world.bytes->plan_log(file.contents, file.buffer);
  REQUIRE(plan.kind == LogPlan::Kind::fits);
  world.bytes->logged(file.buffer);
  REQUIRE(world.bytes->plan_log(file.contents, file.buffer).kind == LogPlan::Kind::nothing);
  return plan.records;
}

LogPlan::Kind kind(DataWorld& world, DataFile& file) {
  return world.bytes->plan_log(file.contents, file.buffer).kind;
}

void restore(DataWorld& world, DataFile& file, const std::vector<std::string>& records) {
  for (const std::string& record : records) {
    const auto write = format::decode_logged(file.ino, record);
    REQUIRE(write);
    REQUIRE(world.bytes->restore(file.ino, file.contents, file.buffer, *write));
  }
}

TEST_CASE("logged: only what is new is planned, and overwriting makes it new", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(5000, 'a')));
  CHECK(log(world, file).size() == 1);
  REQUIRE(world.write(file, 5000, std::string(5000, 'b')));
  const LogPlan appended = world.bytes->plan_log(file.contents, file.buffer);
  CHECK(appended.bytes == 5000);
  (void)log(world, file);
  REQUIRE(world.write(file, 4990, std::string(20, 'c')));
  CHECK(world.bytes->plan_log(file.contents, file.buffer).bytes == 20);
  (void)log(world, file);
  REQUIRE(world.flush(file));
  CHECK(kind(world, file) == LogPlan::Kind::nothing);
  CHECK(world.read(file, 0, 20000) == file.bytes);
}

TEST_CASE("logged: too much, and what takes something away, is unfit", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(logged_bytes_max + 1, 'a')));
  CHECK(kind(world, file) == LogPlan::Kind::unfit);
  REQUIRE(world.flush(file));
  SECTION("cut") {
    REQUIRE(world.truncate(file, 100));
  }
  SECTION("punched") {
    REQUIRE(world.clear(file, {.offset = 0, .length = block_bytes, .keep_size = true},
                        FileBytes::Clear::punch));
  }
  SECTION("space put aside") {
    REQUIRE(world.fallocate(file, {.offset = 0, .length = 10 * block_bytes}));
  }
  SECTION("many pieces") {
    for (std::uint64_t i = 0; i <= logged_spans_max; ++i) {
      REQUIRE(world.write(file, i * 100, "x"));
    }
  }
  CHECK(kind(world, file) == LogPlan::Kind::unfit);
}

TEST_CASE("logged: beside a flush only when the flush has nothing else in hand", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(5000, 'a')));
  const bool is_logged = GENERATE(false, true);
  if (is_logged) (void)log(world, file);
  Flush flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
  CHECK(kind(world, file) == (is_logged ? LogPlan::Kind::nothing : LogPlan::Kind::unfit));
  REQUIRE(world.write(file, 100, std::string(100, 'b')));
  CHECK(kind(world, file) == (is_logged ? LogPlan::Kind::fits : LogPlan::Kind::unfit));
  if (is_logged) (void)log(world, file);
  SECTION("which is aborted") {
    world.bytes->aborted(std::move(flush));
    CHECK(kind(world, file) == (is_logged ? LogPlan::Kind::nothing : LogPlan::Kind::fits));
  }
  SECTION("which goes through") {
    REQUIRE(world.bytes->write_out(flush));
    if (flush.needs_sync()) REQUIRE(world.bytes->sync_data());
    REQUIRE(world.finish(file, std::move(flush)));
    CHECK(kind(world, file) == (is_logged ? LogPlan::Kind::nothing : LogPlan::Kind::fits));
  }
  CHECK(world.read(file, 0, 10000) == file.bytes);
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 10000) == file.bytes);
}

TEST_CASE("logged: records restore bytes and size, also where there is no space", "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 0, std::string(3 * block_bytes, 'a')));
  REQUIRE(world.flush(file));
  std::vector<std::string> records;
  const auto log_more = [&] {
    for (const std::string& record : log(world, file)) records.push_back(record);
  };
  REQUIRE(world.write(file, 100, std::string(60000, 'b')));
  log_more();
  REQUIRE(world.write(file, 20000, std::string(100, 'c')));
  REQUIRE(world.truncate(file, 100000));
  log_more();
  world.reopen_bytes({&file});
  const bool full = GENERATE(false, true);
  std::vector<DataFile> fillers(100);
  if (full) {
    world.leave_room(0);
    for (std::size_t i = 0; i < fillers.size(); ++i) {
      fillers[i].ino = Ino{100 + i};
      if (!world.write(fillers[i], 0, std::string(block_bytes, static_cast<char>(i)))) break;
    }
  }
  restore(world, file, records);
  CHECK(kind(world, file) == LogPlan::Kind::nothing);
  CHECK(world.read(file, 0, 200000) == file.bytes);
  if (full) {
    CHECK(world.flush(file).error().code == Errc::no_space);
    CHECK(world.read(file, 0, 200000) == file.bytes);
    world.leave_room(64 * mib);
    for (DataFile& filler : fillers) filler.buffer.discard();
  }
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 200000) == file.bytes);
  test::check_space(world, {&file});
}

TEST_CASE("logged: of a change for several transactions the first one takes what is logged",
          "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  REQUIRE(world.write(file, 1500 * block_bytes, "far behind"));
  (void)log(world, file);
  REQUIRE(world.write(file, 1500 * block_bytes + 4, "over it"));
  for (std::uint64_t i = 0; i < 1100; ++i) REQUIRE(world.write(file, i * block_bytes, "x"));
  REQUIRE(world.flush_once(file));
  CHECK(file.buffer.dirty());
  std::vector<std::uint64_t> stored;
  REQUIRE(world.bytes->for_each_block(
      file.ino, [&](const BlockInfo& block) { stored.push_back(block.index); }));
  CHECK(stored == std::vector<std::uint64_t>{1500});
  CHECK(file.contents.size == file.bytes.size());
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, file.bytes.size()) == file.bytes);
}

TEST_CASE("logged: a flush that only removes extents leaves a record that removes the same",
          "[unit][data]") {
  DataWorld world;
  DataFile file{.ino = Ino{5}};
  // Each in a run of extents of its own, more than one transaction removes.
  for (std::uint64_t i = 0; i < 1100; ++i) REQUIRE(world.write(file, i * 16 * block_bytes, "x"));
  REQUIRE(world.flush(file));
  std::vector<std::string> records;
  REQUIRE(world.write(file, 90, std::string(5000, 'l')));
  REQUIRE(world.write(file, 40 * block_bytes, std::string(100, 'l')));
  records = log(world, file);
  SECTION("cut") {
    REQUIRE(world.truncate(file, 100));
  }
  SECTION("punched") {
    REQUIRE(world.clear(file,
                        {.offset = block_bytes, .length = 20000 * block_bytes, .keep_size = true},
                        FileBytes::Clear::punch));
  }
  Flush flush = world.bytes->begin_flush(file.ino, file.contents, file.buffer);
  REQUIRE(world.bytes->write_out(flush));
  REQUIRE(flush.is_deferred());
  for (const std::string& record : world.bytes->removals(flush)) records.push_back(record);
  CHECK(records.size() == 2);
  REQUIRE(world.finish(file, std::move(flush)));
  // The crash comes here.
  world.reopen_bytes({&file});
  restore(world, file, records);
  CHECK(world.bytes->plan_log(file.contents, file.buffer).kind == LogPlan::Kind::unfit);
  CHECK(file.buffer.size(file.contents) == file.bytes.size());
  CHECK(world.read(file, 0, 100 * block_bytes) == file.bytes.substr(0, 100 * block_bytes));
  REQUIRE(world.flush(file));
  CHECK(world.read(file, 0, 100 * block_bytes) == file.bytes.substr(0, 100 * block_bytes));
  test::check_space(world, {&file});
}

}  // namespace
}  // namespace artfs::data
