// SPDX-License-Identifier: Apache-2.0
// Faults: what threads of a test found wrong; Catch's macros are for one thread.
//
// Contract:   the threads check(), the test's own thread looks at count() once they have ended.
// Threading:  check: any thread.
#pragma once

#include <atomic>

namespace artfs::test {

class Faults {
 public:
  void check(bool holds) noexcept {
    if (!holds) ++count_;
  }

  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  std::atomic<int> count_{0};
};

}  // namespace artfs::test
