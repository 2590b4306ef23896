// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "base/assert.hpp"
#include "base/mutex.hpp"
#include "support/death.hpp"

using artfs::base::CondVar;
using artfs::base::LockOrder;
using artfs::base::Mutex;
using artfs::base::MutexLock;
using artfs::base::Rank;
using artfs::base::same_rank;
using artfs::base::SameRank;
using artfs::test::aborts;

namespace {

struct Counter {
  Mutex mutex{Rank::leaf};
  CondVar changed;
  std::uint64_t value ARTFS_GUARDED_BY(mutex) = 0;
};

}  // namespace

TEST_CASE("assert: a false condition aborts, a true one does not", "[unit][base]") {
  CHECK(aborts([] { artfs::base::assertion_failed("x", "file", 1); }));
#if ARTFS_ASSERTIONS >= 1
  CHECK(aborts([] { ARTFS_ASSERT(1 + 1 == 3); }));
#endif
  CHECK_FALSE(aborts([] { ARTFS_ASSERT(1 + 1 == 2); }));
}

TEST_CASE("mutex: ranks taken upwards pass, downwards abort", "[unit][base]") {
  Mutex outer(Rank::directory);
  Mutex inner(Rank::log_tail);
  CHECK_FALSE(aborts([&] {
    const MutexLock first(outer);
    const MutexLock second(inner);
  }));
  CHECK(aborts([&] {
    const MutexLock first(inner);
    const MutexLock second(outer);
  }));
  CHECK(LockOrder::none_held());
}

TEST_CASE("mutex: one rank twice aborts unless taken in ascending order", "[unit][base]") {
  struct {
    Mutex low{Rank::inode};
    Mutex high{Rank::inode};
  } pair;  // members lie in ascending addresses

  CHECK(aborts([&] {
    const MutexLock first(pair.low);
    const MutexLock second(pair.high);
  }));
  CHECK_FALSE(aborts([&] {
    const MutexLock first(pair.low, same_rank);
    const MutexLock second(pair.high, same_rank);
  }));
  CHECK(aborts([&] {
    const MutexLock first(pair.high, same_rank);
    const MutexLock second(pair.low, same_rank);
  }));
  CHECK_FALSE(aborts([&] {
    const MutexLock first(pair.high, SameRank{10});
    const MutexLock second(pair.low, SameRank{20});
  }));
}

TEST_CASE("mutex: the order is forgotten with the lock", "[unit][base]") {
  Mutex outer(Rank::directory);
  Mutex inner(Rank::log_tail);
  {
    MutexLock lock(inner);
    lock.unlock();
    CHECK(LockOrder::none_held());
    lock.lock();
    CHECK_FALSE(LockOrder::none_held());
    CHECK_FALSE(LockOrder::none_held_from(Rank::log_tail));
    CHECK(LockOrder::none_held_from(Rank::leaf));
  }
  const MutexLock again(outer);
  CHECK(std::string(artfs::base::name_of(outer.rank())) == "directory");
}

TEST_CASE("mutex: threads that add under it lose nothing; a waiter sees the sum", "[unit][base]") {
  constexpr std::uint64_t rounds = 10'000;
  Counter counter;
  const auto body = [&] {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const MutexLock lock(counter.mutex);
      ++counter.value;
      counter.changed.notify_one();
    }
  };
  std::thread one(body);
  std::thread two(body);
  {
    MutexLock lock(counter.mutex);
    while (counter.value < 2 * rounds) counter.changed.wait(lock);
    CHECK(counter.value == 2 * rounds);
  }
  one.join();
  two.join();
}

TEST_CASE("condvar: a timed wait comes back without a notification", "[unit][base]") {
  Mutex mutex(Rank::leaf);
  CondVar never;
  MutexLock lock(mutex);
  CHECK_FALSE(never.wait_for(lock, std::chrono::milliseconds(1)));
  CHECK(lock.owns_lock());
}
