// SPDX-License-Identifier: Apache-2.0
// The place to mount on: checked before anything is opened, freed of a dead mount of ours.
//
// Errors:     one sentence for the user: what is wrong and what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace artfs::fuse {

// The absolute path of the mount point. A mount of ours whose daemon is gone ("Transport endpoint is
// not connected") is detached first; any other mount there makes the place busy.
[[nodiscard]] tl::expected<std::string, std::string> prepare_mount_point(const std::string& path);

// Takes the mount at `path` away: as root by umount(2), otherwise through fusermount3. `lazy`
// detaches it also while it is in use. 0 or an errno.
[[nodiscard]] int unmount(const std::string& path, bool lazy);

}  // namespace artfs::fuse
