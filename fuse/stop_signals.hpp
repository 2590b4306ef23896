// SPDX-License-Identifier: Apache-2.0
// StopSignals: SIGTERM, SIGINT and SIGHUP as an orderly end, the second one as giving up.
//
// Contract:   made first in main's thread, before any other thread exists: it blocks the signals for
//             all of them and takes them on a thread of its own. The first signal calls the function
//             set by on_stop(), or is remembered until there is one; the second ends the process.
// Threading:  the function runs on its own thread and may block.
#pragma once

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
  // Waits until a running action has returned; none runs afterwards.
  void retire() ARTFS_EXCLUDES(mutex_);
  [[nodiscard]] bool is_stopping() ARTFS_EXCLUDES(mutex_);

 private:
  void watch();
  void begin_stop() ARTFS_EXCLUDES(mutex_);
  void start_action_locked(base::MutexLock& lock) ARTFS_REQUIRES(mutex_);

  base::Mutex mutex_{base::Rank::session};
  std::function<void()> action_ ARTFS_GUARDED_BY(mutex_);
  bool is_stopping_ ARTFS_GUARDED_BY(mutex_) = false;
  std::thread stopper_ ARTFS_GUARDED_BY(mutex_);
  base::UniqueFd signals_;
  base::UniqueFd end_;
  std::thread watcher_;
};

}  // namespace artfs::fuse
