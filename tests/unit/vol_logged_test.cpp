// SPDX-License-Identifier: Apache-2.0
// Logged writes: what a small synced write costs, that it outlives a crash, and that it never comes back over
// anything newer (LOGGED).
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "format/volume.hpp"
#include "support/logged_world.hpp"
#include "vol/logged.hpp"

namespace artfs {
namespace {

using test::bytes_of;
using test::quiet_options;
using test::read_all;
using test::write_at;
using World = test::LoggedWorld;

TEST_CASE("logged writes: a small write and fsync costs one sync of the log and none of blocks.dat",
          "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 1 * mib));
  const std::uint64_t before = world.syncs();
  const std::uint64_t log_before = world.volume->store().stats().log.syncs;
  std::string expected = bytes_of('A', 1 * mib);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::string bytes = bytes_of(static_cast<char>('a' + i % 20), 4096);
    const std::uint64_t offset = i * 7919 % 250 * 4096;
    world.write_and_fsync(ino, offset, bytes);
    expected.replace(offset, bytes.size(), bytes);
  }
  CHECK(world.volume->store().stats().log.syncs - log_before == 50);
  CHECK(world.syncs() - before == 50);
  const VolumeStats stats = world.volume->stats();
  CHECK(stats.logged_writes == 50);
  CHECK(stats.logged_bytes == 50 * 4096);
  CHECK(stats.folds == 0);
  CHECK(world.records() == 50);
  world.crash();
  CHECK(read_all(*world.volume, ino) == expected);
  test::require_clean(*world.volume);
  CHECK(world.records() == 0);
  CHECK(world.volume->stats().folds == 1);
  CHECK(world.volume->stats().logged_bytes_standing == 0);
  CHECK(read_all(*world.volume, ino) == expected);
}

TEST_CASE("logged writes: create, write of 4 KiB and fsync is one sync", "[unit][vol]") {
  World world;
  world.make_stored("before", bytes_of('A', 100000));  // blocks.dat has room
  const std::uint64_t before = world.syncs();
  for (int i = 0; i < 20; ++i) {
    const Ino ino = world.make("file" + std::to_string(i));
    world.write_and_fsync(ino, 0, bytes_of('b', 4096));
    world.volume->release(ino);
  }
  CHECK(world.syncs() - before == 20);
  world.crash();
  for (int i = 0; i < 20; ++i) {
    const Result<Attr> attr = world.volume->lookup(root_ino, "file" + std::to_string(i));
    REQUIRE(attr.has_value());
    CHECK(attr->size == 4096);
    CHECK(attr->blocks_512 == 8);
    CHECK(read_all(*world.volume, attr->ino) == bytes_of('b', 4096));
  }
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: appended bytes are logged once, and the size is there after a crash",
          "[unit][vol]") {
  World world;
  const Ino ino = world.make("file");
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string bytes = bytes_of(static_cast<char>('a' + i), 4096);
    world.write_and_fsync(ino, expected.size(), bytes);
    expected += bytes;
  }
  CHECK(world.volume->stats().logged_bytes == expected.size());
  const StatFs full = *world.volume->statfs();
  world.crash();
  CHECK(world.volume->getattr(ino)->size == expected.size());
  CHECK(read_all(*world.volume, ino) == expected);
  CHECK(world.volume->statfs()->blocks_free == full.blocks_free);
}

TEST_CASE("logged writes: growth alone is logged, too", "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  const std::uint64_t before = world.syncs();
  world.truncate(ino, 300000);
  world.fsync(ino);
  CHECK(world.syncs() - before == 1);
  world.crash();
  CHECK(read_all(*world.volume, ino) == bytes_of('A', 70000) + std::string(230000, '\0'));
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: of two over the same bytes the later one counts", "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  world.write_and_fsync(ino, 100, std::string(5000, '1'));
  world.write_and_fsync(ino, 2000, std::string(5000, '2'));
  world.write_and_fsync(ino, 1000, std::string(500, '3'));
  const std::string expected = read_all(*world.volume, ino);
  world.crash();
  CHECK(read_all(*world.volume, ino) == expected);
  world.write_and_fsync(ino, 0, "after");  // numbers go on
  const std::string again = read_all(*world.volume, ino);
  world.crash();
  CHECK(read_all(*world.volume, ino) == again);
}

