// SPDX-License-Identifier: Apache-2.0
// The access times of a mount, between its options and the volume.
//
// Contract:   the kernel leaves access times to the daemon and tells it nothing of the mount's flags. So
//             show_access_times() gives the mount the flags of the policy (only root can; others have
//             the policy without the flags), and AccessTimeWatch takes over what a remount changes.
// Threading:  the watch has a thread of its own, which sleeps until the mount table changes. It ends
//             with the object, which goes before the volume.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "artfs/volume.hpp"

namespace artfs::fuse {

// relatime, noatime, nodiratime as the mount table has them; neither of the first two: strictatime.
[[nodiscard]] AccessTimePolicy policy_of_flags(std::string_view flags) noexcept;

void show_access_times(const std::string& mount_point, AccessTimePolicy policy) noexcept;

class AccessTimeWatch {
 public:
  // Nothing where the mount table cannot be watched.
  [[nodiscard]] static std::unique_ptr<AccessTimeWatch> start(const std::string& mount_point,
                                                              Volume& volume);
  virtual ~AccessTimeWatch() = default;
};

}  // namespace artfs::fuse
