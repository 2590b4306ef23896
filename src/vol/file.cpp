// SPDX-License-Identifier: Apache-2.0
#include "vol/file.hpp"

#include <algorithm>

#include "vol/atime.hpp"
#include "vol/attr.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/orphan.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {
namespace {

using format::Inode;

// restore_logged() found a record that it could not understand.
Result<void> check_readable(const Core& core, Ino ino) {
  if (core.unreadable.contains(ino.raw)) return fail(Errc::record_corrupt, ino.raw);
  return {};
}

}  // namespace

Result<void> load_contents(Core& core, InodeState& state) {
  if (state.gone) return fail(Errc::inode_not_found, state.ino.raw);
  if (state.loaded) return {};
  ARTFS_TRY(check_readable(core, state.ino));
  const Inode inode = ARTFS_TRY(load_inode(core, state.ino));
  if (inode.is_directory()) return fail(Errc::is_a_directory, state.ino.raw);
  if (!inode.is_regular()) return fail(Errc::invalid_argument, state.ino.raw);
  adopt_inode(state, inode);
  return {};
}

namespace {

void note_write(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex) {
  const Timestamp time = now();
  state.pending.mtime = time;
  state.pending.ctime = time;
  state.atime_due = true;  // the next read is later than this change
  mark_dirty(core, state);
}

Touches touches_of(const Caller& caller) {
  return caller.writes_back ? Touches::mapped_pages : Touches::contents;
}

// Runs change(contents, buffer) under the state's mutex. Short of space, everything accepted is written out and the
// log synced once, which makes freed space reusable, before no_space is the answer. Not analysed:
// clang 14 takes the lambda itself for the argument whose mutex the lambda requires.
template <typename ChangeBytes>
Result<void> change_bytes(Core& core, Ino ino, const ChangeBytes& change,
                          Touches touches = Touches::contents) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
  ARTFS_TRY(make_room(core));
  const OpenInodes::Ref state = core.open.acquire(ino);
  for (bool last_attempt = false;; last_attempt = true) {
    {
      const base::MutexLock lock(state->mutex);
      ARTFS_TRY(load_contents(core, *state));
      ARTFS_TRY(may_touch(state->flags, touches));
      const Result<void> changed = change(state->contents, state->buffer);
      if (changed) note_write(core, *state);
      if (changed) break;
      if (changed.error().code != Errc::no_space || last_attempt) return changed;
    }
    ARTFS_TRY(core.flusher->flush_all());
    ARTFS_TRY(core.store->sync());
  }
  return write_through(core, ino);
}

// What of a read needs the mutex: memory is copied, blocks are noted, the access is.
Result<data::ReadPlan> plan_read(Core& core, InodeState& state, std::uint64_t offset,
                                 std::span<std::byte> out, bool keeps_atime) {
  const base::MutexLock lock(state.mutex);
  ARTFS_TRY(load_contents(core, state));
  data::ReadPlan plan =
      ARTFS_TRY(core.bytes->plan_read(state.ino, state.contents, &state.buffer, offset, out));
  if (!keeps_atime) note_read(core, state);
  return plan;
}

}  // namespace

void adopt_inode(InodeState& state, const Inode& inode) {
  state.contents = contents_of(inode);
  adopt_attributes(state, inode);
  state.loaded = true;
}

void mark_dirty(Core& core, InodeState& state) {
  if (state.queued) return;
  state.queued = true;
  core.flusher->enqueue(state.ino);
}

Result<void> write_through(Core& core, Ino ino) {
  if (core.options.store.durability != Durability::strict) return {};
  return core.flusher->log_one(ino);
}

Result<void> make_room(Core& core) {
  if (core.read_only()) return fail(Errc::store_read_only);
  return core.flusher->make_room();
}

// The stripe orders this against the removal of the last name: either the opener counts there, or
// the inode is gone here.
Result<Opened> open_file(Core& core, Ino ino, OpenMode mode) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const InodeLocks::Guard guard(core.locks, {ino});
  const base::MutexLock lock(state->mutex);
  if (state->gone || state->reclaiming) return fail(Errc::inode_not_found, ino.raw);
  if (!state->loaded) {
    const Inode inode = ARTFS_TRY(load_inode(core, ino));
    if (inode.is_regular()) {
      ARTFS_TRY(check_readable(core, ino));
      adopt_inode(*state, inode);
    }
  }
  ARTFS_TRY(may_open(state->flags, mode));
  ++state->opens;
  return Opened{.atime_due = atime_moves(core, *state),
                .append_only = (state->flags & format::inode_append) != 0};
}

void release(Core& core, Ino ino) noexcept {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  bool reclaim = false;
  {
    const base::MutexLock lock(state->mutex);
    if (state->opens == 0) return;
    if (--state->opens > 0) return;
    state->write_error.reset();
    reclaim = state->orphan;
  }
  if (reclaim) reclaim_if_unused(core, ino, false);
}

