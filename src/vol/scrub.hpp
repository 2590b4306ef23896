// SPDX-License-Identifier: Apache-2.0
// scrub: every frame and every block read from the device and compared with its checksum.
//
// Contract:   works beside any use of the volume. What does not match is looked at again, a frame after a
//             checkpoint, a block after its extent was read anew: only what stays wrong is a problem. A
//             block that several files share is read once and named for each of them.
// Threading:  one thread; never holds a lock across a read. Changes that come behind it are not seen.
// Cost:       reads everything once, 512 KiB or a block at a time, at the rate of the options; one bit of
//             memory per 4 KiB of blocks.dat.
// Errors:     when the names or extents themselves cannot be listed; damage is in the report.
#pragma once

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<ScrubReport> scrub(Core& core, const ScrubOptions& options);

}  // namespace artfs::vol
