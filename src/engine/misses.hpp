// SPDX-License-Identifier: Apache-2.0
// Misses: the frames one operation had to load, pinned until it ends.
//
// Contract:   after an attempt ended with frame_not_resident and its latches are released, load()
//             brings the frame in; the attempt is then repeated. Pins stay, so every repetition gets
//             further; the number of repetitions is bounded.
// Threading:  one thread, without latches or gate.
// Errors:     frame_corrupt, io_failed, cache_exhausted (our own pins may be the reason: drop them,
//             let a checkpoint run, start over).
#pragma once

#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "frame/cache.hpp"

namespace artfs::engine {

class Misses {
 public:
  explicit Misses(frame::Cache& cache) noexcept : cache_(cache) {}

  [[nodiscard]] Result<void> load(FrameId id);

  // Gives the pins back and starts counting anew.
  void drop() noexcept {
    pins_.clear();
    last_ = FrameId{};
    same_count_ = 0;
  }

 private:
  // A frame may vanish between the attempt and the load (merged by another thread); then the
  // repeated attempt asks for another one. The same one again and again is a dangling reference.
  static constexpr unsigned same_frame_max = 16;

  frame::Cache& cache_;
  std::vector<frame::Pin> pins_;
  FrameId last_;
  unsigned same_count_ = 0;
};

}  // namespace artfs::engine
