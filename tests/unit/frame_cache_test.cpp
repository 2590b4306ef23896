// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <thread>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {

TEST_CASE("frame cache: a frame lives through a checkpoint and a reopen", "[unit][frame]") {
  World world;
  const FrameId first = world.make_frame(11);
  const FrameId second = world.make_frame(22, 100);
  CHECK(first == FrameId{1});
  CHECK(second == FrameId{2});
  world.checkpoint();
  world.write_number(first, 12, 5);
  world.reopen();
  CHECK(world.cache().pin(first).error() == Error{Errc::frame_not_resident, 1});
  CHECK(world.read_number(first) == 11);
  CHECK(world.read_number(first, 5) == 0);  // changed after the checkpoint
  CHECK(world.read_number(second, 100) == 22);
  CHECK(world.cache().pin(first));
  CHECK(world.cache().stats().misses == 2);
  CHECK(world.make_frame(33) == FrameId{3});  // ids go on
}

TEST_CASE("frame cache: pins are handles that count", "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1);
  Pin pin = world.cache().pin(id).value();
  Pin copy = pin.clone();
  CHECK(copy.id() == id);
  CHECK(copy.bytes().data() == pin.bytes().data());
  CHECK(io::is_aligned(pin.bytes().data()));
  const Pin moved = std::move(pin);
  CHECK_FALSE(pin);  // NOLINT(bugprone-use-after-move): moved-from pins are empty
  copy = Pin();
  CHECK_FALSE(copy);
  CHECK(moved);
}

TEST_CASE("frame cache: an id that names no frame is an error", "[unit][frame]") {
  World world;
  CHECK(world.cache().pin(FrameId{7}).error() == Error{Errc::frame_not_resident, 7});
  CHECK(world.cache().load(FrameId{7}).error() == Error{Errc::frame_corrupt, 7});
}

TEST_CASE("ENOSPC in reserve leaves everything as it was", "[unit][frame]") {
  World world(with_frames(64), 16 * io::frame_bytes);
  const FrameReserve held = world.cache().reserve(10).value();
  const std::uint64_t size = world.store().size_bytes();
  const auto refused = world.cache().reserve(7);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::no_space);
  CHECK(world.store().size_bytes() == size);
  CHECK(world.cache().live_frames().empty());
  FrameReserve rest = world.cache().reserve(6).value();
  CHECK_FALSE(world.cache().reserve(1));
  for (int i = 0; i < 6; ++i) static_cast<void>(world.cache().create(rest));
  CHECK(rest.left() == 0);
  CHECK(world.cache().live_frames().size() == 6);
  {
    FrameReserve moved = std::move(rest);
    rest = FrameReserve();
  }
  CHECK_FALSE(world.cache().reserve(1));
}

TEST_CASE("frame cache: unused rights come back", "[unit][frame]") {
  World world(with_frames(64), 8 * io::frame_bytes);
  for (int round = 0; round < 20; ++round) {
    FrameReserve reserve = world.cache().reserve(8).value();
    FrameReserve other = std::move(reserve);
    CHECK(other.left() == 8);
    CHECK(reserve.left() == 0);  // NOLINT(bugprone-use-after-move)
  }
}

TEST_CASE("P19: freezing does no I/O, and opening reads no frame", "[unit][frame]") {
  World world;
  for (std::uint64_t i = 0; i < 50; ++i) world.make_frame(i);
  const auto before = world.directory().counters();
  FrozenSet set = world.cache().freeze();
  const auto after = world.directory().counters();
  CHECK(set.frames.size() == 50);
  CHECK(after.changes == before.changes);
  CHECK(after.reads == before.reads);
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  const std::uint64_t reads = world.directory().counters().reads;
  world.reopen();
  CHECK(world.directory().counters().reads == reads);
  CHECK(world.cache().live_frames().size() == 50);
}

