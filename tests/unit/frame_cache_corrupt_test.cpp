// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

// One frame of three used pages at home, in slot 1, not resident.
FrameId make_home_frame(World& world) {
  const FrameId id = world.make_frame(1, 1);
  world.write_number(id, 2, 3);
  world.checkpoint();
  world.reopen();
  return id;
}

}  // namespace

TEST_CASE("P11: a flipped bit anywhere in the used pages is frame_corrupt, never data",
          "[unit][frame]") {
  World world;
  const FrameId id = make_home_frame(world);
  std::mt19937_64 random(4);
  constexpr std::uint64_t used_bits = 4 * io::page_bytes * 8;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t bit = random() % used_bits;
    CAPTURE(bit);
    REQUIRE(world.directory().flip_bit("frames.dat", bit));
    const auto refused = world.cache().load(id);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Error{Errc::frame_corrupt, id.raw});
    CHECK_FALSE(world.cache().pin(id));
    REQUIRE(world.directory().flip_bit("frames.dat", bit));
  }
  CHECK(world.read_number(id, 3) == 2);  // repaired: the failures left nothing behind
  CHECK(world.cache().stats().frames == 1);
}

TEST_CASE("P11: what lies beyond the used pages does not matter", "[unit][frame]") {
  World world;
  const FrameId id = make_home_frame(world);
  REQUIRE(world.directory().flip_bit("frames.dat", 5 * io::page_bytes * 8));
  CHECK(world.read_number(id) == 1);
}

TEST_CASE("P11: a frame in another's slot is frame_corrupt, as after a misdirected write",
          "[unit][frame]") {
  World world;
  const FrameId first = world.make_frame(1);
  const FrameId second = world.make_frame(2);
  world.checkpoint();
  std::swap(world.manifest().slots[first.raw], world.manifest().slots[second.raw]);
  world.reopen();
  CHECK(world.cache().load(first).error() == Error{Errc::frame_corrupt, first.raw});
  CHECK(world.cache().load(second).error() == Error{Errc::frame_corrupt, second.raw});
}

TEST_CASE("P11: an older whole image in the slot is frame_corrupt, as after a dropped write",
          "[unit][frame]") {
  World world;
  const FrameId id = make_home_frame(world);
  world.write_number(id, 7, 3);
  FrozenSet set = world.cache().freeze();
  const auto before = world.directory().clone_current();
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  world.reopen();
  CHECK(world.read_number(id, 3) == 7);
  const auto store = io::FileStore::open(*before, "frames.dat", {}).value();
  Cache cache(*store, uuid, {});
  cache.restore(world.manifest().frames(), world.manifest().next);
  CHECK(cache.load(id).error() == Error{Errc::frame_corrupt, id.raw});
}

TEST_CASE("P11: an evicted frame is checked against what was written, without a reopen",
          "[unit][frame]") {
  World world(with_frames(16));
  const FrameId id = make_home_frame(world);
  world.write_number(id, 8, 3);
  world.checkpoint();
  for (std::uint64_t i = 0; i < 40; ++i) static_cast<void>(world.make_frame(i));
  world.checkpoint();
  CHECK(world.read_number(id, 3) == 8);
}

TEST_CASE("P11: a frame of another store is frame_corrupt", "[unit][frame]") {
  World world;
  const FrameId id = make_home_frame(world);
  auto other_uuid = uuid;
  other_uuid[15] = std::byte{9};
  Cache other(world.store(), other_uuid, {});
  other.restore(world.manifest().frames(), world.manifest().next);
  CHECK(other.load(id).error() == Error{Errc::frame_corrupt, id.raw});
  CHECK(world.cache().load(id));
}

TEST_CASE("P11: a slot that was never written is frame_corrupt", "[unit][frame]") {
  World world;
  make_home_frame(world);
  Cache cache(world.store(), uuid, {});
  cache.restore(
      std::vector<FrameLocation>{{FrameId{1}, io::SlotId{7}}, {FrameId{2}, io::SlotId{70000}}},
      FrameId{3});
  CHECK(cache.load(FrameId{1}).error() == Error{Errc::frame_corrupt, 1});
  CHECK(cache.load(FrameId{2}).error() == Error{Errc::frame_corrupt, 2});
}

TEST_CASE("frame cache: a read error is io_failed, and the next load tries again",
          "[unit][frame]") {
  World world;
  const FrameId id = make_home_frame(world);
  world.directory().fail_read(1, Errc::io_failed);
  CHECK(world.cache().load(id).error().code == Errc::io_failed);
  CHECK(world.cache().stats().frames == 0);
  CHECK(world.read_number(id) == 1);
}

}  // namespace artfs::frame::test
