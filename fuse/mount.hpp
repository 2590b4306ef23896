// SPDX-License-Identifier: Apache-2.0
// A mount from the request to the last byte on disk: checks, daemon, volume, session, end.
//
// Contract:   run_mount returns when the filesystem is mounted and served by a daemon in the
//             background, or, in the foreground, when it is unmounted and the store is closed. The
//             result is an exit status of mount(8). What goes wrong is one line on stderr.
// Threading:  call it from main's thread before any other exists.
// Errors:     a failure leaves the store as it was and nothing mounted.
#pragma once

#include <string>

#include "fuse/mount_options.hpp"

namespace artfs::fuse {

struct MountRequest {
  std::string store;
  std::string mount_point;
  bool foreground = false;
  MountOptions options;
};

[[nodiscard]] int run_mount(const MountRequest& request);
// Changes what the kernel keeps of a mount: ro and rw, nosuid, access times and the like. Words that the daemon was
// started with stay as they are, which is said.
[[nodiscard]] int run_remount(const MountRequest& request);

}  // namespace artfs::fuse
