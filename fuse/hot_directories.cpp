// SPDX-License-Identifier: Apache-2.0
#include "fuse/hot_directories.hpp"

#include <fmt/format.h>
#include <linux/fuse.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace artfs::fuse {

namespace {

constexpr std::uint64_t entries_max = 100'000;
constexpr unsigned depth_max = 256;
constexpr std::uint32_t opcode_tmpfile = 51;  // linux/fuse.h of Debian 12 lacks it

// The inode that comes with the request is a directory in which a name is looked up, made, removed or listed.
bool names_directory(std::uint32_t opcode) noexcept {
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
    case FUSE_LINK:
    case FUSE_CREATE:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case opcode_tmpfile:
      return true;
    default:
      return false;
  }
}

// The name of `child` in `parent`. A walk leaves access times alone, a listing would move them.
std::optional<std::string> name_in(Volume& volume, Ino parent, Ino child,
                                   std::uint64_t& entries_left) {
  std::optional<std::string> found;
  const Result<bool> walked = volume.walk(parent, {.levels_max = 1}, [&](const WalkEntry& entry) {
    if (entry.depth == 1 && entry.attr.ino == child) found = std::string(entry.name);
    if (found || entries_left == 0) return false;
    --entries_left;
    return true;
  });
  static_cast<void>(walked);  // a directory that is gone has no name in there
  return found;
}

}  // namespace

std::string path_of_directory(Volume& volume, Ino directory, std::uint64_t& entries_left) {
  std::string path;
  for (unsigned depth = 0; depth < depth_max && directory != root_ino; ++depth) {
    const Result<Attr> parent = volume.lookup(directory, "..");
    if (!parent) return {};
    const auto name = name_in(volume, parent->ino, directory, entries_left);
    if (!name) return {};
    path.insert(0, "/" + *name);
    directory = parent->ino;
  }
  if (directory != root_ino) return {};
  return path.empty() ? "/" : path;
}

HotDirectories hot_directories(Volume& volume, const std::vector<AccessEntry>& requests,
                               std::size_t directories_max) {
  HotDirectories out;
  std::unordered_map<std::uint64_t, std::uint64_t> counts;
  for (const AccessEntry& request : requests) {
    if (!names_directory(request.opcode)) continue;
    ++counts[request.ino];
    ++out.sampled;
  }
  for (const auto& [ino, count] : counts) {
    out.directories.push_back({.ino = Ino{ino}, .path = {}, .requests = count});
  }
  std::sort(out.directories.begin(), out.directories.end(), [](const auto& a, const auto& b) {
    return a.requests != b.requests ? a.requests > b.requests : a.ino.raw < b.ino.raw;
  });
  if (out.directories.size() > directories_max) out.directories.resize(directories_max);
  std::uint64_t entries_left = entries_max;
  for (HotDirectory& one : out.directories) {
    one.path = path_of_directory(volume, one.ino, entries_left);
    if (one.path.empty()) one.path = fmt::format("inode {}", one.ino.raw);
  }
  return out;
}

}  // namespace artfs::fuse
