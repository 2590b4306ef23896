// SPDX-License-Identifier: Apache-2.0
// insert and erase: one key put into, or taken out of, frames that are latched.
//
// Contract:   `at` says where the descent starts, and where it ends when that is known. Frames above the
//             start stay as they are: WritePlan starts at the root when they may have to change.
// Threading:  the frames on the way are members of the latched set.
// Cost:       O(key bytes) in the frame, nothing when the place is known; a spill copies the frame once.
// Errors:     none (AP of art/plan.hpp): what is not as it must be ends the process.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "art/descend.hpp"
#include "art/frame_set.hpp"
#include "art/tree.hpp"

namespace artfs::art {

struct Place {
  TreeView tree;
  std::string_view key;
  std::size_t member = 0;  // the frame to start in
  std::size_t key_off = 0;
  const Stop* stop = nullptr;     // the end of the way in that frame; null: to be found
  std::span<const Step> steps{};  // erase: that lead to `stop`
};

// A frame that an erase left with little in it, or with much of it dead.
struct Shrunken {
  FrameId root{};  // of the tree
  FrameId frame{};
  std::string key;  // leads to the frame
};

void insert(FrameSet& frames, const Place& at, std::string_view value, Lsn version,
            frame::FrameReserve& reserve);

// Takes out everything that begins with `at.key`, which is something but not the whole tree. Frames below
// stay as they are: another edge leads to them.
void cut_prefix(FrameSet& frames, const Place& at, Lsn version);

// False when the key is absent.
bool erase(FrameSet& frames, const Place& at, Lsn version, std::vector<Shrunken>& shrunken);

}  // namespace artfs::art
