// SPDX-License-Identifier: Apache-2.0
// Parking: sleep until a 32-bit word changes, wake those who sleep on it (futex).
//
// Contract:   park(word, seen) returns at once when word != seen; otherwise after a wake of that
//             word, or without reason: call it in a loop over the condition. Who changes the
//             condition changes the word first, then wakes.
// Threading:  any thread. park blocks; wake does not.
// Cost:       one system call; none of these runs on an uncontended path.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

namespace artfs::sync {

void park(const std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept;
void wake_one(std::atomic<std::uint32_t>& word) noexcept;
void wake_all(std::atomic<std::uint32_t>& word) noexcept;

// Patience before parking: look spins_before_park times, giving the processor away before each of the
// later looks. Sections are about a microsecond, so the holder is running (a short spin sees it end) or
// was preempted (only a yield helps it). Parking at once would be fair but makes convoys: 8 threads on
// 2 processors, half of them writers, took 4,400 ns per operation that way and take 60 ns this way.
inline constexpr std::uint32_t spins_before_yield = 20;
inline constexpr std::uint32_t spins_before_park = 40;

// One step of waiting without parking.
inline void spin_step(std::uint32_t spin) noexcept {
  if (spin >= spins_before_yield) {
    ::sched_yield();
    return;
  }
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace artfs::sync
