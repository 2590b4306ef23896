// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "frame_cache_support.hpp"
#include "sync/gate.hpp"

namespace artfs::frame::test {
namespace {

constexpr std::size_t writers_count = 3;
constexpr std::size_t frames_per_writer = 6;

// Places of the same number in four pages of a frame: a state between two writes shows.
constexpr std::array<std::size_t, 4> places{1 * io::page_bytes, 2 * io::page_bytes + 8,
                                            63 * io::page_bytes + 16, 64 * io::page_bytes + 24};

void write_all(const Pin& pin, std::uint64_t number) {
  for (const std::size_t place : places) put_number(pin, place, number);
}

// The number in every place of a frame's newest home image.
std::uint64_t number_of(std::span<const std::byte> bytes) {
  const std::uint64_t number = number_at(bytes, places[0]);
  for (const std::size_t place : places) CHECK(number_at(bytes, place) == number);
  return number;
}

// What the engine is to the cache: a gate, a checkpointer, writers with a latch (here: own frames).
struct Engine {
  explicit Engine(CacheOptions options) : world(std::move(options)) {}

  void checkpoint() {
    FrozenSet set;
    {
      const sync::GateExclusive closed(gate);
      set = world.cache().freeze();
      // The state that must come back: what writers had applied at this moment.
      at_freeze = applied_copy();
    }
    REQUIRE(world.write_home(set));
    world.commit(std::move(set));
    durable = at_freeze;
  }

  std::map<std::uint64_t, std::uint64_t> applied_copy() {
    std::map<std::uint64_t, std::uint64_t> copy;
    for (std::size_t i = 0; i < applied.size(); ++i) {
      if (applied[i].id != 0) copy[applied[i].id] = applied[i].number;
    }
    return copy;
  }

  struct Applied {
    std::uint64_t id = 0;  // 0: no frame
    std::uint64_t number = 0;
  };

