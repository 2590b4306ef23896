// SPDX-License-Identifier: Apache-2.0
// Feature: what a filesystem may lack; probed, and loudly masked where one side lacks it.
//
// Contract:   probe() tries each feature in a scratch directory below `top`, which it removes. What one
//             side does not support would differ at every use and hide real differences: those calls
//             answer "masked" on both sides. mask() says on stdout which and why.
// Threading:  one thread; needs root.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace artfs::differential {

enum class Feature : std::uint8_t {
  none,
  tmpfile,
  punch_hole,
  zero_range,
  seek_hole,
  whiteout,
  exchange,
  inode_flags,
  acl,
  user_xattrs,
  xattr_names,       // only the namespaces of xattr(7), with something behind the dot
  xattr_both_flags,  // XATTR_CREATE | XATTR_REPLACE is not wrong in itself
  empty_chown,       // chown(-1, -1) sets the time of change
  shedding,          // fallocate by a user takes suid away
  fine_times,        // two changes in a row get different times
  access_time,       // a read sets the access time as relatime says
  count,
};

inline constexpr std::size_t feature_count = static_cast<std::size_t>(Feature::count);

struct Features {
  // What the probe answered: empty when it works, else why not.
  std::array<std::string, feature_count> missing;

  [[nodiscard]] bool has(Feature feature) const noexcept {
    return missing[static_cast<std::size_t>(feature)].empty();
  }
};

const char* name_of(Feature feature) noexcept;

Features probe(const std::string& top);

// What both have; prints a line for each that is masked. `masked` counts them.
Features common(const Features& mount, const Features& twin, unsigned& masked);

}  // namespace artfs::differential
