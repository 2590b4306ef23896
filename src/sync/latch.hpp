// SPDX-License-Identifier: Apache-2.0
// Latch: short-term lock of one frame or tree, in three modes: optimistic, shared, exclusive.
//
// Contract:   a guard is the lock: its destructor is the only unlock, and a function that needs the
//             latch takes the guard by reference. Guards are movable, not copyable. A latch
//             outlives its guards and everybody who waits for it.
// Threading:  any thread; shared and exclusive block (spin briefly, then park); optimistic never
//             does. No latch is held across disk I/O, a reply, a sync or a callback. Shared and
//             exclusive are checked against the lock order (Rank); optimistic holds nothing.
// Cost:       shared and exclusive: one read-modify-write each way; optimistic: two loads. 32
//             bytes.
// Invariants: FAIR: readers wait for at most one writer, writers for the readers present.
// Source:     Leis et al., "Optimistic lock coupling" (2019); unodb `optimistic_lock.hpp` (whose
//             writer lacks the release fence); Brandenburg & Anderson, phase-fair locks (2010),
//             here with barging writers: strict tickets convoy when waiters must be woken.
//
// The state word, changed only by compare-and-swap or add, so that every transition is atomic:
//
//   active readers (20 bits) | waiting readers (20) | waiting writers (20) | phase | exclusive
//
//   lock_shared      free of exclusive and of waiting writers: active + 1. Else waiting readers
//                    + 1, park until the phase differs from the one seen then: the right was
//                    handed over.
//   unlock_shared    active - 1; the last one wakes a writer, if any waits.
//   lock_exclusive   no active reader and not exclusive: exclusive (may overtake parked writers).
//                    Else waiting writers + 1, park, try again.
//   unlock_exclusive readers wait: they all become active, phase flips, wake them (FAIR). Else a
//                    waiting writer is woken.
//
// The version counts changes: + 1 when an exclusive holder begins and when it ends, and when the data is
// withdrawn and offered again. So it is odd while optimistic readers may believe nothing they see.
//
// The phase cannot flip twice before a granted reader has seen it: the second flip needs an
// exclusive holder, who waits for that reader to leave.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/assert.hpp"
#include "base/lock_order.hpp"
#include "sync/racy.hpp"

namespace artfs::sync {

class Latch {
 public:
  // Absent: optimistic readers find nothing until offer().
  enum class Data : std::uint8_t { there, absent };

  explicit Latch(base::Rank rank, Data data = Data::there) noexcept
      : version_(data == Data::there ? 0 : 1), rank_(rank) {}

  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  ~Latch() {
    ARTFS_ASSERT((state_.load(std::memory_order_relaxed) & ~phase_bit) ==
                 0);  // nobody holds or waits
  }

  [[nodiscard]] base::Rank rank() const noexcept { return rank_; }

