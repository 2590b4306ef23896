// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "sync/latch.hpp"

using artfs::base::Rank;
using artfs::sync::ExclusiveGuard;
using artfs::sync::Latch;
using artfs::sync::OptimisticGuard;
using artfs::sync::Racy;
using artfs::sync::SharedGuard;

namespace {

void run_threads(const std::vector<void (*)(void*)>& bodies, void* context) {
  std::vector<std::thread> threads;
  threads.reserve(bodies.size());
  for (const auto body : bodies) threads.emplace_back(body, context);
  for (std::thread& thread : threads) thread.join();
}

constexpr std::uint64_t rounds = 20'000;

struct Shared {
  Latch latch{Rank::frame_latch};
  std::array<std::uint64_t, 8> plain{};  // all equal whenever the latch is not exclusive
  std::array<Racy<std::uint64_t>, 8> racy{};
  std::atomic<std::uint64_t> mixtures{0};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<bool> stop{false};
};

void write_plain(void* context) {
  auto& shared = *static_cast<Shared*>(context);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const ExclusiveGuard guard(shared.latch);
    for (auto& field : shared.plain) ++field;
  }
}

void read_plain(void* context) {
  auto& shared = *static_cast<Shared*>(context);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const SharedGuard guard(shared.latch);
    for (const auto field : shared.plain) {
      if (field != shared.plain[0]) shared.mixtures.fetch_add(1);
    }
  }
}

// Goes on until a reader got in: on a busy machine that may be long after the first rounds.
void write_racy(void* context) {
  auto& shared = *static_cast<Shared*>(context);
  for (std::uint64_t i = 0; i < rounds || shared.reads.load() == 0; ++i) {
    {
      const ExclusiveGuard guard(shared.latch);
      for (auto& field : shared.racy) field.store(field.load() + 1);
    }
    if (i >= rounds) std::this_thread::yield();
  }
  shared.stop.store(true);
}

void read_racy(void* context) {
  auto& shared = *static_cast<Shared*>(context);
  do {
    std::array<std::uint64_t, 8> copy{};
    const OptimisticGuard guard(shared.latch);
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = shared.racy[i].load();
    if (!guard.valid()) continue;
    shared.reads.fetch_add(1);
    for (const auto field : copy) {
      if (field != copy[0]) shared.mixtures.fetch_add(1);
    }
  } while (!shared.stop.load());
}

void upgrade_racy(void* context) {
  auto& shared = *static_cast<Shared*>(context);
  for (std::uint64_t done = 0; done < rounds;) {
    OptimisticGuard reader(shared.latch);
    const std::uint64_t value = shared.racy[0].load();
    const auto writer = ExclusiveGuard::upgrade(shared.latch, std::move(reader));
    if (!writer) continue;
    for (auto& field : shared.racy) field.store(value + 1);
    ++done;
  }
}

}  // namespace

TEST_CASE("latch: an exclusive holder invalidates optimistic readers, a shared one does not",
          "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  const OptimisticGuard before(latch);
  CHECK(before.valid());
  { const SharedGuard reader(latch); }
  CHECK(before.valid());
  {
    const ExclusiveGuard writer(latch);
    CHECK_FALSE(before.valid());
    const OptimisticGuard during(latch);
    CHECK_FALSE(during.valid());
  }
  CHECK_FALSE(before.valid());
  const OptimisticGuard after(latch);
  CHECK(after.valid());
}

TEST_CASE("latch: an upgrade succeeds only when nobody wrote since the read", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  OptimisticGuard stale(latch);
  { const ExclusiveGuard writer(latch); }
  CHECK_FALSE(ExclusiveGuard::upgrade(latch, std::move(stale)));
  OptimisticGuard fresh(latch);
  CHECK(ExclusiveGuard::upgrade(latch, std::move(fresh)));
  const OptimisticGuard after(latch);
  CHECK(after.valid());  // the guard above is gone, and a failed upgrade left nothing locked
}

TEST_CASE("latch: a moved guard unlocks once", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  {
    ExclusiveGuard first(latch);
    const ExclusiveGuard second(std::move(first));
    CHECK(second);
  }
  {
    SharedGuard first(latch);
    const SharedGuard second(std::move(first));
  }
  const ExclusiveGuard again(latch);
  CHECK(again);
}

TEST_CASE("latch: shared holders run at the same time", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  const SharedGuard here(latch);
  std::atomic<bool> inside{false};
  std::thread other([&] {
    const SharedGuard there(latch);
    inside.store(true);
  });
  other.join();  // would hang if the modes excluded each other
  CHECK(inside.load());
}

TEST_CASE("latch: writers and shared readers exclude each other and all finish", "[unit][sync]") {
  Shared shared;
  run_threads({write_plain, write_plain, read_plain, read_plain, read_plain}, &shared);
  CHECK(shared.mixtures.load() == 0);
  for (const auto field : shared.plain) CHECK(field == 2 * rounds);
}

TEST_CASE("P4: a validated optimistic read is never a mixture of two writes", "[unit][sync]") {
  Shared shared;
  run_threads({write_racy, read_racy, read_racy}, &shared);
  CHECK(shared.mixtures.load() == 0);
  CHECK(shared.reads.load() > 0);
}

TEST_CASE("latch: upgrades lose no update", "[unit][sync]") {
  Shared shared;
  run_threads({upgrade_racy, upgrade_racy, upgrade_racy}, &shared);
  for (const auto& field : shared.racy) CHECK(field.load() == 3 * rounds);
}

TEST_CASE("FAIR: readers get in between writers that never pause", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) const ExclusiveGuard guard(latch);
    });
  }
  for (int i = 0; i < 2'000; ++i) const SharedGuard guard(latch);  // hangs if readers starve
  stop.store(true);
  for (std::thread& writer : writers) writer.join();
  SUCCEED();
}

TEST_CASE("FAIR: a writer gets in between readers that never pause", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) const SharedGuard guard(latch);
    });
  }
  for (int i = 0; i < 2'000; ++i) const ExclusiveGuard guard(latch);  // hangs if writers starve
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  SUCCEED();
}

TEST_CASE("latch: everybody who parked behind a long holder gets in", "[unit][sync]") {
  Latch latch(Rank::frame_latch);
  std::uint64_t written = 0;
  std::atomic<std::uint64_t> read{0};
  for (int round = 0; round < 5; ++round) {
    std::vector<std::thread> threads;
    {
      const ExclusiveGuard holder(latch);
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
          const ExclusiveGuard guard(latch);
          ++written;
          std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the next ones park again
        });
        threads.emplace_back([&] {
          const SharedGuard guard(latch);
          read.fetch_add(1);
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
        });
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // long enough to park
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(written == 15);
  CHECK(read.load() == 15);
}
