// SPDX-License-Identifier: Apache-2.0
// Logged writes: records that no volume makes, and many threads that make them.
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "format/key.hpp"
#include "format/logged.hpp"
#include "support/faults.hpp"
#include "support/logged_world.hpp"
#include "vol/repair.hpp"

namespace artfs {
namespace {

using test::bytes_of;
using test::quiet_options;
using test::read_all;
using test::write_at;
using World = test::LoggedWorld;

TEST_CASE(
    "LOGGED: what many threads wrote and synced is there after a crash, whatever was folded "
    "meanwhile",
    "[unit][vol]") {
  World world;
  VolumeOptions options = quiet_options();
  options.store.commit_interval = std::chrono::milliseconds(10);
  options.write_buffer_bytes = mib;
  world.crash(options);
  constexpr std::size_t threads_count = 4;
  std::array<Ino, threads_count> inos;
  std::array<std::string, threads_count> expected;
  for (std::size_t i = 0; i < threads_count; ++i) {
    expected[i] = bytes_of('A', 200000);
    inos[i] = world.make_stored(std::to_string(i), expected[i]);
  }
  test::Faults faults;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < threads_count; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(i);
      std::string& bytes = expected[i];
      for (int step = 0; step < 200; ++step) {
        const std::uint64_t at = random() % bytes.size();
        const std::string piece = bytes_of(static_cast<char>('a' + step % 20), 1 + random() % 9000);
        if (step % 37 == 0) {
          SetAttr changes;
          changes.size = at;
          faults.check(world.volume->setattr(inos[i], changes, {}).has_value());
          bytes.resize(at);
        }
        faults.check(write_at(*world.volume, inos[i], at, piece).has_value());
        if (bytes.size() < at + piece.size()) bytes.resize(at + piece.size());
        bytes.replace(at, piece.size(), piece);
        faults.check(world.volume->fsync(inos[i]).has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(faults.count() == 0);
  CHECK(world.volume->stats().folds > 0);
  world.crash();
  for (std::size_t i = 0; i < threads_count; ++i) {
    CHECK(read_all(*world.volume, inos[i]) == expected[i]);
  }
  test::require_clean(*world.volume);
}

// Records that no volume makes: the store alone.
class LoggedDamage : public World {
 public:
  LoggedDamage() {
    ino = make_stored("file", bytes_of('A', 70000));
    other = make_stored("other", bytes_of('B', 70000));
    write_and_fsync(ino, 0, std::string(4096, 'x'));
    write_and_fsync(other, 0, std::string(4096, 'y'));
    std::unique_ptr<io::MemoryDirectory> after = disk->clone_durable();
    volume.reset();
    disk = std::move(after);
  }

  void put(const format::Key& key, std::string_view value) {
    const auto store = test::must_open(*disk, test::small_options());
    const Tree tree = *store->open_tree(format::volume_tree_name);
    REQUIRE(tree.put(key, value).has_value());
    REQUIRE(store->close().has_value());
  }

  std::vector<std::string> problems() {
    volume = test::must_open_volume(*disk, quiet_options());
    const Result<CheckReport> report = volume->check({});
    REQUIRE(report.has_value());
    REQUIRE(volume->close().has_value());
    return report->problems;
  }

  void repair(std::uint64_t repairs) {
    const auto store = test::must_open(*disk, test::small_options());
    const Result<RepairReport> report = vol::repair(*store);
    REQUIRE(report.has_value());
    CHECK(report->repairs == repairs);
    REQUIRE(store->close().has_value());
  }

  Ino ino;
  Ino other;
};

TEST_CASE("logged writes: one that is damaged makes its file unreadable and no other",
          "[unit][vol]") {
  LoggedDamage world;
  world.put(format::logged_key(world.ino, 2), "not a record");
  CHECK(world.problems() == std::vector<std::string>{"inode " + std::to_string(world.ino.raw) +
                                                     ": logged write 2 is damaged"});
  world.volume = test::must_open_volume(*world.disk, quiet_options());
  CHECK(test::errno_of(world.volume->open_file(world.ino)) == EIO);
  CHECK(test::errno_of(write_at(*world.volume, world.ino, 0, "x")) == EIO);
  CHECK(read_all(*world.volume, world.other).starts_with(std::string(4096, 'y') + 'D'));
  SECTION("unlinked") {
    REQUIRE(world.volume->unlink(root_ino, "file").has_value());
    CHECK(world.records() == 0);
  }
  SECTION("repaired") {
    REQUIRE(world.volume->close().has_value());
    world.repair(1);
    world.volume = test::must_open_volume(*world.disk, quiet_options());
    CHECK(read_all(*world.volume, world.ino).starts_with(std::string(4096, 'x')));
  }
  test::require_clean(*world.volume);
}

TEST_CASE("logged writes: strays are found and removed", "[unit][vol]") {
  LoggedDamage world;
  const std::string record = format::encode(
      format::LoggedWrite{.size = 1, .cut = format::logged_no_cut, .cleared = {}, .spans = {}});
  const auto found = [&] {
    const std::vector<std::string> problems = world.problems();
    return problems.empty() ? std::string() : problems.front();
  };
  SECTION("of no inode") {
    world.put(format::logged_key(Ino{999}, 1), record);
    CHECK(found() == "a logged write belongs to inode 999, which is no file");
  }
  SECTION("of a directory") {
    world.put(format::logged_key(root_ino, 1), record);
    CHECK(found() == "a logged write belongs to inode 1, which is no file");
  }
  world.repair(1);
  CHECK(found().empty());
}

}  // namespace
}  // namespace artfs
