// SPDX-License-Identifier: Apache-2.0
// The handlers of .artfs/: a directory at the root of the mount that is in no listing, with what Inside tells.
//
// Contract:   add_inside_ops() comes last: it puts itself before the volume's handlers and passes on whatever is not
//             its own. ".artfs" in the root is looked up in the volume first: a real one is shown and this one
//             is not there. While it is there, making, removing, linking and renaming that name or anything in
//             it fails with EPERM (making it with EEXIST). Inode numbers begin at inside_ino_first, which the
//             volume's never reach: they count up from 64, at most 2^26 for each mount. The contents of a
//             file are made when it is opened and stay for that opening; sizes are 0 as in /proc, and
//             reads go past the page cache. The directory and stats, metrics can be read by everybody who may
//             enter the mount; accesslog and config are the daemon's user's and root's.
// Threading:  as handlers (ops.hpp).
#pragma once

#include <optional>

#include "fuse/ops.hpp"

namespace artfs::fuse {

inline constexpr std::uint64_t inside_ino_first = std::uint64_t{1} << 62;

void add_inside_ops(fuse_lowlevel_ops& ops) noexcept;

// Of an inode of .artfs/; nothing for the volume's. For requests that do not pass through libfuse.
[[nodiscard]] std::optional<Attr> inside_attributes(const Serving& serving, Ino ino) noexcept;

}  // namespace artfs::fuse
