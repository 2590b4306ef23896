// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <catch2/catch.hpp>
#include <thread>

#include "fuse/wake_affinity.hpp"

using artfs::fuse::ThreadClass;
using artfs::fuse::WakeAffinity;

namespace {

constexpr std::uint32_t program = 4711;

// Stands until a test moves it.
std::uint64_t clock_ns = 0;

std::uint64_t test_clock() noexcept {
  return clock_ns;
}

// The program moves with each reply. True when the last request was to be answered as SCHED_IDLE.
bool bounce(WakeAffinity& affinity, std::uint32_t requests, std::uint32_t pid = program) {
  bool idle = false;
  for (std::uint32_t i = 0; i < requests; ++i) idle = affinity.on_request(pid, i % 2);
  return idle;
}

std::uint32_t requests_of_a_spell(WakeAffinity& affinity) {
  std::uint32_t count = 0;
  while (affinity.on_request(program, 0)) ++count;
  return count;
}

}  // namespace

TEST_CASE("A program that moves with each reply is kept where it is for a while", "[affinity]") {
  clock_ns = 1'000'000'000;
  WakeAffinity affinity(true, test_clock);
  REQUIRE_FALSE(bounce(affinity, WakeAffinity::moves_min));  // the first request is no move
  REQUIRE(affinity.on_request(program, 0));
  REQUIRE(requests_of_a_spell(affinity) == WakeAffinity::spell_requests);
  REQUIRE_FALSE(affinity.on_request(program, 0));
}

TEST_CASE("Programs that stay, or of which none moves twice in a row, are left alone",
          "[affinity]") {
  WakeAffinity affinity(true, test_clock);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    REQUIRE_FALSE(affinity.on_request(program, 0));
    REQUIRE_FALSE(affinity.on_request(program + 1, 1));  // another one on its own core
    REQUIRE_FALSE(affinity.on_request(program + 2, i / 2 % 2));
    REQUIRE_FALSE(affinity.on_request(0, i % 2));  // the kernel's own
  }
}

TEST_CASE("Where it does not help it rests in between", "[affinity]") {
  clock_ns = 1'000'000'000;
  WakeAffinity affinity(true, test_clock);
  std::uint32_t spells = 0;
  bool was_idle = false;
  std::uint32_t idle_requests = 0;
  constexpr std::uint32_t requests = 1'000'000;
  for (std::uint32_t i = 0; i < requests; ++i) {
    clock_ns += 10'000;  // 10 s in all
    const bool idle = affinity.on_request(program, i % 2);
    if (idle && !was_idle) ++spells;
    if (idle) ++idle_requests;
    was_idle = idle;
  }
  REQUIRE(spells >= 100);
  REQUIRE(idle_requests < requests / 4 * 3);  // spells of 10 ms, rests of up to 4

  // It did help for a while: the next is due at once.
  clock_ns += 2 * WakeAffinity::rest_ns_max;
  REQUIRE(bounce(affinity, 2 * WakeAffinity::moves_min));
  static_cast<void>(requests_of_a_spell(affinity));
  clock_ns += 2 * WakeAffinity::help_ns_min;
  REQUIRE(bounce(affinity, 2 * WakeAffinity::moves_min));
}

TEST_CASE("A spell that two looks have seen is over", "[affinity]") {
  clock_ns = 1'000'000'000;
  WakeAffinity affinity(true, test_clock);
  REQUIRE(affinity.look());
  REQUIRE(bounce(affinity, 2 * WakeAffinity::moves_min));
  REQUIRE_FALSE(affinity.look());
  REQUIRE(affinity.on_request(program, 0));
  REQUIRE(affinity.look());
  REQUIRE_FALSE(affinity.on_request(program, 0));
}

TEST_CASE("Without the privilege nothing is done", "[affinity]") {
  WakeAffinity affinity(false, test_clock);
  REQUIRE_FALSE(bounce(affinity, 1000));
}

TEST_CASE("A thread goes to SCHED_IDLE and back, and others can bring it back", "[affinity]") {
  if (!WakeAffinity::is_possible()) return;  // not root: covered by the case above
  std::thread([] {
    ThreadClass own;
    own.adopt();
    own.set_idle(true);
    REQUIRE(sched_getscheduler(0) == SCHED_IDLE);
    std::thread([&own] { own.restore(); }).join();
    REQUIRE(sched_getscheduler(0) == SCHED_OTHER);
    own.set_idle(true);
    REQUIRE(sched_getscheduler(0) == SCHED_IDLE);
    own.set_idle(false);
    REQUIRE(sched_getscheduler(0) == SCHED_OTHER);
  }).join();
}
