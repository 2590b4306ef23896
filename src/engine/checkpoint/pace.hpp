// SPDX-License-Identifier: Apache-2.0
// Pace: how much of the device a checkpoint leaves to everybody else.
//
// Contract:   the checkpointer tells of every piece of work, and rests in proportion: three times as long
//             while nothing presses, less as `pressure` grows, not at all when somebody waits for the
//             checkpoint (a Hurry lives) or once it has rested for rest_max. So its share of the device is
//             a quarter at most while foreground work has room, whatever the device's speed.
// Threading:  begin, did, work_ns: the checkpointer. Hurry: any thread, without locks above
//             Rank::checkpoint_pace; it wakes a resting checkpointer. `pressure` is called without locks.
// Cost:       did: a clock read and an addition; a rest costs a timed wait.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/mutex.hpp"

namespace artfs::engine::checkpoint {

class Pace {
 public:
  // 0: nothing presses, 100: the checkpoint is needed now.
  using Pressure = std::function<unsigned()>;

  static constexpr unsigned rest_share = 3;
  static constexpr std::chrono::milliseconds rest_max{10000};  // in one checkpoint
  // Work done before a rest: shorter ones cost more in timers than they give.
  static constexpr std::chrono::microseconds work_before_rest{2000};
  // The pressure is looked at this often during a rest.
  static constexpr std::chrono::microseconds slice{2000};

  explicit Pace(Pressure pressure) : pressure_(std::move(pressure)) {}

  // Somebody waits for the checkpoint for as long as it lives.
  class [[nodiscard]] Hurry {
   public:
    explicit Hurry(Pace& pace) noexcept;
    Hurry(const Hurry&) = delete;
    Hurry& operator=(const Hurry&) = delete;
    ~Hurry();

   private:
    Pace& pace_;
  };

  void begin() noexcept;
  // A piece of work has ended, and another is to come.
  void did() noexcept;
  // Since begin(), rests left out.
  [[nodiscard]] std::uint64_t work_ns() const noexcept;

  // Of all checkpoints.
  [[nodiscard]] std::uint64_t rested_ns() const noexcept {
    return rested_ns_.load(std::memory_order_relaxed);
  }

 private:
  // At most so long; how long it was.
  [[nodiscard]] std::uint64_t rest(std::uint64_t length_ns) noexcept;

  const Pressure pressure_;
  std::uint64_t began_ns_ = 0;
  std::uint64_t work_began_ns_ = 0;   // of the work not yet rested for
  std::uint64_t rested_this_ns_ = 0;  // since begin()
  std::atomic<std::uint64_t> rested_ns_{0};
  base::Mutex mutex_{base::Rank::checkpoint_pace};
  base::CondVar hurried_;
  unsigned hurries_ ARTFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace artfs::engine::checkpoint
