// SPDX-License-Identifier: Apache-2.0
// Planner: decides when a checkpoint runs, and runs it on a thread of its own.
//
// Contract:   `run` makes one checkpoint; it is called on the planner's thread only, one at a time.
//             `due` says whether anything changed since the last one (for the interval). After a
//             failed attempt the next automatic one waits for retry_delay; explicit ones do not.
// Threading:  kick: any thread, with or without locks, never blocks for I/O. checkpoint and
//             wait_for_attempt: without locks; they block until a checkpoint ended.
// Errors:     those of `run`, handed to everybody who waits for that attempt; store_stopped once the
//             planner ended.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include "artfs/result.hpp"

#include "base/mutex.hpp"
#include "engine/checkpoint/pace.hpp"

namespace artfs::engine::checkpoint {

class Planner {
 public:
  struct Work {
    std::function<Result<void>()> run;
    std::function<bool()> due;
    std::chrono::milliseconds interval{30000};
  };

  static constexpr std::chrono::milliseconds retry_delay{1000};

  // `pace` is hurried while somebody waits for an attempt; it outlives the planner.
  Planner(Pace& pace, Work work);
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;
  ~Planner();  // as stop()

  // Asks for a checkpoint soon. One that runs will do: whoever still has the need afterwards asks again.
  void kick() noexcept;
  // Makes a checkpoint that starts after this call, and waits for its end.
  [[nodiscard]] Result<void> checkpoint();
  // Asks for a checkpoint and waits until one that ran at or after this call has ended.
  [[nodiscard]] Result<void> wait_for_attempt();
  // Waits for a running checkpoint, then ends the thread. Idempotent.
  void stop() noexcept;

 private:
  void loop();
  // Returns when there is something to do; false: the planner ends.
  bool wait_for_work(base::MutexLock& lock) ARTFS_REQUIRES(mutex_);
  [[nodiscard]] Result<void> wait_until_ended(base::MutexLock& lock, std::uint64_t attempt)
      ARTFS_REQUIRES(mutex_);

  Pace& pace_;
  const Work work_;
  std::atomic<bool> kicked_{false};
  base::Mutex mutex_{base::Rank::checkpoint_state};
  base::CondVar wake_;
  base::CondVar ended_cond_;
  // Attempts are numbered from 1. started_ - ended_ is 0 or 1.
  std::uint64_t started_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t ended_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t wanted_ ARTFS_GUARDED_BY(mutex_) = 0;  // explicit: attempts up to this one must run
  Result<void> last_ ARTFS_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point not_before_ ARTFS_GUARDED_BY(mutex_);
  bool stopping_ ARTFS_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: everything above exists when it starts
};

}  // namespace artfs::engine::checkpoint