void forget(Core& core, Ino ino) noexcept {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  {
    const base::MutexLock lock(state->mutex);
    state->referenced = false;
    if (!state->orphan) return;
  }
  reclaim_if_unused(core, ino, false);
}

Result<std::size_t> read(Core& core, Ino ino, std::uint64_t offset, std::span<std::byte> out,
                         bool keeps_atime) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const data::ReadPlan plan = ARTFS_TRY(plan_read(core, *state, offset, out, keeps_atime));
  const Result<void> read = core.bytes->read_blocks(ino, plan);
  if (read) return plan.bytes;
  if (read.error().code != Errc::block_corrupt) return fail(read.error());
  // Freed and reused since, or damaged: under the mutex nobody frees what the file names.
  const base::MutexLock lock(state->mutex);
  ARTFS_TRY(load_contents(core, *state));
  return core.bytes->read(ino, state->contents, &state->buffer, offset, out);
}

Result<void> write(Core& core, Ino ino, std::uint64_t offset, std::span<const std::byte> bytes,
                   const Caller& caller) {
  if (offset > format::file_size_max || bytes.size() > format::file_size_max - offset) {
    return fail(Errc::file_too_big, offset);
  }
  if (bytes.empty()) return {};
  ARTFS_TRY(shed_privileges(core, ino, caller));
  return change_bytes(
      core, ino,
      [&](const data::Contents& contents, data::Buffer& buffer) {
        return core.bytes->write(ino, contents, buffer, offset, bytes);
      },
      touches_of(caller));
}

// Most files have nothing to drop, and the state knows.
Result<void> shed_privileges(Core& core, Ino ino, const Caller& caller) {
  if (core.read_only()) return {};
  const OpenInodes::Ref state = core.open.acquire(ino);
  {
    const base::MutexLock lock(state->mutex);
    ARTFS_TRY(load_contents(core, *state));
    if (!state->has_privileges) return {};
    ARTFS_TRY(may_touch(state->flags, touches_of(caller)));
  }
  return drop_privileges_of(core, ino, caller);
}

namespace {

Result<void> check_range(const data::FileBytes::Range& range) {
  if (range.length == 0) return fail(Errc::invalid_argument);
  if (range.offset > format::file_size_max || range.length > format::file_size_max - range.offset) {
    return fail(Errc::file_too_big, range.offset);
  }
  return {};
}

}  // namespace

Result<void> fallocate(Core& core, Ino ino, const data::FileBytes::Range& range) {
  ARTFS_TRY(check_range(range));
  return change_bytes(core, ino, [&](const data::Contents& contents, data::Buffer& buffer) {
    return core.bytes->fallocate(ino, contents, buffer, range);
  });
}

Result<void> clear(Core& core, Ino ino, const data::FileBytes::Range& range,
                   data::FileBytes::Clear how) {
  ARTFS_TRY(check_range(range));
  return change_bytes(
      core, ino,
      [&](const data::Contents& contents, data::Buffer& buffer) {
        return core.bytes->clear(ino, contents, buffer, range, how);
      },
      Touches::holes);
}

Result<void> make_hole(Core& core, Ino ino, const data::FileBytes::Range& range) {
  return change_bytes(core, ino, [&](const data::Contents& contents, data::Buffer& buffer) {
    const std::uint64_t end = range.offset + range.length;
    const std::uint64_t size = buffer.size(contents);
    data::FileBytes::Range old{.offset = range.offset, .length = 0, .keep_size = true};
    old.length = std::min(end, size) - std::min(range.offset, size);
    Result<void> done;
    if (old.length > 0) {
      done = core.bytes->clear(ino, contents, buffer, old, data::FileBytes::Clear::punch);
    }
    if (done && end > size) done = core.bytes->truncate(ino, contents, buffer, end);
    return done;
  });
}

Result<std::uint64_t> size_of(Core& core, Ino ino) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const base::MutexLock lock(state->mutex);
  ARTFS_TRY(load_contents(core, *state));
  return state->buffer.size(state->contents);
}

Result<std::uint64_t> seek(Core& core, Ino ino, const data::FileBytes::Seek& seek) {
  const OpenInodes::Ref state = core.open.acquire(ino);
  const base::MutexLock lock(state->mutex);
  ARTFS_TRY(load_contents(core, *state));
  return core.bytes->seek(ino, state->contents, &state->buffer, seek);
}

Result<void> truncate_locked(Core& core, InodeState& state, std::uint64_t size) {
  ARTFS_TRY(load_contents(core, state));
  ARTFS_TRY(core.bytes->truncate(state.ino, state.contents, state.buffer, size));
  state.atime_due = true;
  mark_dirty(core, state);
  return {};
}

Result<void> flush(Core& core, Ino ino) {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return {};
  const base::MutexLock lock(state->mutex);
  if (state->write_error) return fail(*state->write_error);
  return {};
}

}  // namespace artfs::vol
