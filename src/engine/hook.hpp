// SPDX-License-Identifier: Apache-2.0
// Hook: a function that others call while its owner may replace or remove it.
//
// Contract:   run() calls the function set last, or does nothing. After set() returned, no call of an
//             earlier function is running, so its captures may die.
// Threading:  run: any thread, several at once. set: not from within the function itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "artfs/result.hpp"

#include "base/mutex.hpp"

namespace artfs::engine {

class Hook {
 public:
  using Function = std::function<Result<void>()>;

  void set(Function function) {
    auto fresh = function ? std::make_unique<Function>(std::move(function)) : nullptr;
    base::MutexLock lock(mutex_);
    while (running_ > 0) idle_.wait(lock);
    function_.swap(fresh);
  }

  [[nodiscard]] Result<void> run() {
    Function* function = nullptr;
    {
      const base::MutexLock lock(mutex_);
      if (function_ == nullptr) return {};
      function = function_.get();
      ++running_;
    }
    Result<void> result = (*function)();
    const base::MutexLock lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
    return result;
  }

 private:
  base::Mutex mutex_{base::Rank::leaf};
  base::CondVar idle_;
  std::unique_ptr<Function> function_ ARTFS_GUARDED_BY(mutex_);
  std::uint32_t running_ ARTFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace artfs::engine
