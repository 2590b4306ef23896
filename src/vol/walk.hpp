// SPDX-License-Identifier: Apache-2.0
// walk: everything below a directory, with attributes, by cursors.
//
// Contract:   as Volume::walk. Two cursors work on a directory: one over its entries by number, one over the
//             inode records, which lie in the same order; a stretch of some hundred entries is read by the one,
//             then by the other, then shown. The way down is a stack; only its lowest levels keep the
//             stretch they are in, the others read theirs again when the walk comes back to them.
//             A directory that stands in itself (damage) is shown with record_corrupt and not entered.
//             A volume without numbers (read-only, of version 1) is listed by name.
// Threading:  the caller's; nothing is locked during a visit.
// Cost:       see Volume::walk; stretches_max stretches of about 60 KiB.
#pragma once

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<bool> walk(Core& core, Ino root, const WalkOptions& options,
                                const WalkVisit& visit);

}  // namespace artfs::vol
