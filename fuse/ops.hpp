// SPDX-License-Identifier: Apache-2.0
// The request handlers, by family, and how they reach what they serve.
//
// Contract:   a handler answers its request exactly once (reply.hpp) and never throws. `userdata` of
//             the session is a Serving that outlives the loop.
// Threading:  handlers run on the session's worker threads, any number at once.
#pragma once

#include <atomic>
#include <string>

#include "artfs/volume.hpp"

#include "fuse/lowlevel.hpp"

namespace artfs::fuse {

class Inside;

// A switch that is turned while handlers look at it.
class LiveSwitch {
 public:
  LiveSwitch(bool on) noexcept
      : on_(on) {}  // NOLINT(google-explicit-constructor): a bool with care

  LiveSwitch(const LiveSwitch& other) noexcept : on_(static_cast<bool>(other)) {}

  LiveSwitch& operator=(const LiveSwitch& other) noexcept {
    on_.store(static_cast<bool>(other), std::memory_order_relaxed);
    return *this;
  }

  ~LiveSwitch() = default;

  operator bool() const noexcept { return on_.load(std::memory_order_relaxed); }  // NOLINT

 private:
  std::atomic<bool> on_;
};

// What the handlers work on.
struct Serving {
  Volume& volume;
  LiveSwitch fsync_waits = true;      // false: durability=relaxed
  bool keeps_acls = true;             // false: noacl
  fuse_session* session = nullptr;    // of Session, for notifications
  bool is_negotiated = false;         // INIT came; of Session
  void (*on_ready)(void*) = nullptr;  // called once, when requests are served
  void* ready_context = nullptr;
  std::string mount_point;   // absolute
  Inside* inside = nullptr;  // what .artfs/ shows; nullptr: it is not there
};

[[nodiscard]] inline Serving& serving(fuse_req_t request) noexcept {
  return *static_cast<Serving*>(fuse_req_userdata(request));
}

[[nodiscard]] inline Volume& volume_of(fuse_req_t request) noexcept {
  return serving(request).volume;
}

// The caller of a request. The kernel says when a write sheds privileges (kernel_shim.hpp), or sheds them
// itself; hence has_cap_fsetid.
[[nodiscard]] inline Caller caller_of(fuse_req_t request) noexcept {
  const fuse_ctx& context = *fuse_req_ctx(request);
  return {.uid = context.uid, .gid = context.gid, .umask = context.umask, .has_cap_fsetid = true};
}

// Before a write to a file with capabilities the kernel removes them, and then sends a setattr without
// any change, as it does for chown(-1, -1). The thread's last removal tells the two apart.
void note_capabilities_removed(fuse_req_t request, Ino ino) noexcept;

// The kernel asks again for attributes that changed without it being told (an ioctl). From inside the
// request, whose open file keeps the inode: the kernel only marks what it has as stale.
void forget_attributes(fuse_req_t request, Ino ino) noexcept;

void add_name_ops(
    fuse_lowlevel_ops&
        ops) noexcept;  // lookup forget mknod mkdir unlink rmdir symlink rename link readlink
void add_dir_ops(
    fuse_lowlevel_ops& ops) noexcept;  // opendir readdir readdirplus releasedir fsyncdir
void add_attr_ops(fuse_lowlevel_ops& ops) noexcept;  // getattr setattr statfs
void add_file_ops(
    fuse_lowlevel_ops& ops) noexcept;  // open create read write flush release fsync fallocate lseek
void add_ioctl_ops(fuse_lowlevel_ops& ops) noexcept;  // ioctl
void add_xattr_ops(fuse_lowlevel_ops& ops) noexcept;  // setxattr getxattr listxattr removexattr

}  // namespace artfs::fuse
