// SPDX-License-Identifier: Apache-2.0
#include "differential/features.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include "base/assert.hpp"
#include "base/unique_fd.hpp"

namespace artfs::differential {

namespace {

std::string answer(std::int64_t value) {
  if (value >= 0) return {};
  const char* name = ::strerrorname_np(errno);
  return name == nullptr ? "an unknown error" : name;
}

struct stat attributes_of(int fd) {
  struct stat attributes {};

  ARTFS_ASSERT(::fstat(fd, &attributes) == 0);
  return attributes;
}

bool same(const timespec& one, const timespec& two) {
  return one.tv_sec == two.tv_sec && one.tv_nsec == two.tv_nsec;
}

std::string probe_tmpfile(const std::string& top) {
  const base::UniqueFd file(::open(top.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  return answer(file.get());
}

std::string probe_allocation(int fd, int mode) {
  return answer(::fallocate(fd, mode, 0, 4096));
}

std::string probe_seek(int fd) {
  // A file of 1 MiB without anything in it: who knows holes finds no data.
  if (::ftruncate(fd, 1 << 20) != 0) return answer(-1);
  const std::int64_t at = ::lseek(fd, 0, SEEK_DATA);
  if (at >= 0) return "a hole is taken for data";
  return errno == ENXIO ? std::string() : answer(-1);
}

std::string probe_rename(const std::string& top, unsigned flags) {
  const std::string one = top + "/one";
  const std::string two = top + "/two";
  for (const std::string& path : {one, two}) {
    const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }
  return answer(::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), flags));
}

std::string probe_flags(int fd) {
  unsigned flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return answer(-1);
  unsigned changed = flags | FS_APPEND_FL;
  if (::ioctl(fd, FS_IOC_SETFLAGS, &changed) != 0) return answer(-1);
  return answer(::ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

// A list without named users equals the mode: a filesystem that keeps lists then stores none.
std::string probe_acl(const std::string& top) {
  constexpr std::string_view list(
      "\2\0\0\0\1\0\6\0\xff\xff\xff\xff\4\0\4\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff", 28);
  const std::string path = top + "/acl";
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0777));
  if (::fsetxattr(file.get(), "system.posix_acl_access", list.data(), list.size(), 0) != 0)
    return answer(-1);
  return (attributes_of(file.get()).st_mode & 0777) == 0640 ? ""
                                                            : "the mode does not follow the list";
}

std::string probe_fine_times(int fd) {
  for (int i = 0; i < 50; ++i) {
    const struct stat before = attributes_of(fd);
    if (::fchmod(fd, 0600) != 0) return answer(-1);
    if (same(attributes_of(fd).st_ctim, before.st_ctim))
      return "two changes in a row get the same time";
  }
  return {};
}

std::string probe_access_time(const std::string& top) {
  const std::string path = top + "/read";
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (::pwrite(file.get(), "x", 1, 0) != 1) return answer(-1);
  const struct stat before = attributes_of(file.get());
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  char byte = 0;
  if (::pread(file.get(), &byte, 1, 0) != 1) return answer(-1);
  return same(attributes_of(file.get()).st_atim, before.st_atim) ? "a read leaves the access time"
                                                                 : "";
}

std::string probe_names(int fd) {
  if (::fsetxattr(fd, "unknown.a", "", 0, 0) == 0 || errno != EOPNOTSUPP)
    return "an unknown namespace is taken";
  if (::fsetxattr(fd, "user.", "", 0, 0) == 0 || errno != EINVAL)
    return "a namespace is taken for a name";
  return {};
}

std::string probe_both_flags(int fd) {
  const int done = ::fsetxattr(fd, "user.none", "", 0, XATTR_CREATE | XATTR_REPLACE);
  return done != 0 && errno == ENODATA ? std::string() : answer(-1);
}

std::string probe_shedding(int fd) {
  if (::fchmod(fd, 04777) != 0 || ::seteuid(1) != 0) return answer(-1);
  const int done = ::fallocate(fd, 0, 0, 100);
  ARTFS_ASSERT(::seteuid(0) == 0);
  if (done != 0) return answer(-1);
  return (attributes_of(fd).st_mode & S_ISUID) == 0 ? "" : "it stays";
}

std::string probe_empty_chown(int fd) {
  const struct stat before = attributes_of(fd);
  if (::fchown(fd, static_cast<uid_t>(-1), static_cast<gid_t>(-1)) != 0) return answer(-1);
  return same(attributes_of(fd).st_ctim, before.st_ctim) ? "it changes nothing" : "";
}

}  // namespace

const char* name_of(Feature feature) noexcept {
  constexpr std::array<const char*, feature_count> names = {"none",
                                                            "O_TMPFILE",
                                                            "FALLOC_FL_PUNCH_HOLE",
                                                            "FALLOC_FL_ZERO_RANGE",
                                                            "SEEK_DATA",
                                                            "RENAME_WHITEOUT",
                                                            "RENAME_EXCHANGE",
                                                            "FS_IOC_SETFLAGS",
                                                            "POSIX ACLs",
                                                            "extended attributes",
                                                            "names of extended attributes",
                                                            "XATTR_CREATE | XATTR_REPLACE",
                                                            "chown(-1, -1)",
                                                            "suid after fallocate by a user",
                                                            "times of fine resolution",
                                                            "access times"};
  return names[static_cast<std::size_t>(feature)];
}

Features probe(const std::string& top) {
  const std::string scratch = top + "/probe";
  ARTFS_ASSERT(::mkdir(scratch.c_str(), 0700) == 0);
  const std::string path = scratch + "/file";
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  Features found;
  const auto note = [&found](Feature feature, std::string missing) {
    found.missing[static_cast<std::size_t>(feature)] = std::move(missing);
  };
  note(Feature::tmpfile, probe_tmpfile(scratch));
  note(Feature::punch_hole,
       probe_allocation(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
  note(Feature::zero_range, probe_allocation(file.get(), FALLOC_FL_ZERO_RANGE));
  note(Feature::fine_times, probe_fine_times(file.get()));
  note(Feature::shedding, probe_shedding(file.get()));
  note(Feature::inode_flags, probe_flags(file.get()));
  note(Feature::user_xattrs, answer(::fsetxattr(file.get(), "user.probe", "", 0, 0)));
  note(Feature::xattr_names, probe_names(file.get()));
  note(Feature::xattr_both_flags, probe_both_flags(file.get()));
  note(Feature::empty_chown, probe_empty_chown(file.get()));
  if (::ftruncate(file.get(), 0) != 0) note(Feature::seek_hole, answer(-1));
  note(Feature::seek_hole, probe_seek(file.get()));
  note(Feature::exchange, probe_rename(scratch, RENAME_EXCHANGE));
  note(Feature::whiteout, probe_rename(scratch, RENAME_WHITEOUT));
  note(Feature::acl, probe_acl(scratch));
  note(Feature::access_time, probe_access_time(scratch));
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  return found;
}

Features common(const Features& mount, const Features& twin, unsigned& masked) {
  Features both;
  for (std::size_t i = 1; i < feature_count; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (mount.has(feature) && twin.has(feature)) continue;
    ++masked;
    const bool ours = !mount.has(feature);
    both.missing[i] = ours ? mount.missing[i] : twin.missing[i];
    fmt::print("MASKED: {}: not compared, since {}: {}\n", name_of(feature),
               ours ? "the mount lacks it" : "the directory beside it lacks it", both.missing[i]);
  }
  return both;
}

}  // namespace artfs::differential
