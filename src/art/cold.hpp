// SPDX-License-Identifier: Apache-2.0
// Point reads through frames of which only some pages are in memory.
//
// Contract:   find_cold() is find() for a key whose way leads through frames that are not resident: it
//             uses what is present of them (frame::PartialPin) and ends at the first object that is not, with
//             frame_not_resident and the bytes that are needed. The caller fetches these, keeps what it gets
//             pinned, and calls again. Whole frames on the way are read through looks.
// Threading:  as art/walk.hpp.
// Cost:       as a walk, and for each object in a partial frame a look at the frame's bitmap of pages.
// Errors:     key_not_found, frame_corrupt; frame_not_resident with `missing` set; contended when somebody
//             changed a frame under it: nothing is known then.
#pragma once

#include <string>
#include <string_view>

#include "artfs/result.hpp"

#include "art/tree.hpp"
#include "frame/partial.hpp"

namespace artfs::art {

struct MissingBytes {
  FrameId frame;
  frame::ByteRange range;
};

// `value` may be null.
[[nodiscard]] Result<Lsn> find_cold(const TreeView& tree, std::string_view key, std::string* value,
                                    MissingBytes& missing);

}  // namespace artfs::art
