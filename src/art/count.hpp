// SPDX-License-Identifier: Apache-2.0
// What lies below a prefix, frame by frame: how many keys, how long they are, which frames come next.
//
// Contract:   tally_prefix() looks at the frame where the way of the prefix ends, tally_frame() at a whole
//             frame that a tally named. Each answer is true of one moment of its call. The caller goes on
//             with `children` until none is left; a child that has gone (frame_not_resident although it was
//             loaded, frame_corrupt from the loader) means that the tree was restructured: begin again.
// Threading:  any thread that has no open Look; no latch, pin or gate.
// Cost:       tally_frame without lengths: the header alone when no frame hangs below it, which is what most
//             frames of a large tree are; else one pass over the frame's nodes.
// Errors:     frame_not_resident (detail: its id), frame_corrupt, contended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"

#include "art/tree.hpp"

namespace artfs::art {

struct Tally {
  struct Child {
    FrameId frame;
    std::size_t key_off = 0;  // bytes of a key above the frame's entry
  };

  std::uint64_t keys = 0;     // in this frame
  std::size_t key_bytes = 0;  // of the longest of them; 0 when lengths were not wanted
  std::vector<Child> children;
};

enum class TallyOf : std::uint8_t { keys, keys_and_lengths };

[[nodiscard]] Result<Tally> tally_prefix(const TreeView& tree, std::string_view prefix, TallyOf of);
[[nodiscard]] Result<Tally> tally_frame(const TreeView& tree, const Tally::Child& child,
                                        TallyOf of);

}  // namespace artfs::art
