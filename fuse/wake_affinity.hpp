// SPDX-License-Identifier: Apache-2.0
// WakeAffinity: keeps a program on the core where its requests are served.
//
// A reply wakes a program while the thread that answers still runs, so the scheduler looks for an idle
// core. With one program at work the other core has just become idle: the program moves there, and back
// with the next reply. Each move wakes a core from its idle state; in a virtual machine such a request takes
// three times as long as one that stays. A core whose only thread is SCHED_IDLE counts as idle: a thread that
// answers in that class leaves the program where it is, and the other core falls asleep for good.
//
// Contract:   on_request() is told who asks on which core, and returns whether the reply is to be given as
//             SCHED_IDLE. It is so for a spell of some requests after a program was seen to move with each
//             of several in a row, which it does only while cores are idle. Where a spell does not help
//             (a machine with more idle cores), the next comes after a rest that doubles up to a few milliseconds.
// Threading:  any.
// Cost:       one load from a line that rarely changes per request; a clock only for those that move.
// Source:     select_idle_sibling() and sched_idle_cpu() in Linux kernel/sched/fair.c. Figures: README.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/mutex.hpp"

namespace artfs::fuse {

class WakeAffinity {
 public:
  using Clock = std::uint64_t (*)() noexcept;  // base::now_ns

  static constexpr unsigned moves_min = 4;               // in a row, before something is done
  static constexpr std::uint32_t spell_requests = 1024;  // longer than a core takes to fall asleep
  static constexpr std::uint64_t help_ns_min =
      2'000'000;  // a spell that was of use for less was of none
  static constexpr std::uint64_t rest_ns_max = 4'000'000;

  explicit WakeAffinity(bool is_enabled, Clock clock) noexcept
      : is_enabled_(is_enabled), clock_(clock) {}

  // pid 0: the kernel's own request.
  [[nodiscard]] bool on_request(std::uint32_t pid, std::uint32_t core) noexcept;
  // Every now and then: a spell that has outlived two looks is over, its threads may be starving. True
  // when there is none.
  [[nodiscard]] bool look() noexcept;

  // Whether a thread of this process may leave and enter SCHED_IDLE; without the privilege there is no
  // way back. Also false when somebody gave the process a class of its own.
  [[nodiscard]] static bool is_possible();

 private:
  void begin_spell() noexcept;
  void end_spell() noexcept;

  // Of the programs seen last, by hash: pid, core, moves in a row.
  static constexpr std::size_t slots_count = 64;

  const bool is_enabled_;
  const Clock clock_;
  std::array<std::atomic<std::uint64_t>, slots_count> slots_{};
  std::atomic<std::uint32_t> left_{0};  // requests of the spell
  std::atomic<std::uint64_t> rests_until_{0};
  std::atomic<std::uint64_t> rest_ns_{0};
  bool was_on_ = false;  // at the last look
};

// The scheduling class of one thread: its own, or SCHED_IDLE.
// Threading: adopt and set_idle on that thread, restore on any while it runs.
class ThreadClass {
 public:
  void adopt() noexcept;
  void set_idle(bool idle) noexcept;
  void restore() noexcept;

 private:
  std::atomic<bool> is_idle_{false};
  base::Mutex mutex_{base::Rank::leaf};
  int thread_ ARTFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace artfs::fuse
