// SPDX-License-Identifier: Apache-2.0
// FrameSet: the frames one change reads or writes, each with the version it was seen in; latched together.
//
// Contract:   add() registers what a walk looked at and pins it. latch() takes all members exclusively in
//             ascending order of FrameId and holds them until release(); from then on members stand as they
//             were seen, or, where `may_move` admits it, `is_moved` says that others changed them in
//             between. Frames created while the set is latched join by adopt(); frames that became
//             unreachable leave by doom(), and are removed from the cache by release(), when their
//             latch is free.
// Threading:  one thread, under a lease of the commit gate (or the gate exclusive) from add() to release(). No
//             member is waited for while another latch than those of lower ids is held.
// Cost:       one pin and one latch for each frame; no allocation once the vectors have grown.
// Errors:     contended: somebody changed a member since it was seen. Release and start over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "frame/cache.hpp"
#include "frame/look.hpp"
#include "sync/latch.hpp"

namespace artfs::art {

class FrameSet {
 public:
  struct Member {
    frame::Pin pin;
    FrameId id{};
    std::uint64_t version = 0;  // seen
    bool is_written = false;    // or may be
    bool may_move = true;       // who registered it can find everything again
    bool is_moved = false;      // changed by others between add() and latch()
    bool is_fresh = true;    // not changed by us since latch(): what was found in it still stands
    bool is_on_way = false;  // may change because of an erase in a frame below it, or in itself
    // What the change is about to do to it.
    std::size_t bytes_live = 0;  // when latched; before, a guess that may be too low
    std::size_t bytes_needed = 0;
    std::size_t erases = 0;
    std::optional<sync::ExclusiveGuard> guard{};
  };

  FrameSet() = default;
  FrameSet(const FrameSet&) = delete;
  FrameSet& operator=(const FrameSet&) = delete;

  ~FrameSet() { release(); }

  // The member's index; the look may be closed. contended.
  [[nodiscard]] Result<std::size_t> add(const frame::Look& look);
  [[nodiscard]] Result<void> latch();
  // A frame made by this change: nobody else can know it.
  std::size_t adopt(frame::Pin pin);
  void doom(std::size_t index, frame::Cache& cache);
  void release() noexcept;

  [[nodiscard]] bool is_latched() const noexcept { return is_latched_; }

  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

  [[nodiscard]] Member& operator[](std::size_t index) noexcept { return members_[index]; }

  [[nodiscard]] const Member& operator[](std::size_t index) const noexcept {
    return members_[index];
  }

  static constexpr std::size_t npos = ~std::size_t{0};
  [[nodiscard]] std::size_t find(FrameId id) const noexcept;

 private:
  std::vector<Member> members_;
  std::vector<std::size_t> order_;  // of latch()
  std::vector<frame::Pin> doomed_;
  frame::Cache* cache_ = nullptr;  // of doomed_
  bool is_latched_ = false;
};

}  // namespace artfs::art
