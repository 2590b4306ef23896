// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

std::vector<std::byte> captured(World& world, FrozenFrame& frame) {
  std::vector<std::byte> image;
  world.cache().capture(frame, image);
  return image;
}

// Where page `page` stands in a captured image.
std::size_t place(const PageMask& pages, std::size_t page) {
  return (pages << (io::pages_per_frame - page)).count() * io::page_bytes;
}

}  // namespace

TEST_CASE("frame cache: copy-before-write images equal the state at the freeze", "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1, 1);
  world.write_number(id, 2, 2);
  world.write_number(id, 3, 3);
  FrozenSet set = world.cache().freeze();
  REQUIRE(set.frames.size() == 1);
  FrozenFrame& frame = set.frames[0];
  world.write_number(id, 20, 2);  // a frozen page, before it is captured
  CHECK(world.cache().stats().resident_bytes == io::frame_bytes + 2 * io::page_bytes);
  const auto first = captured(world, frame);
  CHECK(number_at(first, place(frame.pages, 1)) == 1);
  CHECK(number_at(first, place(frame.pages, 2)) == 2);
  world.write_number(id, 30, 3);  // after it was captured
  world.write_number(id, 200, 2);
  world.write_number(id, 40, 4);  // a page that is not in the set
  CHECK(captured(world, frame) == first);
  CHECK(world.read_number(id, 2) == 200);
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  CHECK(world.cache().stats().resident_bytes == io::frame_bytes);

  FrozenSet next = world.cache().freeze();
  REQUIRE(next.frames.size() == 1);
  const auto second = captured(world, next.frames[0]);
  CHECK(number_at(second, place(next.frames[0].pages, 2)) == 200);
  CHECK(number_at(second, place(next.frames[0].pages, 3)) == 30);
  CHECK(number_at(second, place(next.frames[0].pages, 4)) == 40);
  CHECK_FALSE(next.frames[0].pages.test(1));
  REQUIRE(world.write_home(next));
  world.commit(std::move(next));
  world.reopen();
  CHECK(world.read_number(id, 1) == 1);
  CHECK(world.read_number(id, 2) == 200);
  CHECK(world.read_number(id, 4) == 40);
}

TEST_CASE("P11: pages that became used without a write are at home too", "[unit][frame]") {
  World world;
  std::vector<FrameId> ids;
  for (std::uint64_t round = 0; round < 3; ++round) {  // slots of removed frames hold other bytes
    for (const FrameId id : ids) world.cache().remove(world.cache().load(id).value());
    ids.clear();
    world.checkpoint();
    for (std::uint64_t i = 0; i < 4; ++i)
      ids.push_back(world.make_frame(round * 10 + i, 3 + i * 20));
    world.checkpoint();
    for (std::size_t i = 0; i < 4; ++i) world.write_number(ids[i], 5, 100 + i);
    world.checkpoint();
    world.reopen();
    for (std::uint64_t i = 0; i < 4; ++i) {
      CHECK(world.read_number(ids[i], 3 + i * 20) == round * 10 + i);
      CHECK(world.read_number(ids[i], 100 + i) == 5);
      CHECK(world.read_number(ids[i], 90) == 0);
    }
  }
}

TEST_CASE("error paths: a failed checkpoint leaves the frozen set frozen, and captures repeat",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(5);
  FrozenSet set = world.cache().freeze();
  world.directory().fail_call(1, Errc::no_space);
  CHECK_FALSE(world.write_home(set));
  const auto image = captured(world, set.frames[0]);
  world.write_number(id, 6);
  CHECK(world.cache().unevictable_bytes() > 0);
  CHECK(captured(world, set.frames[0]) == image);
  REQUIRE(world.write_home(set));  // tried again
  world.commit(std::move(set));
  world.reopen();
  CHECK(world.read_number(id) == 5);
}

TEST_CASE("frame cache: a frame created and removed between two freezes leaves no trace",
          "[unit][frame]") {
  World world;
  const FrameId kept = world.make_frame(1);
  const FrameId gone = world.make_frame(2);
  world.cache().remove(world.cache().pin(gone).value());
  CHECK_FALSE(world.cache().pin(gone));
  CHECK_FALSE(world.cache().load(gone));
  const FrameId reused = world.make_frame(3);
  CHECK(reused != gone);
  FrozenSet set = world.cache().freeze();
  REQUIRE(set.created.size() == 2);
  CHECK(set.created[0].id == kept);
  CHECK(set.created[1].slot == io::SlotId{2});  // the slot of the one removed, at once
  CHECK(set.removed.empty());
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  CHECK(world.cache().stats().frames == 2);
}

