// SPDX-License-Identifier: Apache-2.0
#include "differential/side.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <vector>

#include "base/assert.hpp"
#include "base/unique_fd.hpp"
#include "differential/call.hpp"

namespace artfs::differential {

namespace {

constexpr std::size_t content_bytes_max = std::size_t{4} << 20;

std::int64_t in_ns(const struct statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

char direction(std::int64_t before, std::int64_t now) {
  return now == before ? '=' : now > before ? '+' : '-';
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// What names a file for good.
std::string handle_of(int directory, const std::string& path, int flags) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};
  auto* handle = reinterpret_cast<file_handle*>(memory.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  const int done = ::name_to_handle_at(directory, path.c_str(), handle, &mount, flags);
  ARTFS_ASSERT(done == 0 || errno == ENOENT || errno == ESTALE);
  return {memory.data(), sizeof(file_handle) + handle->handle_bytes};
}

std::string contents(int directory, const std::string& path) {
  const base::UniqueFd file(
      ::openat(directory, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC));
  if (!file) return result(-1);
  static std::string buffer(content_bytes_max, '\0');
  const ssize_t got = ::pread(file.get(), buffer.data(), buffer.size(), 0);
  return result(got,
                std::string_view(buffer).substr(0, got < 0 ? 0 : static_cast<std::size_t>(got)));
}

// Names and values of all extended attributes, sorted.
std::string extended(const std::string& path) {
  std::vector<char> names(65536);
  const ssize_t bytes = ::llistxattr(path.c_str(), names.data(), names.size());
  if (bytes < 0) return result(-1);
  std::vector<std::string> found;
  for (const char* name = names.data(); name < names.data() + bytes;
       name += std::strlen(name) + 1) {
    std::vector<char> value(65536);
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    found.push_back(
        fmt::format("{}={}", name,
                    result(size, {value.data(), size < 0 ? 0 : static_cast<std::size_t>(size)})));
  }
  std::sort(found.begin(), found.end());
  return fmt::format("{}", fmt::join(found, ","));
}

}  // namespace

std::string result(std::int64_t value) {
  if (value >= 0) return fmt::format("ok {}", value);
  const char* name = ::strerrorname_np(errno);
  return name == nullptr ? fmt::format("errno {}", errno) : name;
}

std::string result(std::int64_t value, std::string_view bytes) {
  if (value < 0) return result(value);
  return fmt::format("ok {} {:016x}", value, hash_of(bytes));
}

std::uint64_t hash_of(std::string_view bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string bytes_of(const Step& step, std::uint64_t count) {
  std::string bytes(count, '\0');
  if (step.data % 8 == 0) return bytes;                        // zeros
  std::mt19937_64 random(step.data % 8 == 1 ? 7 : step.data);  // sometimes the same bytes as before
  std::uint64_t word = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 8 == 0) word = random();
    bytes[i] = static_cast<char>(word >> (8 * (i % 8)));
  }
  return bytes;
}

Side::Side(std::string root, const Features& features)
    : root_(std::move(root)), features_(features) {
  ::umask(022);
  root_fd_ = ::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ARTFS_ASSERT(root_fd_ >= 0 && ::fchdir(root_fd_) == 0);
}

std::string Side::resolve(const Step& step, const std::string& path) const {
  return step.relative || path.empty() ? path : root_ + "/" + path;
}

void Side::keep(unsigned slot, int fd, int open_flags) {
  if (fd < 0) return;
  if (slots_[slot].fd >= 0) ::close(slots_[slot].fd);
  slots_[slot] = {.fd = fd, .direct = (open_flags & O_DIRECT) != 0};
}

std::string Side::neutral(std::string path) const {
  if (path.starts_with(root_)) return "<top>" + path.substr(root_.size());
  if (!root_.starts_with(path)) return path;
  return fmt::format(
      "{} above <top>",
      std::count(root_.begin() + static_cast<std::ptrdiff_t>(path.size()), root_.end(), '/'));
}

void Side::become(bool unprivileged) const {
  if (unprivileged) {
    const gid_t second = other_user + 1;
    ARTFS_ASSERT(::setgroups(1, &second) == 0);
    ARTFS_ASSERT(::setegid(other_user) == 0 && ::seteuid(other_user) == 0);
  } else {
    ARTFS_ASSERT(::seteuid(0) == 0 && ::setegid(0) == 0);
    ARTFS_ASSERT(::setgroups(0, nullptr) == 0);
  }
}

std::string Side::do_step(const Step& step) {
  if (step.unprivileged) become(true);
  std::string out = step.call->run(*this, step);
  if (step.unprivileged) become(false);
  // ext4 alone takes a list that says what is said already for no change.
  ignores_times_ = std::string_view(step.call->name).starts_with("acl_");
  out += look_at_path(step, step.one);
  out += look_at_path(step, step.two);
  out += look_at_slot(step.slot);
  if (step.other_slot != step.slot) out += look_at_slot(step.other_slot);
  ignores_times_ = false;
  return out;
}

std::string Side::look_at_path(const Step& step, const std::string& path) {
  if (path.empty()) return " | -";
  const std::string resolved = resolve(step, path);
  const std::string parent = parent_of(resolved);
  return " | " + look(AT_FDCWD, resolved, false) + " -> " + look(AT_FDCWD, resolved, true) +
         " in " + look(AT_FDCWD, parent.empty() ? "." : parent, true);
}

std::string Side::look_at_slot(unsigned slot) {
  if (slots_[slot].fd < 0) return " | closed";

  struct statx attributes {};

  if (::statx(slots_[slot].fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &attributes) != 0) {
    return " | " + result(-1);
  }
  // The position shows what reads and writes moved it by; directories count it as they like.
  const std::int64_t position =
      S_ISREG(attributes.stx_mode) ? ::lseek(slots_[slot].fd, 0, SEEK_CUR) : 0;
  const std::string identity = handle_of(slots_[slot].fd, "", AT_EMPTY_PATH);
  return " | " + describe(attributes, identity) + fmt::format(" at {}", position);
}

std::string Side::look(int directory, const std::string& path, bool follow) {
  struct statx attributes {};

  const int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  if (::statx(directory, path.c_str(), flags, STATX_BASIC_STATS, &attributes) != 0) {
    return result(-1);
  }
  std::string out =
      describe(attributes, handle_of(directory, path, follow ? AT_SYMLINK_FOLLOW : 0));
  if (follow && S_ISREG(attributes.stx_mode)) out += " " + contents(directory, path);
  return out;
}

std::string Side::describe(const struct statx& attributes, const std::string& identity) {
  const std::uint32_t type = attributes.stx_mode & S_IFMT;
  // sgid without execution by the group is no privilege: whether a write sheds it depends on groups
  // of the caller that a FUSE daemon is not told.
  // Which of them did shows again when the group may execute it later.
  if (type == S_IFREG && (attributes.stx_mode & (S_ISGID | S_IXGRP)) == S_ISGID)
    ignores_sgid_ = true;
  const std::uint32_t ignored_bits = type == S_IFREG && ignores_sgid_ ? S_ISGID : 0;
  const bool has_size = type == S_IFREG || type == S_IFLNK;
  const Times now{.modified = in_ns(attributes.stx_mtime), .changed = in_ns(attributes.stx_ctime)};
  std::string times = "new";
  const auto [seen, is_new] = seen_.try_emplace(identity, now);
  if (ignores_times_) {
    times = "any time";
  } else if (type == S_IFIFO) {
    times = "fifo";  // the kernel sets their times itself at each transfer, but not on FUSE
  } else if (!is_new && has(Feature::fine_times)) {
    times = {'m', direction(seen->second.modified, now.modified), 'c',
             direction(seen->second.changed, now.changed)};
  }
  seen->second = now;
  return fmt::format("{:o} n{} {}:{} s{} r{}:{} {}", attributes.stx_mode & ~ignored_bits,
                     attributes.stx_nlink, attributes.stx_uid, attributes.stx_gid,
                     has_size ? attributes.stx_size : 0, attributes.stx_rdev_major,
                     attributes.stx_rdev_minor, times);
}

std::string Side::walk() {
  first_path_.clear();
  std::string out;
  walk_below("", out);
  return out;
}

void Side::walk_below(const std::string& path, std::string& out) {
  const std::string full = root_ + "/" + path;
  DIR* directory = ::opendir(full.c_str());
  if (directory == nullptr) {
    out += fmt::format("{}: {}\n", path, result(-1));
    return;
  }
  std::vector<std::pair<std::string, std::pair<unsigned, std::uint64_t>>> entries;
  while (const dirent* entry = ::readdir(directory)) {
    entries.push_back({entry->d_name, {entry->d_type, entry->d_ino}});
  }
  ::closedir(directory);
  std::sort(entries.begin(), entries.end());
  for (const auto& [name, facts] : entries) {
    if (name == "." || name == "..") continue;
    const std::string child = path.empty() ? name : path + "/" + name;
    out += walk_entry(child, facts.first, facts.second);
    if (facts.first == DT_DIR) walk_below(child, out);
  }
}

std::string Side::walk_entry(const std::string& path, unsigned type, std::uint64_t ino) {
  const std::string full = root_ + "/" + path;

  struct statx attributes {};

  if (::statx(AT_FDCWD, full.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &attributes) != 0) {
    return fmt::format("{}: listed, then {}\n", path, result(-1));
  }
  const std::string identity = handle_of(AT_FDCWD, full, 0);
  const auto [first, is_new] = first_path_.try_emplace(identity, path);
  std::string out = fmt::format("{} {}{} = {}", path, describe(attributes, identity),
                                ino == attributes.stx_ino ? "" : " listed with another number",
                                is_new ? "" : first->second);
  if (type != IFTODT(attributes.stx_mode)) out += " listed with another type";
  if (S_ISREG(attributes.stx_mode)) out += " " + contents(AT_FDCWD, full);
  if (S_ISLNK(attributes.stx_mode)) {
    std::vector<char> target(8192);
    const ssize_t size = ::readlink(full.c_str(), target.data(), target.size());
    out += " " + result(size, {target.data(), size < 0 ? 0 : static_cast<std::size_t>(size)});
  }
  if (has(Feature::user_xattrs)) out += " [" + extended(full) + "]";
  return out + "\n";
}

}  // namespace artfs::differential
