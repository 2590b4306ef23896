// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount_point.hpp"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fuse/mount_table.hpp"
#include "fuse/run_program.hpp"

namespace artfs::fuse {

namespace {

// The errno of stat on the path, 0 when it answers.
int stat_errno(const std::string& path, struct stat& attr) {
  return ::stat(path.c_str(), &attr) == 0 ? 0 : errno;
}

// Asks for statfs: the kernel answers stat from its attribute cache, also for a daemon that is gone.
bool is_dead(const std::string& path) {
  struct statfs figures {};

  if (::statfs(path.c_str(), &figures) == 0) return false;
  return errno == ENOTCONN || errno == ECONNABORTED;
}

int run_fusermount(const std::string& path, bool lazy) {
  return run_program({"fusermount3", "-q", lazy ? "-uz" : "-u", "--", path}) == 0 ? 0 : EBUSY;
}

tl::unexpected<std::string> problem(std::string text) {
  return tl::unexpected(std::move(text));
}

}  // namespace

int unmount(const std::string& path, bool lazy) {
  if (::geteuid() != 0) return run_fusermount(path, lazy);
  const int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
  return ::umount2(path.c_str(), flags) == 0 ? 0 : errno;
}

tl::expected<std::string, std::string> prepare_mount_point(const std::string& path) {
  const Result<std::string> place = canonical_path(path);
  if (!place) {
    const auto code = static_cast<int>(place.error().detail);
    if (code == ENOENT) return problem(path + " does not exist: make the directory first");
    if (code == ENOTDIR)
      return problem(path + " is not a directory: choose a directory to mount on");
    return problem(fmt::format("{}: {}: choose another mount point", path, std::strerror(code)));
  }
  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return problem("/proc/self/mountinfo cannot be read: mount /proc");

  struct stat attr {};

  if (const std::optional<MountEntry> there = mount_at(*table, *place)) {
    const bool is_ours = there->type == filesystem_type;
    if (!is_ours || !is_dead(*place)) {
      return problem(fmt::format("{} is busy, {} is mounted there: unmount it first with: {} {}",
                                 *place, there->source, is_ours ? "artfs umount" : "umount",
                                 *place));
    }
    if (const int error = unmount(*place, true); error != 0) {
      return problem(
          fmt::format("{} holds a dead mount that cannot be removed ({}): run: umount -l {}",
                      *place, std::strerror(error), *place));
    }
  }
  if (const int error = stat_errno(*place, attr); error != 0) {
    return problem(fmt::format("{}: {}: choose another mount point", *place, std::strerror(error)));
  }
  if (!S_ISDIR(attr.st_mode))
    return problem(*place + " is not a directory: choose a directory to mount on");
  return *place;
}

}  // namespace artfs::fuse
