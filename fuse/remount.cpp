// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "fuse/exit_status.hpp"
#include "fuse/mount.hpp"
#include "fuse/mount_table.hpp"
#include "fuse/run_program.hpp"

namespace artfs::fuse {

namespace {

int complain(const std::string& what, int status = exit_mount) {
  fmt::print(stderr, "artfs mount: {}\n", what);
  return status;
}

// A daemon that opened its store read-only has no control socket, and no way to write.
bool is_served_read_only(const MountEntry& entry) {
  return ::access((entry.source + "/control").c_str(), F_OK) != 0;
}

}  // namespace

int run_remount(const MountRequest& request) {
  const Result<std::string> place = canonical_path(request.mount_point);
  const Result<std::vector<MountEntry>> table = read_mount_table();
  const auto entry = place && table ? mount_at(*table, *place) : std::nullopt;
  if (!entry || entry->type != filesystem_type) {
    return complain(fmt::format("{}: no artfs filesystem is mounted here: mount it without remount",
                                request.mount_point));
  }
  const std::vector<std::string>& words = request.options.remount_words;
  const bool stays_read_only = std::find(words.begin(), words.end(), "ro") != words.end();
  if (!stays_read_only && is_served_read_only(*entry)) {
    return complain(
        fmt::format("{}: its store was opened read-only: artfs umount it and mount it again",
                    request.mount_point));
  }
  // Without a helper: the kernel's flags alone are to change.
  const int status =
      run_program({"mount", "-i", "-o", fmt::format("remount,{}", fmt::join(words, ",")), *place});
  if (status != 0) return status > 0 ? status : complain("mount(8) cannot be run", exit_system);
  if (!request.options.own_words.empty()) {
    fmt::print(stderr, "artfs mount: as it was until the next mount: {}\n",
               fmt::join(request.options.own_words, ","));
  }
  return exit_ok;
}

}  // namespace artfs::fuse
