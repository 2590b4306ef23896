// SPDX-License-Identifier: Apache-2.0
// move_prefix: every key that begins with one prefix begins with another from then on.
//
// Contract:   some key begins with `from`, none with `to`, neither prefix begins with the other, and no key
//             gets too long: the caller has checked. Crossings move, not keys: what of the subtree stands in
//             the frame where its way ends is copied into a fresh frame below `to` (and from there into the
//             frame above when both are small); the frames below are not touched, nor are records' versions.
// Threading:  commit gate exclusive: a frame may stand elsewhere afterwards although its version is the same.
//             The frames of both ways are members of the latched set.
// Cost:       one copy of what stands in one frame, at most 512 KiB, whatever hangs below: 0.1 to 0.6 ms.
//             Frames from `reserve`: one besides those of a put of `to`.
// Errors:     none (AP of art/plan.hpp): what is not as it must be ends the process.
#pragma once

#include <string_view>

#include "art/edit.hpp"
#include "art/frame_set.hpp"

namespace artfs::art {

struct PrefixMove {
  TreeView tree;
  std::string_view from;
  std::string_view to;
};

void move_prefix(FrameSet& frames, const PrefixMove& move, Lsn version,
                 frame::FrameReserve& reserve);

}  // namespace artfs::art
