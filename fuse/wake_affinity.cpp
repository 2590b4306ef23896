// SPDX-License-Identifier: Apache-2.0
#include "fuse/wake_affinity.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace artfs::fuse {

namespace {

struct Seen {
  std::uint32_t pid = 0;
  std::uint16_t core = 0;
  std::uint16_t moves = 0;
};

std::uint64_t pack(const Seen& seen) noexcept {
  return std::uint64_t{seen.pid} << 32 | std::uint64_t{seen.core} << 16 | seen.moves;
}

Seen unpack(std::uint64_t word) noexcept {
  return {.pid = static_cast<std::uint32_t>(word >> 32),
          .core = static_cast<std::uint16_t>(word >> 16),
          .moves = static_cast<std::uint16_t>(word)};
}

bool set_policy(int thread, int policy) noexcept {
  const sched_param parameter{};
  return ::sched_setscheduler(thread, policy, &parameter) == 0;
}

}  // namespace

// Racing updates lose a count; the next request makes up for it.
bool WakeAffinity::on_request(std::uint32_t pid, std::uint32_t core) noexcept {
  if (!is_enabled_) return false;
  const std::uint32_t left = left_.load(std::memory_order_relaxed);
  if (pid == 0) return left > 0;
  std::atomic<std::uint64_t>& slot = slots_[pid % slots_count];
  const std::uint64_t before = slot.load(std::memory_order_relaxed);
  Seen seen = unpack(before);
  const bool has_moved = seen.pid == pid && seen.core != static_cast<std::uint16_t>(core);
  seen = {
      .pid = pid,
      .core = static_cast<std::uint16_t>(core),
      .moves = static_cast<std::uint16_t>(has_moved ? std::min(seen.moves + 1u, moves_min) : 0)};
  const bool is_restless = seen.moves == moves_min;
  if (is_restless) seen.moves = 0;
  if (pack(seen) != before) slot.store(pack(seen), std::memory_order_relaxed);
  if (left > 0) {
    left_.store(left - 1, std::memory_order_relaxed);
    if (left == 1) end_spell();
    return true;
  }
  if (is_restless) begin_spell();
  return left_.load(std::memory_order_relaxed) > 0;
}

void WakeAffinity::begin_spell() noexcept {
  const std::uint64_t now = clock_();
  const std::uint64_t rested = rests_until_.load(std::memory_order_relaxed);
  if (now < rested) return;
  const bool has_helped = now - rested >= help_ns_min;
  const std::uint64_t rest = rest_ns_.load(std::memory_order_relaxed);
  rest_ns_.store(has_helped ? 0 : std::clamp(2 * rest, help_ns_min, rest_ns_max),
                 std::memory_order_relaxed);
  left_.store(spell_requests, std::memory_order_relaxed);
}

void WakeAffinity::end_spell() noexcept {
  left_.store(0, std::memory_order_relaxed);
  rests_until_.store(clock_() + rest_ns_.load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
}

bool WakeAffinity::look() noexcept {
  bool is_on = left_.load(std::memory_order_relaxed) > 0;
  if (is_on && was_on_) {
    end_spell();
    is_on = false;
  }
  was_on_ = is_on;
  return !is_on;
}

bool WakeAffinity::is_possible() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return false;
  bool comes_back = false;
  std::thread([&comes_back] {
    comes_back = set_policy(0, SCHED_IDLE) && set_policy(0, SCHED_OTHER);
  }).join();
  return comes_back;
}

void ThreadClass::adopt() noexcept {
  const base::MutexLock lock(mutex_);
  thread_ = ::gettid();
}

void ThreadClass::set_idle(bool idle) noexcept {
  if (idle == is_idle_.load(std::memory_order_relaxed)) return;
  const base::MutexLock lock(mutex_);
  if (set_policy(thread_, idle ? SCHED_IDLE : SCHED_OTHER)) is_idle_ = idle;
}

void ThreadClass::restore() noexcept {
  set_idle(false);
}

}  // namespace artfs::fuse