  // Odd while the data is absent or an exclusive holder may be changing it.
  [[nodiscard]] std::uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);  // pairs with end_change
  }

  // True when `seen`, from version(), was even and nothing has changed since: what was read in between
  // holds.
  [[nodiscard]] bool unchanged_since(std::uint64_t seen) const noexcept {
    fence(std::memory_order_acquire);  // data loads stay above the re-read of the version
    return (seen & 1U) == 0 && version_.load(racy_load_order) == seen;
  }

  // The data goes away, or something else takes its place: optimistic readers notice. The caller
  // serialises both calls; nobody holds the latch exclusive, or can take it so in between.
  void withdraw() noexcept {
    ARTFS_ASSERT((state_.load(std::memory_order_relaxed) & exclusive_bit) == 0);
    ARTFS_ASSERT((version_.load(std::memory_order_relaxed) & 1U) == 0);
    begin_change();
  }

  void offer() noexcept {
    ARTFS_ASSERT((version_.load(std::memory_order_relaxed) & 1U) == 1);
    end_change();
  }

 private:
  friend class OptimisticGuard;
  friend class SharedGuard;
  friend class ExclusiveGuard;

  static constexpr std::uint64_t exclusive_bit = 1;
  static constexpr std::uint64_t phase_bit = 2;
  static constexpr unsigned writers_shift = 2;
  static constexpr unsigned readers_shift = 22;
  static constexpr unsigned active_shift = 42;
  static constexpr std::uint64_t field_mask = (std::uint64_t{1} << 20U) - 1;
  static constexpr std::uint64_t waiting_writer = std::uint64_t{1} << writers_shift;
  static constexpr std::uint64_t waiting_reader = std::uint64_t{1} << readers_shift;
  static constexpr std::uint64_t active_reader = std::uint64_t{1} << active_shift;

  static constexpr std::uint64_t writers_of(std::uint64_t state) noexcept {
    return (state >> writers_shift) & field_mask;
  }

  static constexpr std::uint64_t readers_of(std::uint64_t state) noexcept {
    return (state >> readers_shift) & field_mask;
  }

  static constexpr std::uint64_t active_of(std::uint64_t state) noexcept {
    return state >> active_shift;
  }

  static constexpr bool admits_reader(std::uint64_t state) noexcept {
    return (state & exclusive_bit) == 0 && writers_of(state) == 0;
  }

  static constexpr bool admits_writer(std::uint64_t state) noexcept {
    return (state & exclusive_bit) == 0 && active_of(state) == 0;
  }

  [[nodiscard]] bool try_lock_shared() noexcept {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    while (admits_reader(state)) {
      // acquire: pairs with the release of unlock_exclusive, whose changes we now read.
      if (state_.compare_exchange_weak(state, state + active_reader, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool try_lock_exclusive() noexcept {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    while (admits_writer(state)) {
      // acquire: pairs with the release of the unlocks before us.
      if (state_.compare_exchange_weak(state, state | exclusive_bit, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void lock_shared() noexcept {
    if (!try_lock_shared()) lock_shared_slow();
  }

  void lock_exclusive() noexcept {
    if (!try_lock_exclusive()) lock_exclusive_slow();
  }

  void unlock_shared() noexcept {
    // release: a later writer must not overtake our reads.
    const std::uint64_t before = state_.fetch_sub(active_reader, std::memory_order_release);
    ARTFS_ASSERT(active_of(before) > 0);
    if (active_of(before) == 1 && writers_of(before) > 0) wake_writer();
  }

  void unlock_exclusive() noexcept {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    for (;;) {
      ARTFS_ASSERT((state & exclusive_bit) != 0);
      const std::uint64_t readers = readers_of(state);
      std::uint64_t next = state & ~exclusive_bit;
      if (readers > 0) {
        next = (next - readers * waiting_reader + readers * active_reader) ^ phase_bit;
      }
      // release: publishes our changes to whoever takes the latch next.
      if (state_.compare_exchange_weak(state, next, std::memory_order_release,
                                       std::memory_order_relaxed)) {
        break;
      }
    }
    if (readers_of(state) > 0) {
      wake_readers();
    } else if (writers_of(state) > 0) {
      wake_writer();
    }
  }

  void begin_change() noexcept {
    version_.store(version_.load(std::memory_order_relaxed) + 1, racy_store_order);
    fence(std::memory_order_release);  // the odd version is visible before any data store
  }

  void end_change() noexcept {
    // release: the data stores are visible before the even version.
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  void lock_shared_slow() noexcept;
  void lock_exclusive_slow() noexcept;
  void wake_readers() noexcept;
  void wake_writer() noexcept;

  std::atomic<std::uint64_t> state_{0};
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint32_t> readers_word_{0};  // what parked readers sleep on
  std::atomic<std::uint32_t> writers_word_{0};  // what parked writers sleep on
  const base::Rank rank_;
};

// A look at the data without holding anything. What was read may be used only after valid() said
// so.
class [[nodiscard]] OptimisticGuard {
 public:
  explicit OptimisticGuard(const Latch& latch) noexcept : latch_(&latch), seen_(latch.version()) {}

  OptimisticGuard(OptimisticGuard&& other) noexcept
      : latch_(std::exchange(other.latch_, nullptr)), seen_(other.seen_) {}

  OptimisticGuard& operator=(OptimisticGuard&&) = delete;
  ~OptimisticGuard() = default;

  // True when nobody has held the latch exclusive since the guard was made.
  [[nodiscard]] bool valid() const noexcept {
    ARTFS_ASSERT(latch_ != nullptr);
    return latch_->unchanged_since(seen_);
  }

 private:
  friend class ExclusiveGuard;

  const Latch* latch_;
  std::uint64_t seen_;
};

class [[nodiscard]] SharedGuard {
 public:
  explicit SharedGuard(Latch& latch) noexcept : latch_(&latch) {
    base::LockOrder::acquire(latch.rank_, &latch);
    latch.lock_shared();
  }

  SharedGuard(Latch& latch, base::SameRank same) noexcept : latch_(&latch) {
    base::LockOrder::acquire(latch.rank_, &latch, same);
    latch.lock_shared();
  }

  SharedGuard(SharedGuard&& other) noexcept : latch_(std::exchange(other.latch_, nullptr)) {}

  SharedGuard& operator=(SharedGuard&&) = delete;

  ~SharedGuard() {
    if (latch_ == nullptr) return;
    latch_->unlock_shared();
    base::LockOrder::release(latch_->rank_);
  }

 private:
  Latch* latch_;
};

class [[nodiscard]] ExclusiveGuard {
 public:
  explicit ExclusiveGuard(Latch& latch) noexcept : latch_(&latch) {
    base::LockOrder::acquire(latch.rank_, &latch);
    latch.lock_exclusive();
    latch.begin_change();
  }

  ExclusiveGuard(Latch& latch, base::SameRank same) noexcept : latch_(&latch) {
    base::LockOrder::acquire(latch.rank_, &latch, same);
    latch.lock_exclusive();
    latch.begin_change();
  }

  // Consumes the reader. Holds nothing (false) when somebody wrote since the reader was made.
  [[nodiscard]] static ExclusiveGuard upgrade(Latch& latch, OptimisticGuard&& reader) noexcept {
    ARTFS_ASSERT(reader.latch_ == &latch);
    reader.latch_ = nullptr;
    base::LockOrder::acquire(latch.rank_, &latch);
    latch.lock_exclusive();
    if (latch.version_.load(std::memory_order_relaxed) != reader.seen_) {
      latch.unlock_exclusive();
      base::LockOrder::release(latch.rank_);
      return {};
    }
    latch.begin_change();
    return ExclusiveGuard(&latch);
  }

  // One of several latches of a rank: holds nothing (false) when the version is not `seen` any more. An
  // attempt that holds nothing disturbs no optimistic reader.
  [[nodiscard]] static ExclusiveGuard take_unchanged(Latch& latch, base::SameRank same,
                                                     std::uint64_t seen) noexcept {
    base::LockOrder::acquire(latch.rank_, &latch, same);
    latch.lock_exclusive();
    if (latch.version_.load(std::memory_order_relaxed) != seen) {
      latch.unlock_exclusive();
      base::LockOrder::release(latch.rank_);
      return {};
    }
    latch.begin_change();
    return ExclusiveGuard(&latch);
  }

  ExclusiveGuard(ExclusiveGuard&& other) noexcept : latch_(std::exchange(other.latch_, nullptr)) {}

  ExclusiveGuard& operator=(ExclusiveGuard&&) = delete;

  ~ExclusiveGuard() {
    if (latch_ == nullptr) return;
    latch_->end_change();
    latch_->unlock_exclusive();
    base::LockOrder::release(latch_->rank_);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return latch_ != nullptr; }

 private:
  ExclusiveGuard() noexcept = default;

  explicit ExclusiveGuard(Latch* held) noexcept : latch_(held) {}

  Latch* latch_ = nullptr;
};

}  // namespace artfs::sync
