// SPDX-License-Identifier: Apache-2.0
// Structural changes: compaction, spill to a new frame, merge of a child into its parent.
//
// Contract:   prepared in scratch memory and installed whole; not logged (recovery starts from a whole
//             checkpoint). After make_room() a put with that need fits (room.hpp).
// Threading:  the frames are latched exclusive; commit gate shared. A frame created is known to nobody until
//             the latch of the frame that leads to it is released.
// Cost:       about one copy of the frame.
// Errors:     make_room cannot fail on a sound frame (AP: the plan checked it); a frame that is not sound
//             ends the process before it can reach the disk. try_merge leaves everything as it is then.
#pragma once

#include <cstddef>
#include <string_view>

#include "art/descend.hpp"
#include "art/frame_set.hpp"
#include "art/tree.hpp"

namespace artfs::art {

struct RoomRequest {
  std::size_t member = 0;      // the full frame
  const Path* path = nullptr;  // of the put in this frame, the edge it will add included
  std::size_t need = 0;        // of the put, at most need_max
};

// A frame it creates becomes a member.
void make_room(const TreeView& tree, FrameSet& frames, const RoomRequest& request,
               frame::FrameReserve& reserve);

// Dense rewrite in place. False when the frame is damaged.
[[nodiscard]] bool compact(const frame::Pin& pin);

// Two children of one node of the parent, by their crossings there.
struct Joint {
  Ref node = no_ref;
  Ref from = no_ref;
  Ref to = no_ref;
};

// The content of `from` goes into `to`, its edges lead there. True: as try_merge, `from` is the empty one.
[[nodiscard]] bool try_join(const frame::Pin& parent, const Joint& joint, const frame::Pin& from,
                            const frame::Pin& to);

// `crossing` leads from `parent` to `child`. True: nothing leads to the child any more, and it is empty; the
// caller removes it when its latch is released.
[[nodiscard]] bool try_merge(const frame::Pin& parent, Ref crossing, const frame::Pin& child);

}  // namespace artfs::art
