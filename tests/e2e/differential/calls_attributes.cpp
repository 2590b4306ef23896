// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "differential/call.hpp"

namespace artfs::differential {

namespace {

std::string call_chmod(Side& side, const Step& step) {
  return result(::chmod(side.one(step).c_str(), step.mode));
}

std::string call_fchmod(Side& side, const Step& step) {
  return result(::fchmod(side.fd(step.slot), step.mode));
}

std::string call_fchmodat(Side& side, const Step& step) {
  return result(::fchmodat(side.root_fd(), step.one.c_str(), step.mode, 0));
}

struct Owner {
  uid_t user;
  gid_t group;
};

Owner any_owner(const Step& step) {
  constexpr auto keep = static_cast<uid_t>(-1);
  constexpr std::array<Owner, 8> owners = {
      Owner{0, 0},  {other_user, other_user},     {keep, other_user + 1}, {other_user, keep},
      {keep, keep}, {other_user, other_user + 1}, {other_user + 7, 9},    {keep, other_user}};
  return owners[step.choice % owners.size()];
}

bool is_masked(const Side& side, const Step& step, const Owner& owner) {
  constexpr auto keep = static_cast<uid_t>(-1);
  if (owner.user != keep || owner.group != keep) return false;
  // A stranger's chown(-1, -1) of a set-id file: ext4 refuses it as a change of the mode; on FUSE the kernel
  // leaves the set-id bits to the daemon and asks nothing.
  return step.unprivileged || !side.has(Feature::empty_chown);
}

std::string call_chown(Side& side, const Step& step) {
  const Owner owner = any_owner(step);
  if (is_masked(side, step, owner)) return "masked";
  return result(::chown(side.one(step).c_str(), owner.user, owner.group));
}

std::string call_lchown(Side& side, const Step& step) {
  const Owner owner = any_owner(step);
  if (is_masked(side, step, owner)) return "masked";
  return result(::lchown(side.one(step).c_str(), owner.user, owner.group));
}

std::string call_fchown(Side& side, const Step& step) {
  const Owner owner = any_owner(step);
  if (is_masked(side, step, owner)) return "masked";
  return result(::fchown(side.fd(step.slot), owner.user, owner.group));
}

std::string call_fchownat(Side& side, const Step& step) {
  const Owner owner = any_owner(step);
  if (is_masked(side, step, owner)) return "masked";
  return result(::fchownat(side.root_fd(), step.one.c_str(), owner.user, owner.group,
                           step.choice % 16 < 8 ? AT_SYMLINK_NOFOLLOW : 0));
}

// Both times: set, now, left or wrong.
std::array<timespec, 2> any_times(const Step& step) {
  std::array<timespec, 2> times{};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::uint64_t bits = step.choice >> (8 * i);
    const auto number = static_cast<long>(step.data >> (17 * i));
    switch (bits % 8) {
      case 0:
        times[i] = {.tv_sec = 5, .tv_nsec = UTIME_NOW};
        break;
      case 1:
        times[i] = {.tv_sec = 7, .tv_nsec = UTIME_OMIT};
        break;
      case 2:
        times[i] = {.tv_sec = 1, .tv_nsec = bits % 64 == 2 ? 1'000'000'000 : 999'999'999};
        break;
      default:
        times[i] = {.tv_sec = number % 2'000'000'000, .tv_nsec = number % 1'000'000'000};
    }
  }
  return times;
}

// What was asked for and can be read back.
std::string times_shown(const struct stat& attributes, const std::array<timespec, 2>& asked) {
  std::string shown;
  const auto show = [&shown](const timespec& want, const timespec& have) {
    if (want.tv_nsec < 1'000'000'000) shown += fmt::format(" {}.{:09}", have.tv_sec, have.tv_nsec);
  };
  show(asked[0], attributes.st_atim);
  show(asked[1], attributes.st_mtim);
  return shown;
}

std::string call_utimensat(Side& side, const Step& step) {
  const auto times = any_times(step);
  const int flags = (step.choice >> 20) % 3 == 0 ? AT_SYMLINK_NOFOLLOW : 0;
  const bool null = (step.choice >> 24) % 6 == 0;
  const std::string path = side.one(step);
  if (::utimensat(AT_FDCWD, path.c_str(), null ? nullptr : times.data(), flags) != 0)
    return result(-1);

  struct stat attributes {};

  if (null || ::fstatat(AT_FDCWD, path.c_str(), &attributes, flags) != 0) return "ok";
  return "ok" + times_shown(attributes, times);
}

std::string call_futimens(Side& side, const Step& step) {
  const auto times = any_times(step);
  if (::futimens(side.fd(step.slot), times.data()) != 0) return result(-1);

  struct stat attributes {};

  if (::fstat(side.fd(step.slot), &attributes) != 0) return result(-1);
  return "ok" + times_shown(attributes, times);
}

std::string shown(int done, const struct stat& attributes) {
  if (done != 0) return result(-1);
  const bool sized = S_ISREG(attributes.st_mode) || S_ISLNK(attributes.st_mode);
  return fmt::format("{:o} {} {}:{} {}", attributes.st_mode & S_IFMT, attributes.st_nlink,
                     attributes.st_uid, attributes.st_gid, sized ? attributes.st_size : 0);
}

std::string call_stat(Side& side, const Step& step) {
  struct stat attributes {};

  const int done = ::stat(side.one(step).c_str(), &attributes);
  return shown(done, attributes);
}

std::string call_lstat(Side& side, const Step& step) {
  struct stat attributes {};

  const int done = ::lstat(side.one(step).c_str(), &attributes);
  return shown(done, attributes);
}

std::string call_fstat(Side& side, const Step& step) {
  struct stat attributes {};

  const int done = ::fstat(side.fd(step.slot), &attributes);
  return shown(done, attributes);
}

std::string call_statx(Side& side, const Step& step) {
  struct statx attributes {};

  constexpr std::array<int, 4> ways = {0, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC,
                                       AT_SYMLINK_NOFOLLOW};
  const int flags = ways[step.choice % ways.size()] | AT_NO_AUTOMOUNT;
  const unsigned mask = (step.choice >> 8) % 2 == 0 ? STATX_BASIC_STATS : STATX_SIZE | STATX_MODE;
  if (::statx(side.root_fd(), step.one.c_str(), flags, mask, &attributes) != 0) return result(-1);
  const bool sized = S_ISREG(attributes.stx_mode) || S_ISLNK(attributes.stx_mode);
  return fmt::format("{:o} {} {}", attributes.stx_mode & S_IFMT, attributes.stx_nlink,
                     sized ? attributes.stx_size : 0);
}

std::string call_access(Side& side, const Step& step) {
  return result(::access(side.one(step).c_str(), static_cast<int>(step.choice % 9)));
}

std::string call_faccessat(Side& side, const Step& step) {
  const int flags = ((step.choice >> 8) % 2 == 0 ? AT_EACCESS : 0) |
                    ((step.choice >> 9) % 2 == 0 ? AT_SYMLINK_NOFOLLOW : 0);
  return result(
      ::faccessat(side.root_fd(), step.one.c_str(), static_cast<int>(step.choice % 8), flags));
}

constexpr unsigned compared_flags = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NOATIME_FL | FS_NODUMP_FL;

std::string call_get_flags(Side& side, const Step& step) {
  if (!side.has(Feature::inode_flags)) return "masked";
  unsigned flags = 0;
  const int done = ::ioctl(side.fd(step.slot), FS_IOC_GETFLAGS, &flags);
  return fmt::format("{} {:#x}", result(done), flags & compared_flags);
}

// Immutable and append-only are left out: the kernel does not know these flags of a FUSE file, so that the
// order of its checks differs at every call (main() says so).
std::string call_set_flags(Side& side, const Step& step) {
  if (!side.has(Feature::inode_flags)) return "masked";
  constexpr std::array<unsigned, 3> sets = {0, FS_NOATIME_FL, FS_NODUMP_FL};
  unsigned flags = 0;
  if (::ioctl(side.fd(step.slot), FS_IOC_GETFLAGS, &flags) != 0) return result(-1);
  flags = (flags & ~compared_flags) | sets[step.choice % sets.size()];
  return result(::ioctl(side.fd(step.slot), FS_IOC_SETFLAGS, &flags));
}

constexpr std::array attribute_table = {
    Call{"chmod", 5, call_chmod},
    Call{"fchmod", 2, call_fchmod},
    Call{"fchmodat", 2, call_fchmodat},
    Call{"chown", 4, call_chown},
    Call{"lchown", 2, call_lchown},
    Call{"fchown", 2, call_fchown},
    Call{"fchownat", 2, call_fchownat},
    Call{"utimensat", 4, call_utimensat},
    Call{"futimens", 2, call_futimens},
    Call{"stat", 2, call_stat},
    Call{"lstat", 2, call_lstat},
    Call{"fstat", 2, call_fstat},
    Call{"statx", 2, call_statx},
    Call{"access", 3, call_access},
    Call{"faccessat", 2, call_faccessat},
    Call{"ioctl_getflags", 1, call_get_flags},
    Call{"ioctl_setflags", 3, call_set_flags},
};

}  // namespace

std::span<const Call> attribute_calls() noexcept {
  return attribute_table;
}

}  // namespace artfs::differential
