// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "fuse/kernel_shim.hpp"
#include "fuse/ops.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

// Of any thread; 0: none that a setattr may still follow. When many do this at once one may be forgotten:
// then suid goes as well.
std::atomic<std::uint64_t> last_removal{0};

std::uint64_t removal_key(fuse_req_t request, Ino ino) noexcept {
  return (static_cast<std::uint64_t>(fuse_req_ctx(request)->pid) << 32) ^ ino.raw;
}

bool capabilities_just_removed(fuse_req_t request, Ino ino) noexcept {
  std::uint64_t expected = removal_key(request, ino);
  return last_removal.compare_exchange_strong(expected, 0, std::memory_order_relaxed);
}

Timestamp to_timestamp(const timespec& time) noexcept {
  return {.seconds = time.tv_sec, .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec)};
}

SetAttr to_changes(const struct stat& wanted, int valid) noexcept {
  SetAttr changes;
  const auto has = [valid](int bit) { return (valid & bit) != 0; };
  if (has(FUSE_SET_ATTR_MODE)) changes.mode = wanted.st_mode & 07777;
  if (has(FUSE_SET_ATTR_UID)) changes.uid = wanted.st_uid;
  if (has(FUSE_SET_ATTR_GID)) changes.gid = wanted.st_gid;
  if (has(FUSE_SET_ATTR_SIZE)) changes.size = static_cast<std::uint64_t>(wanted.st_size);
  changes.atime_now = has(FUSE_SET_ATTR_ATIME_NOW);
  changes.mtime_now = has(FUSE_SET_ATTR_MTIME_NOW);
  if (has(FUSE_SET_ATTR_ATIME) && !changes.atime_now) changes.atime = to_timestamp(wanted.st_atim);
  if (has(FUSE_SET_ATTR_MTIME) && !changes.mtime_now) changes.mtime = to_timestamp(wanted.st_mtim);
  changes.clear_privileges = sheds_privileges(wanted);
  if (has(FUSE_SET_ATTR_CTIME)) changes.ctime = to_timestamp(wanted.st_ctim);
  // What is left of chown(-1, -1), for which Linux sets ctime and drops suid and sgid all the same.
  changes.owner_unchanged = valid == 0 && !changes.clear_privileges;
  return changes;
}

void op_getattr(fuse_req_t request, fuse_ino_t ino, fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  std::move(reply).attributes(volume_of(request).getattr(Ino{ino}));
}

void op_setattr(fuse_req_t request, fuse_ino_t ino, struct stat* wanted, int valid,
                fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  const SetAttr changes = to_changes(*wanted, valid);
  if (changes.owner_unchanged && capabilities_just_removed(request, Ino{ino})) {
    return std::move(reply).attributes(volume_of(request).getattr(Ino{ino}));
  }
  std::move(reply).attributes(volume_of(request).setattr(Ino{ino}, changes, caller_of(request)));
}

void op_statfs(fuse_req_t request, fuse_ino_t /*ino*/) noexcept {
  Reply reply(request);
  std::move(reply).statistics(volume_of(request).statfs());
}

}  // namespace

void note_capabilities_removed(fuse_req_t request, Ino ino) noexcept {
  last_removal.store(removal_key(request, ino), std::memory_order_relaxed);
}

void forget_attributes(fuse_req_t request, Ino ino) noexcept {
  // A negative offset: attributes and ACLs only, no pages. The kernel may not know the inode any more.
  static_cast<void>(fuse_lowlevel_notify_inval_inode(serving(request).session, ino.raw, -1, 0));
}

void add_attr_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.statfs = op_statfs;
}

}  // namespace artfs::fuse
