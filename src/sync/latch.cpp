// SPDX-License-Identifier: Apache-2.0
#include "sync/latch.hpp"

#include "sync/park.hpp"

namespace artfs::sync {

void Latch::lock_shared_slow() noexcept {
  for (std::uint32_t spin = 0; spin < spins_before_park; ++spin) {
    if (try_lock_shared()) return;
    spin_step(spin);
  }
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t next =
        admits_reader(state) ? state + active_reader : state + waiting_reader;
    // acquire: as in try_lock_shared, for the case that we are admitted after all.
    if (state_.compare_exchange_weak(state, next, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      break;
    }
  }
  if (admits_reader(state)) return;
  ARTFS_ASSERT(readers_of(state) < field_mask);
  const std::uint64_t phase = state & phase_bit;
  // acquire: pairs with the release of the unlock_exclusive that flipped the phase.
  while ((state_.load(std::memory_order_acquire) & phase_bit) == phase) {
    const std::uint32_t seen =
        readers_word_.load(std::memory_order_acquire);  // pairs with wake_readers
    if ((state_.load(std::memory_order_acquire) & phase_bit) != phase) return;
    park(readers_word_, seen);
  }
}

void Latch::lock_exclusive_slow() noexcept {
  for (std::uint32_t spin = 0; spin < spins_before_park; ++spin) {
    if (try_lock_exclusive()) return;
    spin_step(spin);
  }
  // From here on new readers queue behind us.
  [[maybe_unused]] const std::uint64_t before =
      state_.fetch_add(waiting_writer, std::memory_order_relaxed);
  ARTFS_ASSERT(writers_of(before) < field_mask);
  for (;;) {
    const std::uint32_t seen =
        writers_word_.load(std::memory_order_acquire);  // pairs with wake_writer
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    while (admits_writer(state)) {
      // acquire: pairs with the release of the unlocks before us.
      if (state_.compare_exchange_weak(state, (state - waiting_writer) | exclusive_bit,
                                       std::memory_order_acquire, std::memory_order_relaxed)) {
        return;
      }
    }
    park(writers_word_, seen);
  }
}

// The words change after the state did, so that who saw the old word will not sleep through it.
void Latch::wake_readers() noexcept {
  readers_word_.fetch_add(1, std::memory_order_release);
  wake_all(readers_word_);
}

void Latch::wake_writer() noexcept {
  writers_word_.fetch_add(1, std::memory_order_release);
  wake_one(writers_word_);
}

}  // namespace artfs::sync