TEST_CASE("logged writes: what was written over them and not synced does not come half",
          "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  world.write_and_fsync(ino, 100, std::string(5000, '1'));
  const std::string expected = read_all(*world.volume, ino);
  world.write(ino, 2000, std::string(100000, '2'));
  world.crash();
  CHECK(read_all(*world.volume, ino) == expected);
}

TEST_CASE("logged writes: a large one goes to its blocks", "[unit][vol]") {
  World world;
  const Ino ino = world.make("file");
  world.write_and_fsync(ino, 0, bytes_of('a', 200000));
  CHECK(world.volume->stats().logged_writes == 0);
  CHECK(world.records() == 0);
  world.write_and_fsync(ino, 5, "small");
  CHECK(world.records() == 1);
  world.write_and_fsync(ino, 10, bytes_of('b', 200000));
  CHECK(world.records() == 0);
}

TEST_CASE("logged writes: contents that fit the record go there", "[unit][vol]") {
  World world;
  const Ino ino = world.make("file");
  world.write_and_fsync(ino, 0, "short");
  CHECK(world.records() == 0);
  CHECK(world.volume->stats().logged_writes == 0);
  world.write_and_fsync(ino, 0, std::string(3000, 'l'));
  CHECK(world.records() == 1);
  world.truncate(ino, 10);
  world.fsync(ino);
  CHECK(world.records() == 0);
  world.crash();
  CHECK(read_all(*world.volume, ino) == std::string(10, 'l'));
}

TEST_CASE("logged writes: none comes back behind a truncation or a hole", "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 300000));
  world.write_and_fsync(ino, 100000, std::string(4096, 'x'));
  SECTION("cut and grown again") {
    world.truncate(ino, 50000);
    world.truncate(ino, 300000);
  }
  SECTION("cut in the middle of it") {
    world.truncate(ino, 101000);
  }
  SECTION("punched") {
    REQUIRE(world.volume->punch_hole(ino, 65536, 131072).has_value());
  }
  SECTION("zeroed") {
    REQUIRE(world.volume->zero_range(ino, 99000, 3000, true).has_value());
  }
  const std::string expected = read_all(*world.volume, ino);
  world.fsync(ino);
  CHECK(world.records() == 0);
  world.crash();
  CHECK(read_all(*world.volume, ino) == expected);
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: they go with their file", "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  world.write_and_fsync(ino, 0, std::string(4096, 'x'));
  SECTION("closed") {
    world.volume->release(ino);
  }
  SECTION("open: its bytes stay readable") {}
  REQUIRE(world.volume->unlink(root_ino, "file").has_value());
  world.volume->release(ino);
  CHECK(world.records() == 0);
  CHECK(world.volume->stats().logged_bytes_standing == 0);
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: those of an unlinked file that was open go after a crash",
          "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  world.write_and_fsync(ino, 0, std::string(4096, 'x'));
  REQUIRE(world.volume->unlink(root_ino, "file").has_value());
  REQUIRE(world.volume->fsync(root_ino).has_value());
  world.crash();
  CHECK(world.records() == 0);
  CHECK(world.volume->stats().orphans == 0);
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: a rename over another file comes after them, without a sync",
          "[unit][vol]") {
  World world;
  world.make_stored("old", bytes_of('A', 70000));
  const Ino ino = world.make("new");
  world.write(ino, 0, bytes_of('b', 10000));
  const std::uint64_t before = world.syncs();
  REQUIRE(world.volume->rename({root_ino, "new"}, {root_ino, "old"}, {}, {}).has_value());
  CHECK(world.syncs() == before);
  REQUIRE(world.volume->fsync(root_ino).has_value());
  CHECK(world.syncs() - before == 1);
  world.crash();
  CHECK(read_all(*world.volume, world.volume->lookup(root_ino, "old")->ino) ==
        bytes_of('b', 10000));
}

