// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "frame/cache_core.hpp"
#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

constexpr std::size_t pages = 100;  // of each frame, in use

// What stands at the begin of that page.
std::uint64_t mark(FrameId id, std::size_t page, std::uint64_t round = 0) {
  return (id.raw << 40U) | (page << 32U) | round;
}

void mark_pages(const Pin& pin, std::uint64_t round) {
  for (std::size_t page = 1; page < pages; ++page) {
    put_number(pin, page * io::page_bytes, mark(pin.id(), page, round));
  }
  use_up_to(pin, pages * io::page_bytes);
}

// So many frames at home, and nothing in memory.
std::vector<FrameId> make_marked_frames(World& world, std::size_t count) {
  std::vector<FrameId> ids;
  for (std::size_t i = 0; i < count; ++i) {
    FrameReserve reserve = world.cache().reserve(1).value();
    const Pin pin = world.cache().create(reserve);
    mark_pages(pin, 0);
    ids.push_back(pin.id());
    if (i % 8 == 7) world.checkpoint();
  }
  world.checkpoint();
  world.reopen();
  return ids;
}

constexpr ByteRange page_range(std::size_t page) {
  return {page * io::page_bytes, io::page_bytes};
}

std::uint64_t fetched_number(Cache& cache, FrameId id, std::size_t page) {
  // As a reader does: what is there first.
  Result<PartialPin> pin = cache.peek(id);
  if (!pin || !pin->holds({page * io::page_bytes, 8})) pin = cache.fetch(id, page_range(page));
  REQUIRE(pin);
  if (!*pin) return number_at(cache.load(id).value().bytes(), page * io::page_bytes);
  REQUIRE(pin->holds({page * io::page_bytes, 8}));
  return number_at(pin->bytes(), page * io::page_bytes);
}

// A budget in which fetches never find idle room.
CacheOptions tight() {
  CacheOptions options;
  options.budget_bytes = 32 * io::page_bytes;
  return options;
}

}  // namespace

TEST_CASE("partial frame: only what is asked for is read, verified and counted", "[unit][frame]") {
  World world(tight());
  const auto ids = make_marked_frames(world, 1);
  Cache& cache = world.cache();
  CHECK(cache.peek(ids[0]).error() == Error{Errc::frame_not_resident, ids[0].raw});
  {
    const PartialPin first = cache.fetch(ids[0], {}).value();
    REQUIRE(first);
    CHECK(first.id() == ids[0]);
    CHECK(first.holds({0, io::page_bytes}));
    CHECK(first.holds(page_range(3)));
    CHECK_FALSE(first.holds(page_range(50)));
    CHECK_FALSE(first.holds({io::frame_bytes - 4, 8}));
    CHECK(cache.stats().read_bytes == 4 * io::page_bytes);
    // Two pages, for an object that lies across their border.
    const PartialPin more = cache.fetch(ids[0], {51 * io::page_bytes - 100, 200}).value();
    CHECK(first.holds({50 * io::page_bytes, 2 * io::page_bytes}));
    CHECK_FALSE(first.holds({50 * io::page_bytes, 2 * io::page_bytes + 1}));
    CHECK(number_at(more.bytes(), 51 * io::page_bytes) == mark(ids[0], 51));
    CHECK(cache.stats().read_bytes == 6 * io::page_bytes);
    CHECK(first.is_current());
  }
  const auto stats = cache.stats();
  CHECK(stats.frames == 0);
  CHECK(stats.partial_frames == 1);
  CHECK(stats.resident_bytes == 7 * io::page_bytes);  // one for the bookkeeping
  CHECK(stats.misses == 2);
  // Neither a pin nor a look finds it.
  CHECK_FALSE(cache.pin(ids[0]));
  CHECK_FALSE(cache.look(ids[0]));
  CHECK(cache.peek(ids[0]));
}

TEST_CASE("partial frame: a cache holds many more of them than whole frames", "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_marked_frames(world, 200);
  Cache& cache = world.cache();
  for (const FrameId id : ids) {
    CHECK(fetched_number(cache, id, 90) == mark(id, 90));
    CHECK(cache.stats().resident_bytes <= cache.budget_bytes());
  }
  CHECK(cache.stats().partial_frames > 100);
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    const FrameId id = ids[random() % ids.size()];
    const std::size_t page = 1 + random() % (pages - 1);
    CHECK(fetched_number(cache, id, page) == mark(id, page));
    CHECK(cache.stats().resident_bytes <= cache.budget_bytes());
  }
}

