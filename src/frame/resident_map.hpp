// SPDX-License-Identifier: Apache-2.0
// ResidentMap: from frame id to its resident, readable without a lock.
//
// Contract:   changes under CacheCore's mutex. seek() and pin() may miss a frame that is being moved past
//             them: what pin() finds is right, what seek() finds is checked by the caller, what they do not
//             find is looked up again by find() under the mutex.
// Threading:  seek, pin: any thread, lock-free. The rest: under the mutex.
// Cost:       pin: one bucket, mostly one resident. Memory: 64 bytes per frame of the budget, 1 KiB per
//             resident; residents are recycled.
// Source:     RocksDB `cache/clock_cache.h` for references counted in the entry's state word; ours
//             chains, since type-stable entries make the walk safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "frame/resident.hpp"

namespace artfs::frame {

class ResidentMap {
 public:
  // `frames`: how many are expected; more make chains longer.
  ResidentMap(CacheCore& core, std::size_t frames);

  // What had the id a moment ago; null when it is not there or was missed.
  [[nodiscard]] Resident* seek(FrameId id) const noexcept {
    Resident* at = bucket(id).load(std::memory_order_acquire);
    // A resident that is recycled under our feet leads into another chain: bounded, see Contract.
    for (int step = 0; at != nullptr && step < steps_max; ++step) {
      if (at->id.load(std::memory_order_relaxed) == id.raw) return at;
      at = at->chain.load(std::memory_order_acquire);
    }
    return nullptr;
  }

  // The frame, pinned; null when it is not there, not available, or was missed.
  [[nodiscard]] Resident* pin(FrameId id) const noexcept {
    Resident* const found = seek(id);
    return found != nullptr && found->try_pin(id) ? found : nullptr;
  }

  [[nodiscard]] Resident* find(FrameId id) const noexcept;
  // A vacant resident, in the map under `id` with one pin and the flag `loading`.
  [[nodiscard]] Resident& insert(FrameId id, std::byte* bytes);
  void unlink(Resident& resident) noexcept;

  // A vacant resident that is in no chain.
  void recycle(Resident& resident) { vacant_.push_back(&resident); }

  // Ever made; for walking all of them at the end.
  [[nodiscard]] std::deque<Resident>& all() noexcept { return residents_; }

 private:
  static constexpr int steps_max = 64;

  [[nodiscard]] const std::atomic<Resident*>& bucket(FrameId id) const noexcept {
    // Fibonacci hashing: ids are handed out one by one.
    return buckets_[static_cast<std::size_t>((id.raw * 0x9e3779b97f4a7c15U) >> shift_)];
  }

  [[nodiscard]] std::atomic<Resident*>& bucket(FrameId id) noexcept {
    return const_cast<std::atomic<Resident*>&>(static_cast<const ResidentMap&>(*this).bucket(id));
  }

  CacheCore& core_;
  unsigned shift_;
  std::vector<std::atomic<Resident*>> buckets_;
  std::deque<Resident> residents_;
  std::vector<Resident*> vacant_;
};

}  // namespace artfs::frame