TEST_CASE("logged writes: a volume that is only read shows them and writes nothing",
          "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 70000));
  world.write_and_fsync(ino, 60000, std::string(20000, 'x'));
  const std::string expected = read_all(*world.volume, ino);
  VolumeOptions reading = quiet_options();
  reading.store.read_only = true;
  world.crash(reading);
  const std::uint64_t before = world.disk->counters().changes;
  CHECK(world.volume->getattr(ino)->size == 80000);
  CHECK(read_all(*world.volume, ino) == expected);
  test::require_clean(*world.volume);
  REQUIRE(world.volume->close().has_value());
  CHECK(world.disk->counters().changes == before);
  world.volume = test::must_open_volume(*world.disk, quiet_options());
  CHECK(read_all(*world.volume, ino) == expected);
}

TEST_CASE("logged writes: much of one file is folded in the background", "[unit][vol]") {
  World world;
  const Ino ino = world.make_stored("file", bytes_of('A', 2 * mib));
  for (std::uint64_t i = 0; i < 400; ++i) {
    world.write_and_fsync(ino, i % 100 * 16384, std::string(8192, static_cast<char>('a' + i % 26)));
  }
  for (int wait = 0; wait < 1000 && world.volume->stats().folds == 0; ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(world.volume->stats().folds > 0);
  CHECK(world.volume->stats().logged_bytes_standing < vol::inode_logged_bytes_max);
  const std::string expected = read_all(*world.volume, ino);
  world.crash();
  CHECK(read_all(*world.volume, ino) == expected);
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: they are folded when they are old", "[unit][vol]") {
  World world;
  VolumeOptions options = quiet_options();
  options.store.commit_interval = std::chrono::milliseconds(20);
  world.crash(options);
  const Ino ino = world.make("file");
  world.write_and_fsync(ino, 0, bytes_of('a', 4096));
  for (int wait = 0; wait < 1000 && world.records() != 0; ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(world.records() == 0);
  CHECK(read_all(*world.volume, ino) == bytes_of('a', 4096));
}

TEST_CASE("logged writes: strict durability uses them, relaxed does not need them", "[unit][vol]") {
  World world;
  world.make_stored("before", bytes_of('A', 100000));
  VolumeOptions options = quiet_options();
  SECTION("strict") {
    options.store.durability = Durability::strict;
    world.crash(options);
    const Ino ino = world.make("file");
    world.write(ino, 0, bytes_of('a', 5000));
    const std::uint64_t before = world.syncs();
    world.write(ino, 5000, bytes_of('b', 5000));
    CHECK(world.syncs() - before == 1);
    world.crash();
    CHECK(read_all(*world.volume, ino) == bytes_of('a', 5000) + bytes_of('b', 5000));
  }
  SECTION("relaxed") {
    options.store.durability = Durability::relaxed;
    world.crash(options);
    const std::uint64_t before = world.syncs();
    world.write_and_fsync(world.make("file"), 0, bytes_of('a', 5000));
    CHECK(world.syncs() == before);
    CHECK(world.records() == 0);
  }
}

TEST_CASE("logged writes: a volume of version 2 is of version 3 once it was written to",
          "[unit][vol]") {
  World world;
  const Tree tree = *world.volume->store().open_tree(format::volume_tree_name);
  std::string settings = tree.get(format::volume_settings_key)->value;
  settings[0] = 2;
  REQUIRE(tree.put(format::volume_settings_key, settings).has_value());
  REQUIRE(world.volume->sync().has_value());
  world.crash();
  const Tree again = *world.volume->store().open_tree(format::volume_tree_name);
  CHECK(again.get(format::volume_settings_key)->value[0] == 3);
}

}  // namespace
}  // namespace artfs
