// SPDX-License-Identifier: Apache-2.0
// Open files and their bytes: open, release, read, write, fallocate, flush.
//
// Contract:   as volume.hpp. A write is accepted into the inode's buffer and its times become pending;
//             the flusher writes both out. Reads and attributes see accepted writes at once.
// Threading:  any thread; the state of the inode, for open_file and privileges its stripe first.
//             make_room blocks until the write buffer has room; nothing may be locked then.
// Errors:     not_a_regular file: is_a_directory, invalid_argument; no_space only after everything
//             that is accepted was written out and freed space was made reusable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<Opened> open_file(Core& core, Ino ino, OpenMode mode);
void release(Core& core, Ino ino) noexcept;
void forget(Core& core, Ino ino) noexcept;

[[nodiscard]] Result<std::size_t> read(Core& core, Ino ino, std::uint64_t offset,
                                       std::span<std::byte> out, bool keeps_atime);
[[nodiscard]] Result<void> write(Core& core, Ino ino, std::uint64_t offset,
                                 std::span<const std::byte> data, const Caller& caller);
[[nodiscard]] Result<void> fallocate(Core& core, Ino ino, const data::FileBytes::Range& range);
[[nodiscard]] Result<void> clear(Core& core, Ino ino, const data::FileBytes::Range& range,
                                 data::FileBytes::Clear how);
[[nodiscard]] Result<std::uint64_t> seek(Core& core, Ino ino, const data::FileBytes::Seek& seek);
// The range becomes a hole, and the file is at least that long afterwards.
[[nodiscard]] Result<void> make_hole(Core& core, Ino ino, const data::FileBytes::Range& range);
[[nodiscard]] Result<std::uint64_t> size_of(Core& core, Ino ino);
// The latched error of earlier write-back, if any.
[[nodiscard]] Result<void> flush(Core& core, Ino ino);

// What a write drops, before it.
[[nodiscard]] Result<void> shed_privileges(Core& core, Ino ino, const Caller& caller);

// Waits for room in the write buffer.
[[nodiscard]] Result<void> make_room(Core& core);
// Durability::strict: what was just accepted is on disk when this returns. Nothing may be locked.
[[nodiscard]] Result<void> write_through(Core& core, Ino ino);
// The state takes over a regular file's record; what was accepted since is none.
void adopt_inode(InodeState& state, const format::Inode& inode) ARTFS_REQUIRES(state.mutex);
// What the record says of the bytes is in the state. inode_not_found, is_a_directory, invalid_argument.
[[nodiscard]] Result<void> load_contents(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex);
// Part of setattr.
[[nodiscard]] Result<void> truncate_locked(Core& core, InodeState& state, std::uint64_t size)
    ARTFS_REQUIRES(state.mutex);
// The state has something the record does not: the flusher must come by.
void mark_dirty(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex);

}  // namespace artfs::vol
