// SPDX-License-Identifier: Apache-2.0
// Exit statuses of mount(8) and umount(8).
#pragma once

namespace artfs::fuse {

inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 1;        // wrong option or argument
inline constexpr int exit_system = 2;       // out of processes or memory
inline constexpr int exit_interrupted = 8;  // stopped by the user
inline constexpr int exit_mount = 32;       // the mount or unmount failed

}  // namespace artfs::fuse
