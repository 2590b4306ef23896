// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "sync/gate.hpp"

using artfs::base::Rank;
using artfs::sync::Gate;
using artfs::sync::GateExclusive;
using artfs::sync::GateLease;

TEST_CASE("gate: leases are held together", "[unit][sync]") {
  Gate gate(Rank::commit_gate);
  const GateLease here(gate);
  std::atomic<bool> inside{false};
  std::thread other([&] {
    const GateLease there(gate);
    inside.store(true);
  });
  other.join();  // would hang if leases excluded each other
  CHECK(inside.load());
}

TEST_CASE("I3: inside an exclusive gate nobody holds a lease and all their work is visible",
          "[unit][sync]") {
  constexpr std::uint64_t rounds = 20'000;
  constexpr std::size_t threads_count = 4;
  Gate gate(Rank::commit_gate);

  // Two numbers per thread that are equal except inside that thread's lease; plain on purpose.
  struct alignas(64) Pair {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };

  std::vector<Pair> pairs(threads_count);
  std::atomic<std::size_t> running{threads_count};
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads_count; ++i) {
    workers.emplace_back([&, i] {
      for (std::uint64_t round = 0; round < rounds; ++round) {
        const GateLease lease(gate);
        ++pairs[i].first;
        ++pairs[i].second;
      }
      running.fetch_sub(1);
    });
  }
  std::uint64_t violations = 0;
  std::uint64_t closed_count = 0;
  do {
    const GateExclusive exclusive(gate);
    ++closed_count;
    for (const Pair& pair : pairs) violations += pair.first != pair.second ? 1 : 0;
  } while (running.load() > 0);
  for (std::thread& worker : workers) worker.join();
  CHECK(violations == 0);
  CHECK(closed_count > 0);
  for (const Pair& pair : pairs) CHECK(pair.second == rounds);
}

TEST_CASE("gate: two exclusive holders exclude each other", "[unit][sync]") {
  constexpr std::uint64_t rounds = 5'000;
  Gate gate(Rank::commit_gate);
  std::uint64_t value = 0;
  const auto body = [&] {
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const GateExclusive exclusive(gate);
      ++value;
    }
  };
  std::thread one(body);
  std::thread two(body);
  one.join();
  two.join();
  CHECK(value == 2 * rounds);
}

TEST_CASE("gate: a lease may end on another processor than it began on", "[unit][sync]") {
  Gate gate(Rank::commit_gate);
  for (int i = 0; i < 1'000; ++i) {
    const GateLease lease(gate);
    std::this_thread::yield();
  }
  const GateExclusive exclusive(gate);  // hangs if a count was left behind
  SUCCEED();
}

TEST_CASE("gate: leases and exclusive holders that parked get in", "[unit][sync]") {
  Gate gate(Rank::commit_gate);
  std::uint64_t changed = 0;
  std::atomic<std::uint64_t> leased{0};
  for (int round = 0; round < 5; ++round) {
    std::vector<std::thread> threads;
    {
      const GateLease holder(gate);
      for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
          const GateExclusive exclusive(gate);
          ++changed;
          std::this_thread::sleep_for(std::chrono::milliseconds(2));  // leases park meanwhile
        });
        threads.emplace_back([&] {
          const GateLease lease(gate);
          leased.fetch_add(1);
        });
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // long enough to park
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(changed == 10);
  CHECK(leased.load() == 10);
}
