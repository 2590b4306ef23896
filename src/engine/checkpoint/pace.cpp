// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/pace.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace artfs::engine::checkpoint {

using base::MutexLock;

namespace {

[[nodiscard]] std::uint64_t to_ns(std::chrono::nanoseconds time) noexcept {
  return static_cast<std::uint64_t>(time.count());
}

}  // namespace

Pace::Hurry::Hurry(Pace& pace) noexcept : pace_(pace) {
  const MutexLock lock(pace_.mutex_);
  ++pace_.hurries_;
  pace_.hurried_.notify_all();
}

Pace::Hurry::~Hurry() {
  const MutexLock lock(pace_.mutex_);
  --pace_.hurries_;
}

void Pace::begin() noexcept {
  began_ns_ = base::now_ns();
  work_began_ns_ = began_ns_;
  rested_this_ns_ = 0;
}

void Pace::did() noexcept {
  const std::uint64_t worked_ns = base::now_ns() - work_began_ns_;
  if (worked_ns < to_ns(work_before_rest)) return;
  const std::uint64_t left_ns = to_ns(rest_max) - std::min(to_ns(rest_max), rested_this_ns_);
  const std::uint64_t rest_ns = rest(std::min(worked_ns * rest_share, left_ns));
  rested_this_ns_ += rest_ns;
  rested_ns_.fetch_add(rest_ns, std::memory_order_relaxed);
  work_began_ns_ = base::now_ns();
}

std::uint64_t Pace::rest(std::uint64_t length_ns) noexcept {
  const std::uint64_t began_ns = base::now_ns();
  for (bool slept = false;; slept = true) {
    // The pressure may rise while we rest: it is looked at again and again.
    const std::uint64_t calm = 100 - std::min(pressure_(), 100U);
    const std::uint64_t rested_ns = base::now_ns() - began_ns;
    const std::uint64_t wanted_ns = length_ns * calm / 100;
    if (rested_ns >= wanted_ns) return slept ? rested_ns : 0;
    MutexLock lock(mutex_);
    if (hurries_ > 0) return slept ? rested_ns : 0;
    const std::uint64_t slice_ns = std::min(wanted_ns - rested_ns, to_ns(slice));
    (void)hurried_.wait_for(lock, std::chrono::nanoseconds(slice_ns));
  }
}

std::uint64_t Pace::work_ns() const noexcept {
  return base::now_ns() - began_ns_ - rested_this_ns_;
}

}  // namespace artfs::engine::checkpoint