TEST_CASE("partial frame: with room to spare, frames that are read often come in long reads",
          "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_marked_frames(world, 1);
  Cache& cache = world.cache();
  for (std::size_t page = 1; page < pages; ++page) {
    CHECK(fetched_number(cache, ids[0], page) == mark(ids[0], page));
  }
  CHECK(cache.stats().misses < 20);
  CHECK(cache.stats().read_bytes <= (pages + 4) * io::page_bytes);  // nothing is read twice
}

TEST_CASE("partial frame: one that is used very much becomes whole", "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_marked_frames(world, 1);
  Cache& cache = world.cache();
  for (int i = 0; i < 2000 && cache.stats().frames == 0; ++i) {
    if (!cache.peek(ids[0])) static_cast<void>(cache.fetch(ids[0], page_range(7)).value());
  }
  CHECK(cache.stats().frames == 1);
  CHECK(cache.stats().partial_frames == 0);
  CHECK(cache.look(ids[0]));
  CHECK_FALSE(cache.fetch(ids[0], page_range(7)).value());
}

TEST_CASE("partial frame: a load reads what is missing, and a pin from before knows its end",
          "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_marked_frames(world, 1);
  Cache& cache = world.cache();
  PartialPin old = cache.fetch(ids[0], page_range(70)).value();
  CHECK(old.is_current());
  const std::uint64_t before = cache.stats().read_bytes;
  {
    const Pin whole = cache.load(ids[0]).value();
    CHECK(cache.stats().read_bytes - before <= (pages - 5) * io::page_bytes);
    for (std::size_t page = 1; page < pages; ++page) {
      CHECK(number_at(whole.bytes(), page * io::page_bytes) == mark(ids[0], page));
    }
    put_number(whole, 70 * io::page_bytes, 1);
    put_number(whole, 80 * io::page_bytes, 2);
  }
  CHECK_FALSE(old.is_current());
  CHECK(number_at(old.bytes(), 70 * io::page_bytes) == mark(ids[0], 70));
  CHECK(cache.stats().frames == 1);
  old = PartialPin();
  world.checkpoint();
  world.reopen();
  CHECK(fetched_number(world.cache(), ids[0], 70) == 1);
  CHECK(fetched_number(world.cache(), ids[0], 80) == 2);
}

TEST_CASE("P11: damage in a page that is loaded later is frame_corrupt for what it holds alone",
          "[unit][frame]") {
  World world(tight());
  const auto ids = make_marked_frames(world, 2);
  Cache& cache = world.cache();
  CHECK(fetched_number(cache, ids[0], 10) == mark(ids[0], 10));
  const std::uint64_t bit = (60 * io::page_bytes + 77) * 8 + 3;  // the first frame is in slot 1
  REQUIRE(world.directory().flip_bit("frames.dat", bit));
  const auto refused = cache.fetch(ids[0], page_range(60));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{Errc::frame_corrupt, ids[0].raw});
  CHECK_FALSE(cache.peek(ids[0]).value().holds(page_range(60)));
  CHECK(fetched_number(cache, ids[0], 10) == mark(ids[0], 10));
  CHECK(fetched_number(cache, ids[0], 61) == mark(ids[0], 61));
  CHECK(fetched_number(cache, ids[1], 60) == mark(ids[1], 60));
  // As a whole it cannot be had, and the failure takes nothing from the pages that can.
  CHECK(cache.load(ids[0]).error() == Error{Errc::frame_corrupt, ids[0].raw});
  CHECK(fetched_number(cache, ids[0], 10) == mark(ids[0], 10));
  REQUIRE(world.directory().flip_bit("frames.dat", bit));
  CHECK(fetched_number(cache, ids[0], 60) == mark(ids[0], 60));
  CHECK(cache.load(ids[0]));
}