TEST_CASE(
    "frame cache: an unchanged frame is not in the next set, a changed one with its pages only",
    "[unit][frame]") {
  World world;
  const FrameId changed = world.make_frame(1, 127);
  world.make_frame(2);
  world.checkpoint();
  CHECK(world.cache().stats().dirty_bytes == 0);
  world.write_number(changed, 3, 9);
  CHECK(world.cache().stats().dirty_bytes == 2 * io::page_bytes);
  FrozenSet set = world.cache().freeze();
  REQUIRE(set.frames.size() == 1);
  CHECK(set.frames[0].id == changed);
  CHECK_FALSE(set.frames[0].is_new);
  PageMask expected;
  expected.set(0).set(9);
  CHECK(set.frames[0].pages == expected);
  CHECK(set.created.empty());
  CHECK(set.removed.empty());
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  world.reopen();
  CHECK(world.read_number(changed, 9) == 3);
  CHECK(world.read_number(changed, 127) == 1);
}

TEST_CASE("frame cache: write marks every page of a range, over both words of the bitmap",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1, 127);
  world.checkpoint();
  for (const auto& [first, last] : std::vector<std::pair<std::size_t, std::size_t>>{{0, 0},
                                                                                    {1, 1},
                                                                                    {63, 64},
                                                                                    {60, 70},
                                                                                    {64, 64},
                                                                                    {127, 127},
                                                                                    {0, 127},
                                                                                    {63, 63},
                                                                                    {5, 126}}) {
    CAPTURE(first, last);
    const Pin pin = world.cache().load(id).value();
    const std::size_t offset = first * io::page_bytes + 100;
    static_cast<void>(pin.write(offset, last * io::page_bytes + 200 - offset));
    FrozenSet set = world.cache().freeze();
    REQUIRE(set.frames.size() == 1);
    PageMask expected;
    expected.set(0);
    for (std::size_t page = first; page <= last; ++page) expected.set(page);
    CHECK(set.frames[0].pages == expected);
    REQUIRE(world.write_home(set));
    world.commit(std::move(set));
  }
}

TEST_CASE("frame cache: concurrent loads of one frame do one read", "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(77);
  world.checkpoint();
  for (int round = 0; round < 20; ++round) {
    world.reopen();
    const std::uint64_t reads = world.directory().counters().reads;
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { good += world.read_number(id) == 77 ? 1 : 0; });
    }
    for (auto& thread : threads) thread.join();
    CHECK(good == 4);
    CHECK(world.directory().counters().reads == reads + 1);
  }
}

TEST_CASE("frame cache: in memory nothing is evicted, frozen or written", "[unit][frame]") {
  CacheOptions options = with_frames(16);
  options.volatile_frames = true;
  World world(options);
  for (std::uint64_t i = 1; i <= 100; ++i) CHECK(world.make_frame(i) == FrameId{i});
  for (std::uint64_t i = 1; i <= 100; ++i) CHECK(world.read_number(FrameId{i}) == i);
  CHECK(world.cache().stats().evictions == 0);
  CHECK(world.cache().freeze().frames.empty());
  CHECK(world.directory().counters().writes == 0);
  CHECK(world.store().size_bytes() == 0);
  world.cache().remove(world.cache().pin(FrameId{5}).value());
  CHECK_FALSE(world.cache().load(FrameId{5}));
  CHECK(world.cache().stats().frames == 99);
}

TEST_CASE("frame cache: a read-only store reads frames and keeps its changes in memory",
          "[unit][frame]") {
  World world;
  std::vector<FrameId> ids;
  for (std::uint64_t i = 0; i < 40; ++i) ids.push_back(world.make_frame(i));
  world.checkpoint();
  const auto& directory = world.directory();
  CacheOptions options = with_frames(16);
  options.volatile_frames = true;
  Cache cache(world.store(), uuid, options);
  cache.restore(world.manifest().frames(), world.manifest().next);
  const auto changes = directory.counters().changes;
  for (const FrameId id : ids) put_number(cache.load(id).value(), 5 * io::page_bytes, id.raw);
  FrameReserve reserve = cache.reserve(3).value();
  static_cast<void>(cache.create(reserve));
  for (const FrameId id : ids) {
    CHECK(number_at(cache.load(id).value().bytes(), 5 * io::page_bytes) == id.raw);
  }
  CHECK(directory.counters().changes == changes);
}

}  // namespace artfs::frame::test