  World world;
  sync::Gate gate{base::Rank::commit_gate};
  std::array<Applied, writers_count * frames_per_writer> applied;  // each writer its own part
  std::map<std::uint64_t, std::uint64_t> at_freeze;
  std::map<std::uint64_t, std::uint64_t> durable;
};

// What the engine does before a change: dirt may not take the whole budget.
void wait_for_checkpoint(const Cache& cache, const std::atomic<bool>& stop) {
  while (!stop && cache.unevictable_bytes() > cache.budget_bytes() / 8 * 7) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Changes, removes and makes frames of its own part until told to stop.
void run_writer(Engine& engine, std::size_t writer, const std::atomic<bool>& stop,
                std::atomic<std::uint64_t>& failures) {
  std::mt19937_64 random(writer);
  Cache& cache = engine.world.cache();
  for (std::uint64_t number = 1; !stop; ++number) {
    auto& mine = engine.applied[writer * frames_per_writer + random() % frames_per_writer];
    wait_for_checkpoint(cache, stop);
    auto reserve = cache.reserve(1);
    Result<Pin> pin = mine.id != 0 ? cache.load(FrameId{mine.id}) : Result<Pin>(Pin());
    if (!reserve || !pin) {
      ++failures;
      continue;
    }
    const sync::GateLease lease(engine.gate);
    if (mine.id == 0) {
      const Pin fresh = cache.create(*reserve);
      write_all(fresh, number);
      mine = {fresh.id().raw, number};
    } else if (random() % 20 == 0) {
      cache.remove(std::move(*pin));
      mine = {};
    } else {
      if (number_at(pin->bytes(), places[0]) != mine.number) ++failures;
      write_all(*pin, number);
      mine.number = number;
    }
  }
}

}  // namespace

TEST_CASE("I3: freezing is atomic against writers, at every checkpoint of a run", "[unit][frame]") {
  std::atomic<int> wanted{0};
  CacheOptions options = with_frames(16);
  options.on_pressure = [&wanted] { return ++wanted > 0; };
  Engine engine(options);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> failures{0};
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < writers_count; ++i) {
    writers.emplace_back([&, i] { run_writer(engine, i, stop, failures); });
  }
  for (int round = 0; round < 40; ++round) {
    engine.checkpoint();
    // Readers of the durable state see exactly what was applied at the freeze.
    Cache reopened(engine.world.store(), uuid, with_frames(32));
    const auto slots_in_use = engine.world.manifest().frames();
    CHECK(slots_in_use.size() == engine.durable.size());
    for (const auto& [id, number] : engine.durable) {
      const io::AlignedBuffer bytes(io::frame_bytes);
      REQUIRE(engine.world.store().read(engine.world.manifest().slots.at(id), 0, bytes.span()));
      CHECK(format::check_header(bytes.span().first(io::page_bytes), uuid, FrameId{id}));
      CHECK(number_of(bytes.span()) == number);
    }
  }
  stop = true;
  engine.checkpoint();  // frees those who wait for memory
  for (auto& writer : writers) writer.join();
  CHECK(failures == 0);
  engine.checkpoint();
  const auto stats = engine.world.cache().stats();
  CHECK(stats.dirty_bytes == 0);
  CHECK(engine.world.cache().unevictable_bytes() == 0);
  CHECK(stats.resident_bytes <= stats.budget_bytes);
}

TEST_CASE("frame cache: the budget holds under random loads and changes of several threads",
          "[unit][frame]") {
  constexpr std::size_t frames = 120;
  CacheOptions options = with_frames(24);
  std::atomic<bool> pressed{false};
  options.on_pressure = [&pressed] { return pressed = true; };
  Engine engine(options);
  Cache& cache = engine.world.cache();
  std::vector<FrameId> ids;
  for (std::uint64_t i = 0; i < frames; ++i) {
    ids.push_back(engine.world.make_frame(i));
    if (i % 6 == 5) engine.checkpoint();
  }
  engine.checkpoint();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> bad{0};
  std::atomic<std::uint64_t> resident_max{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t + 100);
      for (int i = 0; i < 2500; ++i) {
        const bool is_writer = t % 2 == 0;
        // Writers own the frames of their remainder; readers look at page 1, which nobody changes.
        std::size_t at = random() % frames;
        if (is_writer) at = at / 4 * 4 + t;
        if (is_writer) wait_for_checkpoint(cache, stop);
        const auto pin = cache.load(ids[at]);
        if (!pin || number_at(pin->bytes(), io::page_bytes) != at) {
          ++bad;
          continue;
        }
        if (is_writer) {
          const sync::GateLease lease(engine.gate);
          put_number(*pin, (2 + random() % 100) * io::page_bytes, random());
        }
        const std::uint64_t now = cache.stats().resident_bytes;
        if (now > resident_max) resident_max = now;
      }
    });
  }
  std::thread checkpointer([&] {
    while (!stop) {
      if (pressed.exchange(false) || cache.unevictable_bytes() > cache.budget_bytes() / 2) {
        engine.checkpoint();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (auto& thread : threads) thread.join();
  stop = true;
  checkpointer.join();
  CHECK(bad == 0);
  // Images saved during a checkpoint come on top until the next load makes room: far below a frame each.
  CHECK(resident_max <= 24 * io::frame_bytes + 8 * io::frame_bytes);
  CHECK(cache.stats().evictions > 0);
}

TEST_CASE("frame cache: pins taken without a lock race with eviction and never see another frame",
          "[unit][frame]") {
  World world(with_frames(16));
  std::vector<FrameId> ids;
  for (std::uint64_t i = 0; i < 40; ++i) {
    ids.push_back(world.make_frame(i));
    world.checkpoint();
  }
  std::atomic<std::uint64_t> bad{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 6000; ++i) {
        const std::size_t at = random() % ids.size();
        const auto pin = i % 8 == 0 ? world.cache().load(ids[at]) : world.cache().pin(ids[at]);
        if (!pin) {
          if (pin.error().code != Errc::frame_not_resident) ++bad;
          continue;
        }
        if (pin->id() != ids[at] || number_at(pin->bytes(), io::page_bytes) != at) ++bad;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(bad == 0);
  CHECK(world.cache().stats().frames <= 16);
}

}  // namespace artfs::frame::test
