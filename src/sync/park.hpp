// SPDX-License-Identifier: Apache-2.0
// Parking: sleep until a 32-bit word changes, wake those who sleep on it (futex).
//
// Contract:   park(word, seen) returns at once when word != seen; otherwise after a wake of that
//             word, or without reason: call it in a loop over the condition. Who changes the
//             condition changes the word first, then wakes.
// Threading:  any thread. park blocks; wake does not.
// Cost:       one system call; none of these runs on an uncontended path.
#pragma once

#include <atomic>
#include <cstdint>

namespace artfs::sync {

void park(const std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept;
void wake_one(std::atomic<std::uint32_t>& word) noexcept;
void wake_all(std::atomic<std::uint32_t>& word) noexcept;

// How often a condition is looked at before parking. The holders' sections are about a microsecond:
// a longer spin would only take the processor from the holder on a machine with two cores.
inline constexpr std::uint32_t spins_before_park = 100;

// One step of a spin: tells the processor, costs about 10 ns.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace artfs::sync
