// SPDX-License-Identifier: Apache-2.0
// statfs and stats: figures from transactional counters, never from a walk.
//
// Contract:   used figures equal a full walk of the committed state; free figures are what writes can
//             still get. Never negative, never zero while there is room.
// Cost:       O(1), one statfs of the device that holds the store.
#pragma once

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] StatFs statfs(const Core& core);
[[nodiscard]] VolumeStats stats(const Core& core);

}  // namespace artfs::vol
