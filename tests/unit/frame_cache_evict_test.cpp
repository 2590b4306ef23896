// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

// So many clean frames at home; number i stands in the i-th.
std::vector<FrameId> make_home_frames(World& world, std::uint64_t count) {
  std::vector<FrameId> ids;
  for (std::uint64_t i = 0; i < count; ++i) {
    ids.push_back(world.make_frame(i));
    if (i % 8 == 7) world.checkpoint();
  }
  world.checkpoint();
  return ids;
}

}  // namespace

TEST_CASE("frame cache: the budget holds while frames come and go", "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_home_frames(world, 200);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(world.read_number(ids[i]) == i);
    CHECK(world.cache().stats().resident_bytes <= 16 * io::frame_bytes);
  }
  const auto stats = world.cache().stats();
  CHECK(stats.frames == 16);
  CHECK(stats.evictions >= 184);
}

TEST_CASE("EV: dirty, frozen, fresh or pinned frames are never evicted", "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_home_frames(world, 100);
  const Pin pinned = world.cache().load(ids[0]).value();
  world.write_number(ids[1], 1000);  // frozen below
  FrozenSet set = world.cache().freeze();
  world.write_number(ids[2], 2000);              // dirty
  const FrameId fresh = world.make_frame(3000);  // fresh
  world.write_number(ids[3], 4000);              // dirty again after ...
  for (std::size_t i = 10; i < 100; ++i) CHECK(world.read_number(ids[i]) == i);
  for (std::size_t i = 10; i < 100; ++i) CHECK(world.read_number(ids[i]) == i);
  CHECK(world.cache().pin(ids[0]));
  CHECK(world.cache().pin(ids[1]));
  CHECK(world.cache().pin(ids[2]));
  CHECK(world.cache().pin(ids[3]));
  CHECK(world.cache().pin(fresh));
  CHECK(number_at(pinned.bytes(), io::page_bytes) == 0);
  CHECK(world.cache().stats().resident_bytes <= 16 * io::frame_bytes);
  CHECK(world.cache().unevictable_bytes() == 4 * io::frame_bytes);
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  world.checkpoint();
  // Clean now: they may go, and come back with what was written.
  for (std::size_t i = 10; i < 100; ++i) CHECK(world.read_number(ids[i]) == i);
  CHECK(world.read_number(ids[1]) == 1000);
  CHECK(world.read_number(ids[2]) == 2000);
  CHECK(world.read_number(ids[3]) == 4000);
  CHECK(world.read_number(fresh) == 3000);
}

TEST_CASE("frame cache: scans do not push out what point reads use", "[unit][frame]") {
  World world(with_frames(64));
  const auto ids = make_home_frames(world, 600);
  world.reopen();
  // 30 hot frames, read again and again among others, as a point workload does.
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    CHECK(world.cache().load(ids[random() % 30]));
    if (i % 3 == 0) CHECK(world.cache().load(ids[30 + random() % 170]));
  }
  // A scan: every frame once, many pins in a row.
  for (std::size_t i = 200; i < 600; ++i) {
    for (int step = 0; step < 20; ++step) CHECK(world.cache().load(ids[i]));
  }
  std::size_t still_there = 0;
  for (std::size_t i = 0; i < 30; ++i) still_there += world.cache().pin(ids[i]) ? 1U : 0U;
  CHECK(still_there >= 28);
}

TEST_CASE("frame cache: frames read ahead are there, few for the budget, and evictable",
          "[unit][frame]") {
  World world(with_frames(64));
  const auto ids = make_home_frames(world, 100);
  world.reopen();
  Cache& cache = world.cache();
  // A sixteenth of the budget, whatever is asked for; what does not exist is left out.
  cache.read_ahead(std::vector<FrameId>{ids[0], FrameId{5000}, ids[1]});
  CHECK(cache.stats().frames == 2);
  const std::uint64_t misses = cache.stats().misses;
  CHECK(world.read_number(ids[0]) == 0);
  CHECK(world.read_number(ids[1]) == 1);
  CHECK(cache.stats().misses == misses);
  cache.read_ahead(ids);
  CHECK(cache.stats().frames == 6);
  for (std::size_t i = 0; i + 8 < ids.size(); i += 4) {
    cache.read_ahead(std::span(ids).subspan(i, 8));
    CHECK(cache.stats().resident_bytes <= cache.budget_bytes());
  }
  for (std::size_t i = 0; i < ids.size(); ++i) CHECK(world.read_number(ids[i]) == i);
}

TEST_CASE("P11: damage met while reading ahead is left to the load that wants the frame",
          "[unit][frame]") {
  World world(with_frames(64));
  const auto ids = make_home_frames(world, 3);
  world.reopen();
  REQUIRE(world.directory().flip_bit("frames.dat", (512 * kib + io::page_bytes + 5) * 8));
  world.cache().read_ahead(ids);
  CHECK(world.cache().stats().frames == 2);
  CHECK(world.read_number(ids[0]) == 0);
  CHECK(world.read_number(ids[2]) == 2);
  CHECK(world.cache().load(ids[1]).error() == Error{Errc::frame_corrupt, ids[1].raw});
  world.directory().fail_read(1, Errc::io_failed);
  world.reopen();
  world.cache().read_ahead(std::span(ids).first(1));
  CHECK(world.read_number(ids[0]) == 0);
}

TEST_CASE("frame cache: a changed working set takes over", "[unit][frame]") {
  World world(with_frames(64));
  const auto ids = make_home_frames(world, 200);
  world.reopen();
  std::mt19937_64 random(2);
  for (int i = 0; i < 3000; ++i) CHECK(world.cache().load(ids[random() % 50]));
  for (int i = 0; i < 3000; ++i) CHECK(world.cache().load(ids[100 + random() % 50]));
  const std::uint64_t before = world.cache().stats().misses;
  for (int i = 0; i < 2000; ++i) CHECK(world.cache().load(ids[100 + random() % 50]));
  CHECK(world.cache().stats().misses - before < 100);
}

TEST_CASE("frame cache: with everything pinned a load exceeds the budget a little, then fails",
          "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_home_frames(world, 40);
  std::vector<Pin> pins;
  Error error{Errc::io_failed, 0};
  for (const FrameId id : ids) {
    auto pin = world.cache().load(id);
    if (!pin) {
      error = pin.error();
      break;
    }
    pins.push_back(std::move(*pin));
  }
  CHECK(error.code == Errc::cache_exhausted);
  CHECK(pins.size() == 24);  // the budget, and the reserve of 8 frames
  pins.clear();
  CHECK(world.cache().load(ids[39]));
  CHECK(world.cache().stats().resident_bytes <= 16 * io::frame_bytes);
}

TEST_CASE("frame cache: a load that finds only dirt asks for a checkpoint and waits for it",
          "[unit][frame]") {
  CacheOptions options = with_frames(16);
  std::atomic<int> calls{0};
  options.on_pressure = [&calls] { return ++calls > 0; };
  World world(options);
  std::vector<FrameId> ids = make_home_frames(world, 30);
  const int calls_before = calls;
  for (std::size_t i = 0; i < 16; ++i) world.write_number(ids[i], 7);
  std::atomic<bool> done{false};
  std::thread loader([&] {
    CHECK(world.read_number(ids[29]) == 29);
    done = true;
  });
  while (calls == calls_before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_FALSE(done);
  world.checkpoint();
  loader.join();
  CHECK(world.cache().stats().resident_bytes <= 16 * io::frame_bytes);
}

}  // namespace artfs::frame::test
