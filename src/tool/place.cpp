// SPDX-License-Identifier: Apache-2.0
#include "tool/place.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/unique_fd.hpp"
#include "fuse/mount_table.hpp"

namespace artfs::tool {

Place resolve_place(const std::string& path) {
  const Result<std::string> canonical = fuse::canonical_path(path);
  const Result<std::vector<fuse::MountEntry>> table = fuse::read_mount_table();
  if (!canonical || !table) return {.store = path, .mount_point = std::nullopt};
  if (const auto there = fuse::mount_at(*table, *canonical);
      there && there->type == fuse::filesystem_type) {
    return {.store = there->source, .mount_point = *canonical};
  }
  Place place{.store = *canonical, .mount_point = std::nullopt};
  if (const auto entry = fuse::mount_of_store(*table, *canonical))
    place.mount_point = entry->mount_point;
  return place;
}

bool is_store_free(const std::string& store) {
  const base::UniqueFd lock(::open((store + "/lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock) return true;
  return ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

}  // namespace artfs::tool
