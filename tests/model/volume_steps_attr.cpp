// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "model/volume_world.hpp"

namespace artfs::test {

void VolumeWorld::change_mode() {
  const std::string path = pick("df");
  const mode_t mode = static_cast<mode_t>(0600 | below(010000));
  begin(fmt::format("chmod {} {:o}", path, mode), {path, parent_of(path)});
  const int left = errno_of([&] { return ::chmod(host(path).c_str(), mode); });
  const Result<Ino> ino = resolve(path);
  SetAttr changes;
  changes.mode = mode;
  const int right = ino ? code(volume_->setattr(*ino, changes, caller_)) : code(ino);
  end(left, right);
}

void VolumeWorld::change_owner() {
  const std::string path = some_path();
  SetAttr changes;
  if (!chance(3)) changes.uid = privileged_ ? static_cast<std::uint32_t>(below(5)) : caller_.uid;
  if (!chance(3)) changes.gid = privileged_ ? static_cast<std::uint32_t>(below(5)) : caller_.gid;
  if (!changes.uid && !changes.gid) return;
  begin("chown " + path, {path, parent_of(path)});
  const int left = errno_of([&] {
    return ::lchown(host(path).c_str(), changes.uid.value_or(static_cast<uid_t>(-1)),
                    changes.gid.value_or(static_cast<gid_t>(-1)));
  });
  const Result<Ino> ino = resolve(path);
  const int right = ino ? code(volume_->setattr(*ino, changes, caller_)) : code(ino);
  end(left, right);
}

void VolumeWorld::change_times() {
  const std::string path = some_path();
  SetAttr changes;
  timespec times[2]{};
  const auto choose = [&](timespec& out, std::optional<Timestamp>& exact, bool& is_now) {
    const std::uint64_t kind = below(4);
    if (kind == 0) {
      out = {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
    } else if (kind == 1) {
      out = {.tv_sec = 0, .tv_nsec = UTIME_NOW};
      is_now = true;
    } else {
      out = {.tv_sec = static_cast<time_t>(below(4'000'000'000)),
             .tv_nsec = static_cast<long>(below(1'000'000'000))};
      exact = Timestamp{out.tv_sec, static_cast<std::uint32_t>(out.tv_nsec)};
    }
  };
  choose(times[0], changes.atime, changes.atime_now);
  choose(times[1], changes.mtime, changes.mtime_now);
  // With nothing to set Linux does not even look for the file.
  if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) return;
  begin("utimensat " + path, {path, parent_of(path)});
  const int left = errno_of(
      [&] { return ::utimensat(AT_FDCWD, host(path).c_str(), times, AT_SYMLINK_NOFOLLOW); });
  const Result<Ino> ino = resolve(path);
  const Result<Attr> right = ino ? volume_->setattr(*ino, changes, caller_) : fail(ino.error());

  struct ::stat st {};

  if (left == 0 && right && ::lstat(host(path).c_str(), &st) == 0) {
    const auto same = [](const timespec& host_time, Timestamp time) {
      return host_time.tv_sec == time.seconds && host_time.tv_nsec == time.nanoseconds;
    };
    if (changes.atime && !same(st.st_atim, right->atime)) differ("explicit atime");
    if (changes.mtime && !same(st.st_mtim, right->mtime)) differ("explicit mtime");
    if (changes.mtime && volume_->getattr(*ino)->mtime != right->mtime)
      differ("mtime does not stay");
  }
  end(left, code(right));
}

void VolumeWorld::set_attribute() {
  if (!host_xattrs_) return;
  const std::string path = pick("df");
  const std::string name = chance(12)   ? "user." + std::string(250, 'n')
                           : chance(30) ? "user." + std::string(251, 'n')
                                        : fmt::format("user.key{}", below(6));
  const std::size_t size = chance(6) ? below(5000) : chance(30) ? 65536 + below(2) : below(400);
  const std::string value = bytes(size);
  const int flags = chance(4) ? XATTR_CREATE : chance(4) ? XATTR_REPLACE : 0;
  begin(fmt::format("setxattr {} {} {} bytes, flags {}", path, name, size, flags), {path});
  const int left = errno_of([&] {
    return ::setxattr(host(path).c_str(), name.c_str(), value.data(), value.size(), flags);
  });
  if (left == ENOSPC) return;  // tmpfs bounds them by its number of inodes
  const Result<Ino> ino = resolve(path);
  const int right = ino ? code(volume_->set_xattr(
                              *ino, name, value,
                              {.create = flags == XATTR_CREATE, .replace = flags == XATTR_REPLACE}))
                        : code(ino);
  end(left, right);
}

void VolumeWorld::get_attribute() {
  if (!host_xattrs_) return;
  const std::string path = pick("df");
  const std::string name = fmt::format("user.key{}", below(6));
  begin(fmt::format("getxattr {} {}", path, name), {path});
  std::string value(65536, '\0');
  const ssize_t bytes = ::getxattr(host(path).c_str(), name.c_str(), value.data(), value.size());
  const int left = bytes < 0 ? errno : 0;
  const Result<Ino> ino = resolve(path);
  const Result<std::string> right = ino ? volume_->get_xattr(*ino, name) : fail(ino.error());
  if (left == 0 && right) {
    value.resize(static_cast<std::size_t>(bytes));
    if (*right != value) differ("getxattr: another value");
  }
  end(left, code(right));
}

void VolumeWorld::list_attributes() {
  const std::string path = pick("df");
  begin("listxattr " + path, {path});
  const Result<Ino> ino = resolve(path);
  if (ino) compare_xattrs(path, *ino);
}

void VolumeWorld::remove_attribute() {
  if (!host_xattrs_) return;
  const std::string path = pick("df");
  const std::string name = fmt::format("user.key{}", below(6));
  begin(fmt::format("removexattr {} {}", path, name), {path});
  const int left = errno_of([&] { return ::removexattr(host(path).c_str(), name.c_str()); });
  const Result<Ino> ino = resolve(path);
  const int right = ino ? code(volume_->remove_xattr(*ino, name)) : code(ino);
  end(left, right);
}

void VolumeWorld::get_attr() {
  const std::string path = some_path();
  begin("stat " + path, {path, parent_of(path)});
  compare_paths();
}

}  // namespace artfs::test
