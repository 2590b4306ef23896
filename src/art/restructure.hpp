// SPDX-License-Identifier: Apache-2.0
// Structural changes: compaction, spill to a new frame, merge of a child into its parent.
//
// Contract:   prepared in scratch memory and installed whole; not logged (recovery starts from a whole
//             checkpoint). After make_room() a put with that need fits (room.hpp).
// Threading:  tree latch exclusive, commit gate shared.
// Cost:       about one copy of the frame.
// Errors:     make_room cannot fail on a sound frame (AP: the plan checked it); a frame that is not sound
//             ends the process before it can reach the disk. try_merge leaves everything as it is then.
#pragma once

#include <cstddef>
#include <string_view>

#include "art/descend.hpp"
#include "art/tree.hpp"

namespace artfs::art {

struct RoomRequest {
  const Path* path = nullptr;  // of the put in this frame, the edge it will add included
  std::size_t need = 0;        // of the put, at most need_max
};

// Returns whether a frame was created.
bool make_room(const TreeView& tree, const frame::Pin& pin, const RoomRequest& request,
               frame::FrameReserve& reserve);

// Dense rewrite in place. False when the frame is damaged.
[[nodiscard]] bool compact(const frame::Pin& pin);

// `crossing` leads from `parent` to `child`. Consumes the child's frame when it returns true.
[[nodiscard]] bool try_merge(const TreeView& tree, const frame::Pin& parent, Ref crossing,
                             frame::Pin& child);

}  // namespace artfs::art
