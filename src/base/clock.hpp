// SPDX-License-Identifier: Apache-2.0
// The two clocks: one that only goes forward, one that people set.
#pragma once

#include <time.h>

#include <cstdint>

namespace artfs::base {

// Monotonic. For intervals and deadlines; meaningless after a restart.
[[nodiscard]] inline std::uint64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

struct WallTime {
  std::int64_t seconds = 0;       // since 1970, negative before
  std::uint32_t nanoseconds = 0;  // below 1,000,000,000
};

// Wall clock. For timestamps that users see; may jump.
[[nodiscard]] inline WallTime wall_clock() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
}

}  // namespace artfs::base
