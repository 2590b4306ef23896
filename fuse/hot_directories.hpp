// SPDX-License-Identifier: Apache-2.0
// hot_directories: in which directories the last requests looked up, made, removed or listed names.
//
// Contract:   counted among the requests given, which are a sample: the last few hundred of each thread. Requests that
//             name a file (reads, writes, attributes) tell no directory and do not count. `path` is one
//             from the root of the volume, "inode N" where it cannot be had cheaply. Access times stay.
// Threading:  any.
// Cost:       for each directory shown, its ancestors' listings, at most 100,000 entries in all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "artfs/volume.hpp"

#include "fuse/access_ring.hpp"

namespace artfs::fuse {

struct HotDirectory {
  Ino ino;
  std::string path;
  std::uint64_t requests = 0;
};

struct HotDirectories {
  std::vector<HotDirectory> directories;  // most requests first
  std::uint64_t sampled = 0;              // requests that count
};

[[nodiscard]] HotDirectories hot_directories(Volume& volume,
                                             const std::vector<AccessEntry>& requests,
                                             std::size_t directories_max);

// "/a/b", from ".." and listings; nothing when `entries_left` would fall below zero, or the way is broken.
[[nodiscard]] std::string path_of_directory(Volume& volume, Ino directory,
                                            std::uint64_t& entries_left);

}  // namespace artfs::fuse
