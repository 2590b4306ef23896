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

#include <cstdint>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "frame/cache.hpp"

namespace artfs::engine {

class Misses {
 public:
  explicit Misses(frame::Cache& cache) noexcept : cache_(cache) {}

  [[nodiscard]] Result<void> load(FrameId id);

  void drop() noexcept { pins_.clear(); }

 private:
  // More frames than any transaction touches: an operation that loads on and on makes no progress.
  static constexpr std::uint64_t loads_max = std::uint64_t{1} << 20U;

  frame::Cache& cache_;
  std::vector<frame::Pin> pins_;
  FrameId gone_;
  std::uint64_t loads_ = 0;
};

}  // namespace artfs::engine
