// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "engine/checkpoint/planner.hpp"

namespace artfs::engine::checkpoint {

namespace {

using namespace std::chrono_literals;

TEST_CASE("planner: an explicit checkpoint starts after the call and hands over its result",
          "[unit][engine]") {
  std::atomic<int> runs{0};
  Pace pace([] { return 0U; });
  Planner planner(pace, {.run = [&]() -> Result<void> {
                           ++runs;
                           return fail(Errc::no_space, 7);
                         },
                         .due = [] { return true; },
                         .interval = 1h});
  for (int round = 1; round <= 3; ++round) {
    const Result<void> result = planner.checkpoint();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error() == Error{Errc::no_space, 7});
    CHECK(runs == round);
  }
}

TEST_CASE("planner: the interval starts a checkpoint only when something is due",
          "[unit][engine]") {
  std::atomic<int> runs{0};
  std::atomic<bool> due{false};
  Pace pace([] { return 0U; });
  Planner planner(pace, {.run = [&]() -> Result<void> {
                           ++runs;
                           return {};
                         },
                         .due = [&] { return due.load(); },
                         .interval = 5ms});
  std::this_thread::sleep_for(50ms);
  CHECK(runs == 0);
  due = true;
  while (runs == 0) std::this_thread::sleep_for(5ms);
}

TEST_CASE("planner: kicks during a checkpoint are answered by it", "[unit][engine]") {
  std::atomic<int> runs{0};
  std::atomic<bool> hold{true};
  Pace pace([] { return 0U; });
  Planner planner(pace, {.run = [&]() -> Result<void> {
                           ++runs;
                           while (hold) std::this_thread::sleep_for(1ms);
                           return {};
                         },
                         .due = [] { return true; },
                         .interval = 1h});
  planner.kick();
  while (runs == 0) std::this_thread::sleep_for(1ms);
  for (int kick = 0; kick < 100; ++kick) planner.kick();
  hold = false;
  CHECK(planner.checkpoint().has_value());
  CHECK(runs == 2);
}

TEST_CASE("planner: waiters never miss the attempt they asked for", "[unit][engine]") {
  std::atomic<int> runs{0};
  Pace pace([] { return 0U; });
  Planner planner(pace, {.run = [&]() -> Result<void> {
                           ++runs;
                           return {};
                         },
                         .due = [] { return false; },
                         .interval = 1h});
  std::thread kicker([&] {
    for (int kick = 0; kick < 20000; ++kick) planner.kick();
  });
  for (int wait = 0; wait < 2000; ++wait) CHECK(planner.wait_for_attempt().has_value());
  kicker.join();
  CHECK(runs > 0);
}

TEST_CASE("planner: whoever waits when it stops gets an answer", "[unit][engine]") {
  std::atomic<bool> hold{true};
  std::atomic<int> runs{0};
  Pace pace([] { return 0U; });
  Planner planner(pace, {.run = [&]() -> Result<void> {
                           ++runs;
                           while (hold) std::this_thread::sleep_for(1ms);
                           return {};
                         },
                         .due = [] { return true; },
                         .interval = 1h});
  planner.kick();
  while (runs == 0) std::this_thread::sleep_for(1ms);
  Result<void> answer;
  std::thread waiter([&] { answer = planner.checkpoint(); });
  std::thread stopper([&] { planner.stop(); });
  std::this_thread::sleep_for(20ms);
  hold = false;
  waiter.join();
  stopper.join();
  const bool stopped_or_done = answer.has_value() || answer.error().code == Errc::store_stopped;
  CHECK(stopped_or_done);
}

// Half a second of work in pieces, as a checkpoint makes them; returns how long it took beside it.
std::chrono::nanoseconds rests_of(Pace& pace, std::chrono::milliseconds piece, int pieces) {
  pace.begin();
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < pieces; ++i) {
    std::this_thread::sleep_for(piece);
    pace.did();
  }
  const auto took = std::chrono::steady_clock::now() - began;
  return took - std::chrono::nanoseconds(pace.work_ns());
}

TEST_CASE("pace: a checkpoint nobody waits for rests three times as long as it works",
          "[unit][engine]") {
  Pace pace([] { return 0U; });
  const auto rested = rests_of(pace, 5ms, 4);
  CHECK(rested >= 60ms);  // a timed wait is never shorter than asked for
  CHECK(pace.rested_ns() >= 60'000'000);
  CHECK(pace.work_ns() < 10'000'000'000);
}

TEST_CASE("pace: it rests less as the pressure grows, and not at all in the end",
          "[unit][engine]") {
  Pace half([] { return 50U; });
  CHECK(rests_of(half, 5ms, 4) >= 30ms);
  Pace full([] { return 100U; });
  (void)rests_of(full, 5ms, 4);
  CHECK(full.rested_ns() == 0);
}

TEST_CASE("pace: small pieces of work are rested for together", "[unit][engine]") {
  std::atomic<int> asked{0};
  Pace pace([&] {
    ++asked;
    return 100U;
  });
  pace.begin();
  for (int piece = 0; piece < 1000; ++piece) pace.did();
  CHECK(asked < 1000);
}

TEST_CASE("pace: whoever waits for the checkpoint ends its rest", "[unit][engine]") {
  Pace pace([] { return 0U; });
  std::atomic<bool> done{false};
  std::thread checkpointer([&] {
    pace.begin();
    std::this_thread::sleep_for(1500ms);  // would rest for 4.5 s
    pace.did();
    done = true;
  });
  {
    const Pace::Hurry hurry(pace);
    checkpointer.join();
  }
  CHECK(done);
  CHECK(pace.rested_ns() < 3'000'000'000);
}

}  // namespace

}  // namespace artfs::engine::checkpoint
