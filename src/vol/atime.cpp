// SPDX-License-Identifier: Apache-2.0
#include "vol/atime.hpp"

#include "vol/file.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

constexpr std::int64_t atime_seconds_max = 24 * 60 * 60;

bool is_old(std::int64_t atime_seconds, Timestamp time) {
  return time.seconds - atime_seconds >= atime_seconds_max;
}

bool is_behind(Timestamp atime, const format::Inode& inode) {
  return atime <= inode.mtime || atime <= inode.ctime;
}

// The one in the record, or a later one that is pending: a directory is listed by many before the
// flusher comes by.
Timestamp latest_atime(Core& core, Ino ino, const format::Inode& inode) {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return inode.atime;
  const base::MutexLock lock(state->mutex);
  return state->pending.atime.value_or(inode.atime);
}

}  // namespace

bool atime_is_behind(const format::Inode& inode) noexcept {
  return is_behind(inode.atime, inode);
}

bool atime_moves(const Core& core, const InodeState& state) {
  if (core.read_only() || (state.flags & format::inode_noatime) != 0) return false;
  switch (core.access_times.load(std::memory_order_relaxed).kind) {
    case AccessTimes::noatime:
      return false;
    case AccessTimes::strictatime:
      return true;
    case AccessTimes::relatime:
      break;
  }
  return state.atime_due || is_old(state.atime_seconds, now());
}

void note_read(Core& core, InodeState& state) {
  if (!atime_moves(core, state)) return;
  const Timestamp time = now();
  state.atime_due = false;
  state.atime_seconds = time.seconds;
  state.pending.atime = time;
  mark_dirty(core, state);
}

void note_access(Core& core, Ino ino, const format::Inode& inode) {
  const AccessTimePolicy policy = core.access_times.load(std::memory_order_relaxed);
  if (core.read_only() || policy.kind == AccessTimes::noatime) return;
  if ((inode.flags & format::inode_noatime) != 0) return;
  if (inode.is_directory() && !policy.directories) return;
  const Timestamp time = now();
  const Timestamp atime = latest_atime(core, ino, inode);
  const bool moves = policy.kind == AccessTimes::strictatime || is_behind(atime, inode) ||
                     is_old(atime.seconds, time);
  if (!moves) return;
  const OpenInodes::Ref state = core.open.acquire(ino);
  const base::MutexLock lock(state->mutex);
  if (state->gone || state->reclaiming) return;
  state->pending.atime = time;
  mark_dirty(core, *state);
}

void note_change(Core& core, Ino ino) {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return;
  const base::MutexLock lock(state->mutex);
  state->atime_due = true;
}

}  // namespace artfs::vol
