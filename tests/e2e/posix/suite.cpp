// SPDX-License-Identifier: Apache-2.0
#include "posix/suite.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/assert.hpp"
#include "base/unique_fd.hpp"

namespace artfs::posix {

const char* name_of(Kind kind) noexcept {
  constexpr std::array<const char*, all_kinds.size()> names = {
      "nothing",  "a file",   "a directory", "a fifo",
      "a socket", "a device", "a symlink",   "a dangling symlink"};
  return names[static_cast<std::size_t>(kind)];
}

Suite::Suite(std::string top, bool is_artfs) : top_(std::move(top)), is_artfs_(is_artfs) {
  ::umask(0);
}

void Suite::begin(const char* group) {
  if (!group_.empty()) fmt::print("  {}: {} assertions\n", group_, in_group_);
  in_group_ = 0;
  group_ = group;
  directory_ = top_ + "/" + group_;
  ARTFS_ASSERT(::mkdir(directory_.c_str(), 0777) == 0);
}

std::string Suite::path(std::string_view name) const {
  return directory_ + "/" + std::string(name);
}

std::string Suite::fresh() {
  return path(fmt::format("n{}", names_++));
}

bool Suite::count(bool good, std::string_view found, std::string_view what) {
  ++total_;
  ++in_group_;
  if (good) return true;
  ++failed_;
  fmt::print("FAILED {} on {}: {}: {}\n", group_, is_artfs_ ? "artfs" : "ext4", what, found);
  return false;
}

std::string name_of_errno(int number) {
  const char* name = number == 0 ? "success" : ::strerrorname_np(number);
  return name == nullptr ? fmt::format("errno {}", number) : name;
}

bool Suite::answers(int wanted, std::int64_t value, std::string_view what) {
  const int got = value < 0 ? errno : 0;
  if (got == wanted) return count(true, {}, what);
  return count(false, fmt::format("{}, expected {}", name_of_errno(got), name_of_errno(wanted)),
               what);
}

bool Suite::ok(std::int64_t value, std::string_view what) {
  return answers(0, value, what);
}

bool Suite::fails(int wanted, std::int64_t value, std::string_view what) {
  return answers(wanted, value, what);
}

bool Suite::holds(bool condition, std::string_view what) {
  return count(condition, "it does not hold", what);
}

void Suite::mask(std::string_view what) {
  ARTFS_ASSERT(is_artfs_);
  fmt::print("MASKED: {}: the mount lacks it\n", what);
}

bool Suite::has_empty_chown() {
  const std::string path = fresh();
  write_file(path, "");
  const struct stat before = status_of(path);
  constexpr auto keep = static_cast<uid_t>(-1);
  const bool has = ::chown(path.c_str(), keep, keep) == 0 &&
                   status_of(path).st_ctim.tv_nsec != before.st_ctim.tv_nsec;
  if (!has) mask("chown(-1, -1)");
  return has;
}

bool Suite::has_shedding_fallocate() {
  const std::string path = fresh();
  write_file(path, "");
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ARTFS_ASSERT(::fchmod(file.get(), 04777) == 0);
  as_user([&] { ARTFS_ASSERT(::fallocate(file.get(), 0, 0, 10) == 0); });
  const bool has = (status_of(path).st_mode & S_ISUID) == 0;
  if (!has) mask("suid after fallocate by a user");
  return has;
}

void Suite::as_user(const std::function<void()>& action) {
  ARTFS_ASSERT(::setgroups(1, &second_group) == 0);
  ARTFS_ASSERT(::setegid(user_group) == 0 && ::seteuid(user_id) == 0);
  action();
  ARTFS_ASSERT(::seteuid(0) == 0 && ::setegid(0) == 0);
  ARTFS_ASSERT(::setgroups(0, nullptr) == 0);
}

void Suite::make(Kind kind, const std::string& path) {
  bool made = true;
  switch (kind) {
    case Kind::none:
      break;
    case Kind::file:
      write_file(path, "contents");
      break;
    case Kind::directory:
      made = ::mkdir(path.c_str(), 0755) == 0;
      break;
    case Kind::fifo:
      made = ::mkfifo(path.c_str(), 0644) == 0;
      break;
    case Kind::socket:
      made = ::mknod(path.c_str(), S_IFSOCK | 0644, 0) == 0;
      break;
    case Kind::device:
      made = ::mknod(path.c_str(), S_IFCHR | 0644, makedev(1, 3)) == 0;
      break;
    case Kind::link:
      write_file(path + ".target", "contents");
      made = ::symlink((path + ".target").c_str(), path.c_str()) == 0;
      break;
    case Kind::dangling:
      made = ::symlink("nowhere", path.c_str()) == 0;
      break;
  }
  ARTFS_ASSERT(made);
}

std::uint64_t Suite::finish() {
  fmt::print("  {}: {} assertions\n", group_, in_group_);
  fmt::print("{}: {} assertions, {} failed\n", is_artfs_ ? "artfs" : "ext4", total_, failed_);
  return failed_;
}

struct stat status_of(const std::string& path) {
  struct stat status {};

  if (::lstat(path.c_str(), &status) != 0) status = {};
  return status;
}

void write_file(const std::string& path, std::string_view bytes) {
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
  ARTFS_ASSERT(::write(file.get(), bytes.data(), bytes.size()) ==
               static_cast<ssize_t>(bytes.size()));
}

std::string read_file(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string bytes(1 << 20, '\0');
  const ssize_t got = ::read(file.get(), bytes.data(), bytes.size());
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

}  // namespace artfs::posix