TEST_CASE("P11: any flipped bit of a page fetched is found", "[unit][frame]") {
  World world(tight());
  const auto ids = make_marked_frames(world, 1);
  std::mt19937_64 random(9);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t bit = random() % (pages * io::page_bytes * 8);
    const std::size_t page = bit / 8 / io::page_bytes;
    CAPTURE(bit);
    world.reopen();
    REQUIRE(world.directory().flip_bit("frames.dat", bit));
    CHECK(world.cache().fetch(ids[0], page_range(page)).error() ==
          Error{Errc::frame_corrupt, ids[0].raw});
    REQUIRE(world.directory().flip_bit("frames.dat", bit));
    CHECK(fetched_number(world.cache(), ids[0], std::max<std::size_t>(page, 1)) ==
          mark(ids[0], std::max<std::size_t>(page, 1)));
  }
}

TEST_CASE("P11: a range beyond the used pages is frame_corrupt", "[unit][frame]") {
  World world(tight());
  const auto ids = make_marked_frames(world, 1);
  CHECK(world.cache().fetch(ids[0], page_range(pages)).error().code == Errc::frame_corrupt);
  CHECK(world.cache().fetch(FrameId{77}, {}).error() == Error{Errc::frame_corrupt, 77});
}

TEST_CASE("partial frame: a read error is io_failed, and the next fetch tries again",
          "[unit][frame]") {
  World world(tight());
  const auto ids = make_marked_frames(world, 1);
  Cache& cache = world.cache();
  world.directory().fail_read(1, Errc::io_failed);
  CHECK(cache.fetch(ids[0], page_range(9)).error().code == Errc::io_failed);
  CHECK(cache.stats().resident_bytes == 0);
  CHECK(fetched_number(cache, ids[0], 9) == mark(ids[0], 9));
  const std::uint64_t resident = cache.stats().resident_bytes;
  world.directory().fail_read(1, Errc::io_failed);
  CHECK(cache.fetch(ids[0], page_range(50)).error().code == Errc::io_failed);
  CHECK(cache.stats().resident_bytes == resident);
  CHECK(fetched_number(cache, ids[0], 50) == mark(ids[0], 50));
}

TEST_CASE("partial frame: scans of whole frames leave those that point reads use",
          "[unit][frame]") {
  World world(with_frames(32));
  const auto ids = make_marked_frames(world, 300);
  Cache& cache = world.cache();
  const auto read_hot = [&] {
    for (std::size_t i = 0; i < 60; ++i) static_cast<void>(fetched_number(cache, ids[i], 40));
  };
  for (int round = 0; round < 20; ++round) {
    read_hot();
    // Others among them, as a point workload has.
    for (std::size_t i = 60; i < 70; ++i) static_cast<void>(fetched_number(cache, ids[i], 40));
  }
  // Pressure decides who is used and who is not; then a scan over everything.
  for (std::size_t i = 70; i < 300; ++i) {
    CHECK(cache.load(ids[i]));
    if (i % 10 == 0) read_hot();
  }
  const std::uint64_t before = cache.stats().misses;
  read_hot();
  CHECK(cache.stats().misses - before <= 6);
}

TEST_CASE("eviction: its cost does not depend on how many frames there are", "[unit][frame]") {
  io::MemoryDirectory directory;
  const auto store = io::FileStore::open(directory, "frames.dat", {.create = true}).value();
  for (const std::size_t count : {100U, 1000U, 10000U}) {
    CAPTURE(count);
    CacheCore core(*store, uuid, {});
    std::deque<Resident> residents;
    EvictionQueues queues;
    for (std::size_t i = 0; i < count; ++i) {
      Resident& resident = residents.emplace_back(core);
      resident.id = i + 1;
      resident.pages = io::pages_per_frame;
      // All of them in use, which is the worst that can be.
      resident.state = Resident::referenced;
      queues.add_settled(resident);
    }
    for (std::size_t i = 0; i < 50; ++i) {
      const std::uint64_t before = queues.steps();
      Resident* const victim = queues.pick();
      REQUIRE(victim != nullptr);
      CHECK(queues.steps() - before <= EvictionQueues::steps_max);
    }
    CHECK(queues.size() == count - 50);
    for (Resident& resident : residents) resident.state = Resident::vacant;
  }
}

}  // namespace artfs::frame::test
