// SPDX-License-Identifier: Apache-2.0
// EvictionQueues: in which order clean frames leave; private to src/frame.
//
// Contract:   holds exactly the clean, unfrozen frames, partial ones among them; dirty and frozen ones are
//             taken out, so that no sweep walks over them. Shares are counted in pages of memory. A frame read from the device starts young (what happens to it
//             there is taken for one use: a scan touches a frame many times in a row), then is on trial:
//             used again there it becomes main, otherwise it leaves. Main is a CLOCK. So scans pass
//             through young and trial and leave main alone. A frame that comes back soon after it left
//             (its id is remembered) goes straight to main: so a changed working set takes over.
// Threading:  CacheCore's mutex.
// Cost:       pick: at most `steps_max` frames looked at, and those that are pinned, whatever the number of
//             frames; 16 bytes per resident, 40 per id remembered.
// Invariants: EV (Resident::claim is the only way out).
// Source:     2Q (Johnson, Shasha, VLDB 1994), CLOCK instead of LRU for its Am.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>

#include "frame/resident.hpp"

namespace artfs::frame {

class EvictionQueues {
 public:
  // Just read from the device.
  void add_loaded(Resident& resident);
  // Was written, is clean now.
  void add_settled(Resident& resident) noexcept;
  // Takes the place in life of one that was removed from `kind`.
  void add_as(Resident& resident, QueueKind kind);
  void remove(Resident& resident) noexcept;
  // The resident takes so many pages now.
  void resize(Resident& resident, std::size_t pages) noexcept;

  // A victim, claimed (vacant) and out of the queues; null when every frame is pinned or there is none.
  [[nodiscard]] Resident* pick();

  [[nodiscard]] std::size_t size() const noexcept {
    return young_.count + trial_.count + main_.count;
  }

  // Frames looked at by pick() so far.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  // After so many steps of one pick() a frame's having been used protects it no longer.
  static constexpr std::size_t steps_max = 64;

 private:
  struct Queue {
    Resident* oldest = nullptr;
    Resident* newest = nullptr;
    std::size_t count = 0;
    std::size_t pages = 0;
  };

  [[nodiscard]] Queue& queue_of(QueueKind kind) noexcept;

  [[nodiscard]] std::size_t pages() const noexcept {
    return young_.pages + trial_.pages + main_.pages;
  }

  void append(Resident& resident, QueueKind kind) noexcept;
  void age_young() noexcept;
  // Spends a step: whether the frame, just removed from its queue, may go.
  [[nodiscard]] bool try_take(Resident& resident) noexcept;
  [[nodiscard]] Resident* pick_from_trial();
  [[nodiscard]] Resident* pick_from_main() noexcept;
  [[nodiscard]] Resident* pick_from_young();
  void remember(const Resident& resident);

  Queue young_;
  Queue trial_;
  Queue main_;
  std::deque<std::uint64_t> left_order_;  // ids that left from trial, oldest first
  std::unordered_set<std::uint64_t> left_ids_;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_end_ = 0;  // of the pick() that runs
};

}  // namespace artfs::frame
