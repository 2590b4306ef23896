// SPDX-License-Identifier: Apache-2.0
// Watchdog: tells of requests that take too long, while they do.
//
// Contract:   a request in flight for longer than the bound is reported in the log once, with what its thread waits
//             in, and counted; its end is reported too. A bound of 0 switches it off; set_bound() takes
//             effect at once. state_text() is what SIGUSR1 prints of requests.
// Threading:  one thread of its own, which looks four times within the bound, at least once a second; serving threads
//             do nothing for it. The functions: any thread.
// Errors:     none.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/annotations.hpp"
#include "base/mutex.hpp"
#include "fuse/request_meter.hpp"

namespace artfs::fuse {

// What a thread of this process is doing, as the kernel tells: "waits in fsync (the store's device)", "runs".
[[nodiscard]] std::string thread_state(int thread);

class Watchdog {
 public:
  explicit Watchdog(std::chrono::milliseconds bound);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  [[nodiscard]] std::uint64_t slow_count() const noexcept { return slow_count_; }

  [[nodiscard]] std::chrono::milliseconds bound() ARTFS_EXCLUDES(mutex_);
  void set_bound(std::chrono::milliseconds bound) ARTFS_EXCLUDES(mutex_);

  // One line for each request in flight.
  [[nodiscard]] static std::vector<std::string> state_text();

 private:
  void run() ARTFS_EXCLUDES(mutex_);
  void look(std::chrono::nanoseconds bound);

  base::Mutex mutex_{base::Rank::session};
  base::CondVar changed_;
  std::chrono::milliseconds bound_ ARTFS_GUARDED_BY(mutex_);
  bool is_ending_ ARTFS_GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> slow_count_{0};
  std::map<std::uint64_t, RequestInFlight> reported_;  // the thread's; by `unique`
  std::thread thread_;                                 // last: starts when the rest is there
};

}  // namespace artfs::fuse
