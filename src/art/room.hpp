// SPDX-License-Identifier: Apache-2.0
// How much room a put needs, and when a frame is compacted, spilled or merged: the numbers of invariant AP.
//
// Contract:   C is the capacity of a frame (all pages but the header). A put that finds no block large
//             enough compacts the frame when live + need <= fill_max, and spills it otherwise; then it
//             tries once more.
// Invariants: AP, proved here and asserted in insert.cpp:
//   (0) No frame is changed before its whole structure was checked by this process: the plan does it when
//       the header does not carry this process's random number, and the change puts it there.
//   (1) need_max bounds what one put allocates: one leaf, and one node that is made or grown. The label
//       of that node is part of the key, so need <= leaf(value, key) + node256(key).
//   (2) Compaction leaves C - live in one piece; live + need <= fill_max <= C: the put fits.
//   (3) A spill starts with live > fill_max - need_max > 0.82 C and moves at least 1/3 of the live bytes and
//       at most spill_max (spill.cpp shows that there is always such a choice). Both frames then hold
//       at most spill_max + 1 KiB, and spill_max + need_max + 1 KiB <= fill_max: the put fits in either.
//       Hence one put spills at most once.
//   (4) Charge every spill to the needs of the puts that went into its frame since the frame was last
//       spilled or merged, and to the put that caused it. A frame starts such a period with at most
//       spill_max + 1 KiB, so the needs charged exceed spill_charge = fill_max - spill_max - 1 KiB; each
//       need is charged at most twice (as the cause, and as part of the next period). Only the first
//       period of a frame that is in the plan can start fuller: one more spill for each target whose
//       needs do not fit. So: frames <= targets that do not fit + 2 * needs / spill_charge.
#pragma once

#include <cstddef>
#include <cstdint>

#include "artfs/result.hpp"

#include "frame/cache.hpp"
#include "frame/frame.hpp"

namespace artfs::art {

inline constexpr std::size_t capacity = format::frame_capacity_bytes;

constexpr std::size_t put_need(std::size_t key_bytes, std::size_t value_bytes) noexcept {
  return frame::leaf_bytes(value_bytes, key_bytes) +
         frame::node_bytes(format::ObjectKind::node256, key_bytes);
}

inline constexpr std::size_t need_max = put_need(key_bytes_max, value_bytes_max);
inline constexpr std::size_t fill_max = capacity / 32 * 31;
// A spill moves at least a third, and in a run of ascending or descending keys up to this share.
inline constexpr std::size_t spill_max = capacity / 100 * 82;
inline constexpr std::size_t spill_charge = fill_max - spill_max - kib;
// A child that shrank below `merge_child_max` goes back into its parent when both together stay below
// `merge_both_max`: far enough from fill_max that it does not come out again soon.
inline constexpr std::size_t merge_child_max = capacity / 4;
inline constexpr std::size_t merge_both_max = capacity / 100 * 55;
// Two siblings become one up to this: the aim of spills.
inline constexpr std::size_t join_both_max = capacity / 100 * 65;
// Free bytes inside a frame that make a dense rewrite worth the pages it dirties.
inline constexpr std::size_t compact_free_min = capacity / 2;

// AP (0): frame_corrupt unless this process has checked the frame before, or finds it sound now.
[[nodiscard]] Result<void> check_structure(const frame::Pin& pin);

// Drawn once; a frame on disk cannot know it.
[[nodiscard]] std::uint32_t process_number() noexcept;

static_assert(spill_max + need_max + kib <= fill_max);
static_assert(merge_both_max <= spill_max);
static_assert(fill_max - need_max > capacity / 100 * 82);

}  // namespace artfs::art
