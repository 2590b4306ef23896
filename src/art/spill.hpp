// SPDX-License-Identifier: Apache-2.0
// Which sibling subtrees of a full frame move to a new one.
//
// Contract:   choose_spill() names one node and some of its edges, none of them crossings, whose subtrees
//             together hold between a third and `spill_max` of the frame's live bytes.
// Cost:       one walk over the frame; 16 bytes of scratch for each edge.
// Errors:     no node when the frame is damaged; a sound frame with live > 0.82 capacity has a choice.
#pragma once

#include "art/image.hpp"
#include "art/restructure.hpp"

namespace artfs::art {

struct SpillChoice {
  Node node{};
  EdgeSet edges{};
  std::size_t bytes = 0;  // in the subtrees below them
};

[[nodiscard]] SpillChoice choose_spill(const View& view, const RoomRequest& request);

}  // namespace artfs::art
