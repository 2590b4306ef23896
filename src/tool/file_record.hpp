// SPDX-License-Identifier: Apache-2.0
// FileRecord: everything about a file but its bytes, on its way from one tree, or archive, to another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tool/file_tree.hpp"

namespace artfs::tool {

struct FileRecord {
  std::string path;        // below what is copied; empty: that itself
  std::uint32_t mode = 0;  // with the type
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::uint64_t size = 0;  // of a regular file
  bool may_have_holes = false;
  std::optional<Timestamp> atime, mtime;
  std::string target;  // of a symbolic link
  // Another name of what stands, or comes to stand, at this path.
  std::optional<std::string> hard_link;
  std::vector<Xattr> xattrs;  // ACLs among them
};

// A stretch of data between holes.
struct DataRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

}  // namespace artfs::tool
