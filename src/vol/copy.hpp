// SPDX-License-Identifier: Apache-2.0
// copy_range: bytes from file to file, by reference where blocks can be shared.
//
// Contract:   as Volume::copy_range. Whole blocks that stand at the same place within their block size on
//             both sides are shared, in transactions of some thousand blocks, after what is pending of
//             both files was written out; so is the source's last, short block when the target ends
//             with it. Everything else is read and written as a program would, holes left out.
// Threading:  any thread; nothing may be locked. Blocks on the device while pending bytes are written out.
// Cost:       about 3 microseconds per shared block; the bytes of edges. A call copies at most
//             bytes_copied_max without sharing, then returns early.
// Errors:     as read of the source and write of the target; invalid_argument for ranges of one file that
//             overlap. What was copied before an error counts: the error comes with the next call.
#pragma once

#include <cstdint>

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

inline constexpr std::uint64_t bytes_copied_max = 16 * mib;

[[nodiscard]] Result<std::uint64_t> copy_range(Core& core, const CopyRange& range,
                                               const Caller& caller);

}  // namespace artfs::vol
