// SPDX-License-Identifier: Apache-2.0
// scrub_frames: the image of every frame on the device read and verified, beside any use of the store.
//
// Contract:   `after_each` is told of each frame; false ends the scrub. A frame that seems damaged may be new,
//             or be written home just now: it is looked at again, after a checkpoint, and only what stays
//             wrong is a problem. Frames made behind the scrub are not looked at.
// Threading:  one thread; holds nothing while it reads. May write checkpoints.
// Cost:       one read of 512 KiB per frame; memory of a list of the frames.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/store_impl.hpp"

namespace artfs::engine {

struct ScrubbedFrame {
  std::uint64_t of = 0;  // so many there were at the beginning
  std::string problem;   // empty: sound
};

void scrub_frames(StoreImpl& store, const std::function<bool(const ScrubbedFrame&)>& after_each);

}  // namespace artfs::engine
