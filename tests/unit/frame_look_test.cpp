// SPDX-License-Identifier: Apache-2.0
// Looks: what an optimistic reader of one frame notices, and the latches behind it.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "frame_cache_support.hpp"
#include "support/death.hpp"
#include "sync/latch.hpp"

using namespace artfs;
using namespace artfs::frame;
using namespace artfs::frame::test;

namespace {

std::vector<FrameId> make_home_frames(World& world, std::size_t count) {
  std::vector<FrameId> ids;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(world.make_frame(i));
    if (i % 4 == 3) world.checkpoint();
  }
  world.checkpoint();
  return ids;
}

constexpr std::size_t at = io::page_bytes;

sync::ExclusiveGuard exclusive(const Pin& pin) {
  return {pin.latch(), base::SameRank{pin.id().raw}};
}

}  // namespace

TEST_CASE("look: reads a resident frame, pins nothing, writes nothing", "[unit][frame]") {
  World world(with_frames(16));
  const FrameId id = world.make_frame(7);
  Look look = world.cache().look(id).value();
  CHECK(look.id() == id);
  CHECK(number_at(look.bytes(), at) == 7);
  CHECK(look.valid());
  look.close();
  CHECK(look.valid());
  CHECK(look.reopen());
  CHECK(number_at(look.bytes(), at) == 7);
  look.close();
  CHECK(world.cache().look(FrameId{999}).error().code == Errc::frame_not_resident);
}

TEST_CASE("look: notices a writer, while it writes and afterwards", "[unit][frame]") {
  World world(with_frames(16));
  const Pin pin = world.cache().load(world.make_frame(7)).value();
  Look look = world.cache().look(pin.id()).value();
  look.close();
  {
    const sync::ExclusiveGuard writing = exclusive(pin);
    CHECK_FALSE(look.valid());
  }
  CHECK_FALSE(look.valid());
  CHECK_FALSE(look.reopen());
  CHECK(world.cache().look(pin.id()).value().valid());
}

TEST_CASE("look: a shared holder, a pin and a failed upgrade disturb nobody", "[unit][frame]") {
  World world(with_frames(16));
  const Pin pin = world.cache().load(world.make_frame(7)).value();
  Look look = world.cache().look(pin.id()).value();
  look.close();
  { const sync::SharedGuard shared(pin.latch()); }
  const base::SameRank order{pin.id().raw};
  CHECK_FALSE(sync::ExclusiveGuard::take_unchanged(pin.latch(), order, look.version() + 2));
  CHECK(look.valid());
  {
    const auto writing = sync::ExclusiveGuard::take_unchanged(pin.latch(), order, look.version());
    CHECK(writing);
    CHECK_FALSE(look.valid());
  }
  CHECK_FALSE(look.valid());
}

TEST_CASE("look: notices that its frame was evicted, and its memory recycled", "[unit][frame]") {
  World world(with_frames(16));
  const auto ids = make_home_frames(world, 64);
  std::vector<Look> looks;
  for (const FrameId id : ids) {
    (void)world.read_number(id);
    looks.push_back(world.cache().look(id).value());
    looks.back().close();
  }
  std::size_t valid = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool is_there = static_cast<bool>(world.cache().pin(ids[i]));
    CHECK(looks[i].valid() == is_there);
    CHECK(static_cast<bool>(looks[i].pin()) == is_there);
    valid += is_there ? 1U : 0U;
  }
  CHECK(valid == 16);
  // Back, at another place or the same: still another life.
  const Look now = world.cache().look(ids.back()).value();
  CHECK(now.valid());
  CHECK(world.read_number(ids[0]) == 0);
  CHECK_FALSE(looks[0].valid());
}

TEST_CASE("look: marks its frame as used, so that it stays longer", "[unit][frame]") {
  World world(with_frames(20));
  const auto ids = make_home_frames(world, 100);
  (void)world.read_number(ids[5]);
  (void)world.read_number(ids[6]);
  for (std::size_t i = 20; i < 100; ++i) {
    // Used all the time, by looks alone; the others once.
    if (Result<Look> look = world.cache().look(ids[5])) look->close();
    (void)world.read_number(ids[i]);
  }
  CHECK(world.cache().pin(ids[5]));
  CHECK_FALSE(world.cache().pin(ids[6]));
}

