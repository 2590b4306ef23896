// SPDX-License-Identifier: Apache-2.0
// Upkeep: one small structural repair at a time: a frame that shrank is merged, one that is mostly dead
// space is compacted.
//
// Contract:   tend() looks at the frame `shrunken` names and does at most one of these: its content goes into
//             its parent when both fit with room left; or into a sibling that the same node leads to,
//             behind one crossing for both; or that of one of its children goes into it; or it is
//             rewritten densely. `frames` holds what is latched; release() it before the gate.
// Threading:  one thread for each call, under a lease of the commit gate; no latches held.
// Cost:       a walk, and a copy of at most one frame's content with two or three frames latched.
// Errors:     contended: somebody changed one of the frames; frame_not_resident (detail: its id);
//             frame_corrupt. Nothing has changed then.
// Invariants: a parent's edges to a frame are the bytes at its root. Removed frames are empty first, so that who
//             waits for their latch sees it.
#pragma once

#include <cstdint>

#include "artfs/result.hpp"

#include "art/edit.hpp"
#include "art/frame_set.hpp"
#include "art/tree.hpp"

namespace artfs::art {

enum class Upkeep : std::uint8_t { none, merged, joined, compacted };

[[nodiscard]] Result<Upkeep> tend(const TreeView& tree, const Shrunken& shrunken, FrameSet& frames);

// Whether a change that took the frame's live and free bytes from `before` to `after` makes it worth a look.
struct Weight {
  std::size_t bytes_live = 0;
  std::size_t bytes_free = 0;
};

[[nodiscard]] bool has_shrunken(Weight before, Weight after) noexcept;

}  // namespace artfs::art
