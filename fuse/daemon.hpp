// SPDX-License-Identifier: Apache-2.0
// Background: forks the daemon and keeps the parent until the mount is ready or has failed.
//
// Contract:   call before any thread exists. In the parent start() returns the exit status to end
//             with; in the daemon it returns nothing, and the daemon calls ready() or failed() once
//             (further calls do nothing). Until then its stderr is the caller's.
// Threading:  ready from any thread.
#pragma once

#include <atomic>
#include <optional>

#include "base/unique_fd.hpp"

namespace artfs::fuse {

class Background {
 public:
  [[nodiscard]] std::optional<int> start();
  void ready() noexcept;
  void failed(int status) noexcept;

  [[nodiscard]] bool is_background() const noexcept { return is_background_; }

 private:
  base::UniqueFd to_parent_;
  std::atomic<bool> is_reported_{false};
  bool is_background_ = false;
};

}  // namespace artfs::fuse
