// SPDX-License-Identifier: Apache-2.0
// Logged writes: small synced changes go into the log with the inode record and to their blocks later.
//
// Contract:   log_pending makes what an inode accepted durable with the log alone, when that is small enough:
//             the bytes stand under "p/<ino>/<number>", the record has inode_has_logged and the times; its
//             size and contents stay what the extents say. The bytes stay dirty in the buffer, so that
//             everything that looks at the file sees them there; the flush that brings them to extents erases
//             the records in its transaction (fold_logged). An inode with records has a state with a
//             dirty buffer, always: after a crash restore_logged makes it before anything is served.
//             The flusher folds an inode when its records are fold_age_intervals commit intervals old, when
//             there are many of one inode or of all, and at sync and close.
// Threading:  as said at each call.
// Cost:       one transaction per inode and sync; memory as for bytes that are not synced.
// Errors:     the Store errors. A record that cannot be understood makes its file unreadable
//             (record_corrupt), and nothing else.
// Invariants: LOGGED (data/logged.hpp).
#pragma once

#include <cstdint>

#include "data/file_bytes.hpp"
#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

// Old enough that a file which is synced all the time is written out rarely, and that what lives for a moment
// (a journal) never is; young enough that records are erased before a checkpoint (30 s) writes them home.
inline constexpr int fold_age_intervals = 4;
// Fold when this much is logged, so that opening after a crash has little to do and a fold takes one
// transaction; above the second bound a sync flushes instead. Blocks bound the records, too.
inline constexpr std::uint64_t inode_fold_bytes = mib;
inline constexpr std::uint64_t inode_logged_bytes_max = 4 * mib;
inline constexpr std::uint64_t inode_fold_blocks = 256;
inline constexpr std::uint64_t inode_logged_blocks_max = 512;
inline constexpr std::uint64_t volume_fold_bytes = 16 * mib;
inline constexpr std::uint64_t volume_logged_bytes_max = 32 * mib;

enum class Logging : std::uint8_t {
  durable,     // with the log
  must_flush,  // too much, not of the kind, or what a running flush has in hand is not logged
};

// Stripe and state held. What goes into the inode record anyway goes there.
[[nodiscard]] Result<Logging> log_pending(Core& core, InodeState& state)
    ARTFS_REQUIRES(state.mutex);

// What a flush that was begun with `before` does to the records and to the flag of `inode`. Returns the
// records that stand once its transaction is committed, which settle_logged then says. Stripe and state held.
struct Fold {
  const data::Flush& flush;
  const LoggedRecords& before;
};

[[nodiscard]] LoggedRecords fold_logged(Core& core, const InodeState& state, const Fold& fold,
                                        Txn& txn, format::Inode& inode) ARTFS_REQUIRES(state.mutex);
void settle_logged(Core& core, InodeState& state, const LoggedRecords& now)
    ARTFS_REQUIRES(state.mutex);

// The records went with the inode, or go when it does.
void forget_logged(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex);
// With the inode record. Stripe held.
[[nodiscard]] Result<void> erase_logged(Core& core, Txn& txn, Ino ino, const format::Inode& inode);

// At open, orphans reclaimed: the buffers that a crash, or a reader's not being the writer, left as records.
[[nodiscard]] Result<void> restore_logged(Core& core);

}  // namespace artfs::vol