TEST_CASE("frame cache: a slot is reused only when the checkpoint that frees it is durable",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1);
  world.checkpoint();
  world.cache().remove(world.cache().load(id).value());
  CHECK(world.cache().stats().frames == 0);
  CHECK(world.make_frame(2) == FrameId{2});
  FrozenSet set = world.cache().freeze();
  REQUIRE(set.removed.size() == 1);
  CHECK(set.removed[0].id == id);
  CHECK(set.removed[0].slot == io::SlotId{1});
  CHECK(set.created[0].slot == io::SlotId{2});
  world.make_frame(3);
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  world.make_frame(4);
  FrozenSet next = world.cache().freeze();
  std::vector<std::uint64_t> slots;
  for (const FrameLocation& frame : next.created) slots.push_back(frame.slot.raw);
  std::sort(slots.begin(), slots.end());
  CHECK(slots == std::vector<std::uint64_t>{1, 3});
  REQUIRE(world.write_home(next));
  world.commit(std::move(next));
}

TEST_CASE("frame cache: a frame removed while it is frozen stays until the release",
          "[unit][frame]") {
  World world;
  const FrameId old = world.make_frame(1);
  world.checkpoint();
  world.write_number(old, 2);
  const FrameId fresh = world.make_frame(3);
  FrozenSet set = world.cache().freeze();
  world.write_number(old, 4);
  world.cache().remove(world.cache().pin(old).value());
  world.cache().remove(world.cache().pin(fresh).value());
  CHECK_FALSE(world.cache().pin(old));
  CHECK(world.cache().stats().frames == 2);
  REQUIRE(set.frames.size() == 2);
  for (FrozenFrame& frame : set.frames) {
    const auto image = captured(world, frame);
    CHECK(number_at(image, place(frame.pages, 1)) == (frame.id == old ? 2 : 3));
  }
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  CHECK(world.cache().stats().frames == 0);
  CHECK(world.cache().stats().dirty_bytes == 0);
  CHECK(world.cache().unevictable_bytes() == 0);
  // A crash here: the set is durable, the removals are not.
  const Manifest durable = world.manifest();
  CHECK(durable.slots.size() == 2);
  FrozenSet next = world.cache().freeze();
  CHECK(next.frames.empty());
  CHECK(next.removed.size() == 2);
  REQUIRE(world.write_home(next));
  world.commit(std::move(next));
  CHECK(world.manifest().slots.empty());
}

TEST_CASE("frame cache: a frame removed while others still pin it keeps its bytes",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(9);
  world.checkpoint();
  Pin reader = world.cache().pin(id).value();
  world.cache().remove(world.cache().pin(id).value());
  for (std::uint64_t i = 0; i < 10; ++i) world.make_frame(i);
  CHECK(number_at(reader.bytes(), io::page_bytes) == 9);
  CHECK(world.cache().stats().frames == 11);
  reader = Pin();
  world.cache().remove(world.cache().pin(FrameId{2}).value());  // late ones go along
  CHECK(world.cache().stats().frames == 9);
}

TEST_CASE("retiring a racing writer's newer change: a page written while frozen stays dirty",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1);
  FrozenSet set = world.cache().freeze();
  REQUIRE(world.write_home(set));  // the old image is on the device ...
  world.write_number(id, 2);       // ... when the newer one appears
  world.commit(std::move(set));
  FrozenSet next = world.cache().freeze();
  REQUIRE(next.frames.size() == 1);
  CHECK(next.frames[0].pages.test(1));
  REQUIRE(world.write_home(next));
  world.commit(std::move(next));
  world.reopen();
  CHECK(world.read_number(id) == 2);
}

TEST_CASE("I1: a page is marked dirty exactly when it is newer than the durable one",
          "[unit][frame]") {
  World world;
  const FrameId id = world.make_frame(1);
  const auto dirty_pages = [&] { return world.cache().stats().dirty_bytes / io::page_bytes; };
  CHECK(dirty_pages() == 2);
  world.write_number(id, 2);
  CHECK(dirty_pages() == 2);
  FrozenSet set = world.cache().freeze();
  CHECK(dirty_pages() == 2);
  world.write_number(id, 3);
  world.write_number(id, 4, 7);
  CHECK(dirty_pages() == 3);
  REQUIRE(world.write_home(set));
  world.commit(std::move(set));
  CHECK(dirty_pages() == 3);
  world.checkpoint();
  CHECK(dirty_pages() == 0);
  world.write_number(id, 5);
  world.cache().remove(world.cache().pin(id).value());
  CHECK(dirty_pages() == 0);
}

}  // namespace artfs::frame::test
