// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

std::string call_mkdir(Side& side, const Step& step) {
  return result(::mkdir(side.one(step).c_str(), step.mode));
}

std::string call_mkdirat(Side& side, const Step& step) {
  const int directory = step.choice % 2 == 0 ? side.root_fd() : side.fd(step.slot);
  return result(::mkdirat(directory, step.one.c_str(), step.mode | 0700));
}

std::string call_rmdir(Side& side, const Step& step) {
  return result(::rmdir(side.one(step).c_str()));
}

std::string call_unlink(Side& side, const Step& step) {
  return result(::unlink(side.one(step).c_str()));
}

std::string call_unlinkat(Side& side, const Step& step) {
  const int flags = step.choice % 2 == 0 ? AT_REMOVEDIR : 0;
  return result(::unlinkat(side.root_fd(), step.one.c_str(), flags));
}

std::string call_rename(Side& side, const Step& step) {
  return result(::rename(side.one(step).c_str(), side.two(step).c_str()));
}

std::string call_renameat(Side& side, const Step& step) {
  return result(::renameat(side.root_fd(), step.one.c_str(), AT_FDCWD, side.two(step).c_str()));
}

// Two habits of ext4's whiteouts are nobody's rule: one takes an access control list from its directory, and a
// refused one changes the times of the directory.
bool is_odd_whiteout(const Side& side, const Step& step) {
  const std::string from = side.one(step);
  const std::size_t slash = from.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "." : from.substr(0, slash + 1);

  struct stat target {};

  const bool replaces = ::lstat(side.two(step).c_str(), &target) == 0 && S_ISDIR(target.st_mode);
  return replaces || ::getxattr(parent.c_str(), "system.posix_acl_default", nullptr, 0) > 0;
}

std::string call_renameat2(Side& side, const Step& step) {
  constexpr std::array<unsigned, 8> combinations = {RENAME_NOREPLACE,
                                                    RENAME_EXCHANGE,
                                                    RENAME_EXCHANGE,
                                                    RENAME_WHITEOUT,
                                                    RENAME_NOREPLACE | RENAME_WHITEOUT,
                                                    0,
                                                    RENAME_NOREPLACE | RENAME_EXCHANGE,
                                                    1U << 10};
  const unsigned flags = combinations[step.choice % combinations.size()];
  if ((flags & RENAME_WHITEOUT) != 0 && !side.has(Feature::whiteout)) return "masked";
  if ((flags & RENAME_WHITEOUT) != 0 && is_odd_whiteout(side, step))
    return "skipped: ext4's own way";
  if ((flags & RENAME_EXCHANGE) != 0 && !side.has(Feature::exchange)) return "masked";
  return result(
      ::renameat2(AT_FDCWD, side.one(step).c_str(), AT_FDCWD, side.two(step).c_str(), flags));
}

std::string call_link(Side& side, const Step& step) {
  return result(::link(side.one(step).c_str(), side.two(step).c_str()));
}

std::string call_linkat(Side& side, const Step& step) {
  switch (step.choice % 4) {
    case 0:  // gives a name to what a descriptor holds, an O_TMPFILE for one
      return result(::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", side.fd(step.slot)).c_str(),
                             AT_FDCWD, side.two(step).c_str(), AT_SYMLINK_FOLLOW));
    case 1:
      return result(
          ::linkat(side.fd(step.slot), "", AT_FDCWD, side.two(step).c_str(), AT_EMPTY_PATH));
    case 2:
      return result(::linkat(side.root_fd(), step.one.c_str(), AT_FDCWD, side.two(step).c_str(),
                             AT_SYMLINK_FOLLOW));
    default:
      return result(
          ::linkat(side.root_fd(), step.one.c_str(), AT_FDCWD, side.two(step).c_str(), 0));
  }
}

std::string target_of(const Step& step) {
  switch (step.choice % 12) {
    case 0:
      return std::string(4095 - (step.choice >> 8) % 2, 't');
    case 1:
      return "..";
    case 2:
      return step.one;
    default:
      return step.two;
  }
}

std::string call_symlink(Side& side, const Step& step) {
  return result(::symlink(target_of(step).c_str(), side.one(step).c_str()));
}

std::string call_symlinkat(Side& side, const Step& step) {
  return result(::symlinkat(target_of(step).c_str(), side.root_fd(), step.one.c_str()));
}

std::string read_link(int directory, const std::string& path, const Step& step) {
  std::vector<char> target(step.choice % 4 == 0 ? step.length % 9000 : 8192);
  const ssize_t got = ::readlinkat(directory, path.c_str(), target.data(), target.size());
  return result(got, {target.data(), got < 0 ? 0 : static_cast<std::size_t>(got)});
}

std::string call_readlink(Side& side, const Step& step) {
  return read_link(AT_FDCWD, side.one(step), step);
}

std::string call_readlinkat(Side& side, const Step& step) {
  return read_link(side.root_fd(), step.one, step);
}

struct Special {
  mode_t type;
  dev_t device;
};

Special any_special(const Step& step) {
  const std::array<Special, 8> kinds = {Special{S_IFIFO, 0},
                                        {S_IFIFO, 0},
                                        {S_IFSOCK, 0},
                                        {S_IFREG, 0},
                                        {0, 0},
                                        {S_IFCHR, makedev(1, 3)},
                                        {S_IFBLK, makedev(259, 70000)},
                                        {S_IFCHR, 0}};  // a whiteout
  return kinds[step.choice % kinds.size()];
}

std::string call_mknod(Side& side, const Step& step) {
  const Special special = any_special(step);
  return result(::mknod(side.one(step).c_str(), special.type | step.mode, special.device));
}

std::string call_mknodat(Side& side, const Step& step) {
  const Special special = any_special(step);
  return result(
      ::mknodat(side.root_fd(), step.one.c_str(), special.type | step.mode, special.device));
}

// The names in a directory, read with a buffer of any size from where its position stands.
std::string call_getdents(Side& side, const Step& step) {
  const int fd = ::open(side.one(step).c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return result(-1);
  alignas(16) std::array<char, 8192> buffer{};
  const std::size_t size = step.choice % 3 == 0 ? 300 : step.choice % 3 == 1 ? 600 : buffer.size();
  std::vector<std::string> names;
  long got = 0;
  while ((got = ::syscall(SYS_getdents64, fd, buffer.data(), size)) > 0) {
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      names.push_back(fmt::format("{}:{}", entry->d_name, entry->d_type));
      at += entry->d_reclen;
    }
  }
  std::string answer = result(got);
  ::close(fd);
  std::sort(names.begin(), names.end());
  return fmt::format("{} {}", answer, fmt::join(names, ","));
}

constexpr std::array name_table = {
    Call{"mkdir", 9, call_mkdir},       Call{"mkdirat", 4, call_mkdirat},
    Call{"rmdir", 4, call_rmdir},       Call{"unlink", 5, call_unlink},
    Call{"unlinkat", 3, call_unlinkat}, Call{"rename", 8, call_rename},
    Call{"renameat", 3, call_renameat}, Call{"renameat2", 8, call_renameat2},
    Call{"link", 5, call_link},         Call{"linkat", 4, call_linkat},
    Call{"symlink", 5, call_symlink},   Call{"symlinkat", 2, call_symlinkat},
    Call{"readlink", 2, call_readlink}, Call{"readlinkat", 1, call_readlinkat},
    Call{"mknod", 5, call_mknod},       Call{"mknodat", 2, call_mknodat},
    Call{"getdents", 5, call_getdents},
};

}  // namespace

std::span<const Call> name_calls() noexcept {
  return name_table;
}

}  // namespace artfs::differential
