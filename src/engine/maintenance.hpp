// SPDX-License-Identifier: Apache-2.0
// Maintenance: the thread that tends frames which erases left with little in them.
//
// Contract:   offer() queues a frame, once; a full queue drops what comes, and so does a store that was
//             closed: an untended frame is only less full than it could be. Each step is one call of the
//             work function, which changes at most three frames; while steps find something to do, the frame
//             stays first in the queue. stop() ends the thread after the step at hand.
// Threading:  offer and stats: any thread, under any lock but those of the lowest rank. The work function runs on
//             the thread, without locks.
// Cost:       offer: a mutex; 100 bytes for each frame queued, at most candidates_max of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_set>

#include "artfs/result.hpp"
#include "artfs/stats.hpp"

#include "art/upkeep.hpp"
#include "base/mutex.hpp"

namespace artfs::engine {

class Maintenance {
 public:
  using Work = std::function<Result<art::Upkeep>(const art::Shrunken&)>;

  explicit Maintenance(Work work);
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;
  ~Maintenance();

  void offer(const art::Shrunken& shrunken);
  // Waits until the queue is empty and no step runs; for tests.
  void wait_idle();
  void stop();

  [[nodiscard]] MaintenanceStats stats() const;

  static constexpr std::size_t candidates_max = 1024;
  // Of one frame in a row; then others have their turn.
  static constexpr unsigned steps_max = 64;

 private:
  void run();
  void tend(const art::Shrunken& shrunken);
  void count(art::Upkeep done) noexcept;

  const Work work_;
  mutable base::Mutex mutex_{base::Rank::leaf};
  base::CondVar changed_;
  std::deque<art::Shrunken> queue_ ARTFS_GUARDED_BY(mutex_);
  std::unordered_set<std::uint64_t> queued_ ARTFS_GUARDED_BY(mutex_);  // ids of frames
  bool is_busy_ ARTFS_GUARDED_BY(mutex_) = false;
  std::uint64_t dropped_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<std::uint64_t> merged_{0};
  std::atomic<std::uint64_t> joined_{0};
  std::atomic<std::uint64_t> compacted_{0};
  std::thread thread_;
};

}  // namespace artfs::engine
