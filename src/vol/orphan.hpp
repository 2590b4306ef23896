// SPDX-License-Identifier: Apache-2.0
// What happens to an inode whose last name goes: erased at once, or kept as an orphan while in use.
//
// Contract:   remove_last_link adds to the transaction that removes the name either the erasure of
//             everything the inode has, or nlink 0 and the mark "o/<ino>". An orphan is reclaimed
//             when nobody has it open and the front end (if it announces forget) dropped it; its
//             blocks are freed in bounded steps, each a transaction, so that a crash in between goes
//             on at the next open.
// Threading:  as said at each call. Reclaiming never waits for a device sync.
// Cost:       one transaction per reclaim_blocks_step blocks.
// Errors:     Store errors; reclaiming in the background logs them and leaves the mark.
#pragma once

#include <cstddef>
#include <cstdint>

#include "data/file_bytes.hpp"
#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

inline constexpr std::size_t reclaim_blocks_step = 4096;

// What is left to do once the transaction of remove_last_link is committed.
enum class AfterUnlink : std::uint8_t { nothing, erased, orphaned };

// The stripe of `ino` is held until after the commit and finish_last_link. `inode` has lost its last
// link but for nlink itself.
[[nodiscard]] Result<AfterUnlink> remove_last_link(Core& core, data::Change& change, Ino ino,
                                                   format::Inode& inode);
// After the commit, stripe still held: what the in-memory state must know.
void finish_last_link(Core& core, Ino ino, AfterUnlink after) noexcept;

// Reclaims the orphan when nobody needs it; else nothing. No stripe held. Big files are handed to
// the flusher's thread unless `here`.
void reclaim_if_unused(Core& core, Ino ino, bool here) noexcept;

// The rest of a reclaim that reclaim_if_unused handed to the flusher's thread.
void finish_reclaim(Core& core, InodeState& state) noexcept;

// At open: everything a crash left. Nothing is in use then.
[[nodiscard]] Result<void> reclaim_all_orphans(Core& core);

}  // namespace artfs::vol
