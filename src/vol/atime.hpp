// SPDX-License-Identifier: Apache-2.0
// Access times: which reads move them.
//
// Contract:   the policy of the mount, the flag of the inode and, under relatime, the times decide. A
//             moved atime is pending until the flusher writes it out with whatever else there is; it
//             never changes ctime. Nothing moves on a volume that is open read-only.
// Threading:  any thread; the functions say which locks they take or want.
#pragma once

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

// The next read of this file moves its atime.
[[nodiscard]] bool atime_moves(const Core& core, const InodeState& state)
    ARTFS_REQUIRES(state.mutex);
// A read of a file's bytes.
void note_read(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex);
// A read of a directory's names or of a symlink's target. Takes the state's mutex.
void note_access(Core& core, Ino ino, const format::Inode& inode);
// ctime was set: relatime lets the next read move atime. Takes the state's mutex.
void note_change(Core& core, Ino ino);

// relatime, by the times alone.
[[nodiscard]] bool atime_is_behind(const format::Inode& inode) noexcept;

}  // namespace artfs::vol