TEST_CASE("look: notices removal; who holds the latch keeps a pin", "[unit][frame]") {
  World world(with_frames(16));
  Pin pin = world.cache().load(world.make_frame(7)).value();
  const FrameId id = pin.id();
  Look look = world.cache().look(id).value();
  look.close();
  {
    const Pin kept = pin.clone();
    const sync::ExclusiveGuard writing = exclusive(kept);
    world.cache().remove(std::move(pin));
    CHECK_FALSE(look.valid());
  }
  CHECK_FALSE(look.valid());
  CHECK(world.cache().look(id).error().code == Errc::frame_not_resident);
  CHECK_FALSE(look.pin());
  // The memory comes back although nothing else is removed.
  for (std::size_t i = 0; i < 3; ++i) (void)world.make_frame(i);
  CHECK(world.cache().stats().frames == 3);
  CHECK_FALSE(look.valid());
}

TEST_CASE("frame latches are taken in ascending order of frame id, else abort", "[unit][frame]") {
  World world(with_frames(16));
  const Pin low = world.cache().load(world.make_frame(1)).value();
  const Pin high = world.cache().load(world.make_frame(2)).value();
  CHECK_FALSE(artfs::test::aborts([&] {
    const sync::ExclusiveGuard first = exclusive(low);
    const sync::ExclusiveGuard second = exclusive(high);
  }));
  CHECK(artfs::test::aborts([&] {
    const sync::ExclusiveGuard first = exclusive(high);
    const sync::ExclusiveGuard second = exclusive(low);
  }));
}

TEST_CASE("P4: what a look read and validated is never a mixture, under writers and eviction",
          "[unit][frame]") {
  World world(with_frames(10));
  const auto ids = make_home_frames(world, 24);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  const auto read_all = [&] {
    while (!stop.load()) {
      for (const FrameId id : ids) {
        Result<Look> look = world.cache().look(id);
        if (!look) continue;
        const std::uint64_t first = number_at(look->bytes(), at);
        const std::uint64_t last = number_at(look->bytes(), 9 * at - 8);
        const std::uint64_t raw = look->bytes().empty() ? 0 : look->id().raw;
        if (!look->valid()) continue;
        // The same writer wrote both, or nobody did yet.
        if ((last != 0 && last != first + 1) || raw != id.raw) stop = true;
        reads.fetch_add(1);
      }
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back(read_all);
  for (std::uint64_t round = 1; round <= 300 && !stop.load(); ++round) {
    for (std::size_t i = round % 3; i < ids.size(); i += 7) {
      const Pin pin = world.cache().load(ids[i]).value();
      const sync::ExclusiveGuard writing = exclusive(pin);
      put_number(pin, at, round * 1000 + i);
      put_number(pin, 9 * at - 8, round * 1000 + i + 1);
    }
    world.checkpoint();
  }
  while (reads.load() == 0) std::this_thread::yield();
  const bool is_torn = stop.exchange(true);
  for (std::thread& reader : readers) reader.join();
  CHECK_FALSE(is_torn);
}

TEST_CASE("hits are counted exactly, by however many threads", "[unit][frame]") {
  World world(with_frames(16));
  const FrameId id = world.make_frame(7);
  const std::uint64_t before = world.cache().stats().hits;
  constexpr std::uint64_t threads_count = 80;  // more than there are places
  std::atomic<std::uint64_t> ready{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < threads_count; ++i) {
    threads.emplace_back([&] {
      ready.fetch_add(1);
      while (ready.load() < threads_count) std::this_thread::yield();
      for (int n = 0; n < 500; ++n) {
        const Look look = world.cache().look(id).value();
        if (look.id() != id) ready.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(world.cache().stats().hits == before + threads_count * 500);
  CHECK(ready.load() == threads_count);
}
