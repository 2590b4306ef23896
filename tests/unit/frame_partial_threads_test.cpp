// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "frame_cache_support.hpp"

namespace artfs::frame::test {
namespace {

constexpr std::size_t pages = 40;  // of each frame, in use
constexpr std::size_t frames = 24;

// Every page of a frame carries the frame's number and the round of its last change, the same in all pages.
void write_round(const Pin& pin, std::uint64_t round) {
  const sync::ExclusiveGuard alone(pin.latch(), base::SameRank{pin.id().raw});
  for (std::size_t page = 1; page < pages; ++page) {
    put_number(pin, page * io::page_bytes, (pin.id().raw << 32U) | round);
  }
}

struct Totals {
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> outdated{0};
  std::atomic<std::uint64_t> failed{0};
};

// Reads two pages of one frame: they belong to one round, and to none before the round known to be done.
void read_pair(Cache& cache, FrameId id, std::mt19937_64& random,
               const std::atomic<std::uint64_t>& done, Totals& totals) {
  const std::size_t one = 1 + random() % (pages - 1);
  const std::size_t two = 1 + random() % (pages - 1);
  const std::uint64_t at_least = done.load();
  const auto fetch = [&](std::size_t page) {
    return cache.fetch(id, {page * io::page_bytes, sizeof(std::uint64_t)});
  };
  const Result<PartialPin> first = fetch(one);
  if (!first) {
    ++totals.failed;
    return;
  }
  if (!*first || !fetch(two)) return;
  if (!first->holds({two * io::page_bytes, sizeof(std::uint64_t)})) return;  // became another one
  const std::uint64_t left = number_at(first->bytes(), one * io::page_bytes);
  const std::uint64_t right = number_at(first->bytes(), two * io::page_bytes);
  ++totals.reads;
  if (left != right || left >> 32U != id.raw) ++totals.wrong;
  if (first->is_current() && (left & 0xffffffffU) < at_least) ++totals.outdated;
}

}  // namespace

TEST_CASE("partial frame: reads of parts race with loads, changes, checkpoints and evictions",
          "[unit][frame]") {
  CacheOptions options = with_frames(4);
  std::atomic<bool> wanted{false};
  options.on_pressure = [&wanted] { return wanted = true; };
  World world(options);
  std::vector<FrameId> ids;
  for (std::size_t i = 0; i < frames; ++i) {
    FrameReserve reserve = world.cache().reserve(1).value();
    const Pin pin = world.cache().create(reserve);
    write_round(pin, 1);
    ids.push_back(pin.id());
    if (i % 2 == 1) world.checkpoint();
  }
  std::vector<std::atomic<std::uint64_t>> done(frames);
  Totals totals;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 3; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!stop) {
        const std::size_t i = random() % frames;
        read_pair(world.cache(), ids[i], random, done[i], totals);
      }
    });
  }
  std::mt19937_64 random(42);
  for (std::uint64_t round = 2; round < 400; ++round) {
    const std::size_t i = random() % frames;
    {
      const Result<Pin> pin = world.cache().load(ids[i]);
      REQUIRE(pin);
      write_round(*pin, round);
      done[i] = round;
    }
    if (round % 2 == 0) world.checkpoint();
  }
  while (totals.reads < 500) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(totals.wrong == 0);
  CHECK(totals.outdated == 0);
  CHECK(totals.failed == 0);
  CHECK(world.cache().stats().evictions > 100);
  const std::uint64_t budget = world.cache().budget_bytes();
  CHECK(world.cache().stats().resident_bytes <= budget + 8 * io::frame_bytes);
}

}  // namespace artfs::frame::test
