// SPDX-License-Identifier: Apache-2.0
// StopSignals: SIGTERM, SIGINT and SIGHUP as an orderly end, the second one as giving up; SIGUSR1 as a question.
//
// Contract:   made first in main's thread, before any other thread exists: it blocks the signals for
//             all of them and takes them on a thread of its own. The first signal calls the function
//             set by on_stop(), or is remembered until there is one; the second ends the process. SIGUSR1
//             calls the function set by on_report(), unless it is running; without one it does nothing.
// Threading:  each function runs on a thread of its own and may block.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/mutex.hpp"
#include "base/unique_fd.hpp"

namespace artfs::fuse {

class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  void on_stop(std::function<void()> action) ARTFS_EXCLUDES(mutex_);
  void on_report(std::function<void()> report) ARTFS_EXCLUDES(report_mutex_);
  // Waits until what runs of both has returned; none runs afterwards.
  void retire() ARTFS_EXCLUDES(mutex_, report_mutex_);
  [[nodiscard]] bool is_stopping() ARTFS_EXCLUDES(mutex_);

 private:
  void watch();
  void make_report() ARTFS_EXCLUDES(report_mutex_);
  void begin_stop() ARTFS_EXCLUDES(mutex_);
  void start_action_locked(base::MutexLock& lock) ARTFS_REQUIRES(mutex_);

  base::Mutex mutex_{base::Rank::session};
  std::function<void()> action_ ARTFS_GUARDED_BY(mutex_);
  bool is_stopping_ ARTFS_GUARDED_BY(mutex_) = false;
  std::thread stopper_ ARTFS_GUARDED_BY(mutex_);
  base::Mutex report_mutex_{base::Rank::session};
  std::function<void()> report_ ARTFS_GUARDED_BY(report_mutex_);
  std::thread reporter_ ARTFS_GUARDED_BY(report_mutex_);
  std::atomic<bool> is_reporting_{false};
  base::UniqueFd signals_;
  base::UniqueFd end_;
  std::thread watcher_;
};

}  // namespace artfs::fuse
