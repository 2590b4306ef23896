// SPDX-License-Identifier: Apache-2.0
#include "model/volume_world.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace artfs::test {
namespace {

constexpr std::size_t history_max = 40;

std::string new_directory() {
  const bool shm = ::access("/dev/shm", W_OK) == 0;
  std::string pattern =
      (shm ? std::string("/dev/shm") : std::filesystem::temp_directory_path().string()) +
      "/artfs-model-XXXXXX";
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

// The host's clock for timestamps moves in steps of up to 10 ms: within one, a change may not show.
constexpr std::int64_t clock_step_ns = 20'000'000;

std::int64_t ns_of(Timestamp time) {
  return time.seconds * 1'000'000'000 + static_cast<std::int64_t>(time.nanoseconds);
}

Timestamp time_of(const timespec& time) {
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

}  // namespace

VolumeWorld::VolumeWorld(std::uint64_t seed, Kind kind) : seed_(seed), kind_(kind), rng_(seed) {
  host_root_ = new_directory();
  store_path_ = new_directory() + "/store";
  ::umask(0022);
  privileged_ = ::geteuid() == 0;
  host_xattrs_ = ::setxattr(host_root_.c_str(), "user.probe", "", 0, 0) == 0;
  if (host_xattrs_) ::removexattr(host_root_.c_str(), "user.probe");
  ::chmod(host_root_.c_str(), 0755);
  caller_ = {.uid = ::geteuid(), .gid = ::getegid(), .umask = 0022, .has_cap_fsetid = privileged_};
  format_.root_uid = caller_.uid;
  format_.root_gid = caller_.gid;
  options_.store.cache_bytes = 16 * mib;
  options_.store.commit_interval = std::chrono::milliseconds(100);
  options_.store.checkpoint_interval = std::chrono::milliseconds(500);
  options_.store.checkpoint_log_bytes = 2 * mib;
  options_.write_buffer_bytes = 4 * mib;
  if (kind_ == Kind::on_disk) {
    const Result<void> made = Volume::format(store_path_, format_);
    if (!made) FAIL("format: " << to_text(made.error()));
  }
  open_volume();
}

VolumeWorld::~VolumeWorld() {
  for (const Handle& handle : handles_) ::close(handle.fd);
  volume_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(host_root_, ignored);
  std::filesystem::remove_all(std::filesystem::path(store_path_).parent_path(), ignored);
}

void VolumeWorld::open_volume() {
  Result<std::unique_ptr<Volume>> opened = kind_ == Kind::on_disk
                                               ? Volume::open(store_path_, options_)
                                               : Volume::open_in_memory(format_, options_);
  if (!opened) FAIL("seed " << seed_ << ": open: " << to_text(opened.error()));
  volume_ = *std::move(opened);
}

std::string VolumeWorld::join(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

std::string VolumeWorld::parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string{} : path.substr(0, slash);
}

std::string VolumeWorld::name_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

Result<Ino> VolumeWorld::resolve(const std::string& path) {
  Ino at = root_ino;
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const Attr dir = ARTFS_TRY(volume_->getattr(at));
    if (!S_ISDIR(dir.mode)) return fail(Errc::not_a_directory);
    at = ARTFS_TRY(volume_->lookup(at, std::string_view(path).substr(start, end - start))).ino;
    start = end + 1;
  }
  return at;
}

Result<Place> VolumeWorld::place(const std::string& path, std::string& name) {
  const Ino parent = ARTFS_TRY(resolve(parent_of(path)));
  name = name_of(path);
  // The kernel knows whether a parent is a directory before it asks for the name.
  const Attr attr = ARTFS_TRY(volume_->getattr(parent));
  if (!S_ISDIR(attr.mode)) return fail(Errc::not_a_directory);
  return Place{parent, name};
}

std::string VolumeWorld::pick(std::string_view kinds) {
  std::vector<const std::string*> found;
  for (const auto& [path, kind] : known_) {
    if (kinds.find(kind) != kinds.npos) found.push_back(&path);
  }
  return found.empty() ? std::string("none") : *found[below(found.size())];
}

std::string VolumeWorld::pick_any() {
  return pick("dflo");
}

std::string VolumeWorld::pick_parent() {
  if (chance(4)) return {};
  if (chance(60)) return pick("fo");  // the kernel would follow a symlink
  if (chance(60)) return "missing";
  const std::string dir = pick("d");
  return dir == "none" ? std::string{} : dir;
}

std::string VolumeWorld::pick_name() {
  const std::uint64_t kind = below(40);
  if (kind == 0) return std::string(255, static_cast<char>('A' + below(3)));
  if (kind == 1) return std::string(256 + below(50), 'x');
  if (kind == 2) return fmt::format("\n \t{}\x01\xff", below(3));
  if (kind == 3) return fmt::format("name {}\xc3\xa9\\*?\"", below(3));
  if (kind == 4) return fmt::format("{}~", std::string(below(200) + 1, 'p'));
  return fmt::format("{}{}", static_cast<char>('a' + below(3)), below(12));
}

std::string VolumeWorld::some_path() {
  return chance(6) ? new_path() : pick_any();
}

std::string VolumeWorld::bytes(std::size_t count) {
  std::string out(count, '\0');
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t word = rng_();
    for (std::size_t j = 0; j < 8 && i + j < count; ++j) {
      out[i + j] = static_cast<char>(word >> (8 * j));
    }
  }
  return out;
}

std::size_t VolumeWorld::some_length() {
  switch (below(12)) {
    case 0:
      return 1;
    case 1:
      return below(70000) + 1;
    case 2:
      return chance(6) ? below(1 << 20) + 1 : 4096;
    case 3:
      return 65536;
    case 4:
      return 2048;
    default:
      return below(3000) + 1;
  }
}

std::uint64_t VolumeWorld::some_offset(std::uint64_t size) {
  switch (below(8)) {
    case 0:
      return size;
    case 1:
      return size + below(10000);
    case 2:
      return chance(4) ? size + below(8 << 20) : below(4096);
    case 3:
      return 65536 * below(4);
    default:
      return size == 0 ? 0 : below(size);
  }
}

void VolumeWorld::forget_path(const std::string& path) {
  known_.erase(path);
}

void VolumeWorld::move_path(const std::string& from, const std::string& to) {
  std::map<std::string, char> moved;
  for (auto it = known_.begin(); it != known_.end();) {
    const std::string& path = it->first;
    const bool inside = path == from || path.compare(0, from.size() + 1, from + "/") == 0;
    if (!inside) {
      ++it;
      continue;
    }
    moved[to + path.substr(from.size())] = it->second;
    it = known_.erase(it);
  }
  known_.merge(moved);
}

std::optional<VolumeWorld::Times> VolumeWorld::host_times(const std::string& path) {
  struct ::stat st {};

  if (::lstat(path.c_str(), &st) != 0) return std::nullopt;
  return Times{st.st_ino, time_of(st.st_mtim), time_of(st.st_ctim)};
}

std::optional<VolumeWorld::Times> VolumeWorld::volume_times(const std::string& path) {
  const Result<Ino> ino = resolve(path);
  if (!ino) return std::nullopt;
  const Result<Attr> attr = volume_->getattr(*ino);
  if (!attr) return std::nullopt;
  return Times{ino->raw, attr->mtime, attr->ctime};
}

void VolumeWorld::begin(std::string what, std::vector<std::string> touched) {
  history_.push_back(fmt::format("{}: {}", step_, what));
  if (history_.size() > history_max) history_.pop_front();
  touched_.clear();
  timespec clock{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &clock);
  started_ = time_of(clock);
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (std::string& path : touched) {
    Touched entry{.path = path, .host = host_times(host(path)), .volume = volume_times(path)};
    touched_.push_back(std::move(entry));
  }
}

void VolumeWorld::differ(const std::string& how) {
  std::string text;
  for (const std::string& line : history_) text += "  " + line + "\n";
  text += fmt::format("seed {} step {}: {}", seed_, step_, how);
  for (char& byte : text) {
    if (byte != '\n' && (byte < ' ' || byte > '~')) byte = '?';
  }
  std::fprintf(stderr, "%s\n", text.c_str());  // whole lines, which Catch would break
  FAIL("seed " << seed_ << " step " << step_ << ", see above");
  std::abort();
}

void VolumeWorld::end(int host_errno, int volume_errno, bool times_are_comparable) {
  if (host_errno != volume_errno) {
    differ(fmt::format("host errno {} ({}), volume errno {} ({})", host_errno,
                       std::strerror(host_errno), volume_errno, std::strerror(volume_errno)));
  }
  compare_paths();
  if (!times_are_comparable) return;
  for (const Touched& touched : touched_) compare_times(touched);
}

void VolumeWorld::compare_paths() {
  for (const Touched& touched : touched_) {
    struct ::stat st {};

    const int host_errno = errno_of([&] { return ::lstat(host(touched.path).c_str(), &st); });
    const Result<Ino> ino = resolve(touched.path);
    const Result<Attr> attr = ino ? volume_->getattr(*ino) : fail(ino.error());
    if (host_errno != code(attr)) {
      differ(fmt::format("stat of {}: host errno {}, volume errno {}", touched.path, host_errno,
                         code(attr)));
    }
    if (host_errno == 0) compare_attributes(touched.path, st, *attr);
  }
}

void VolumeWorld::compare_attributes(const std::string& path, const struct ::stat& st,
                                     const Attr& attr) {
  const auto same = [&](std::string_view what, std::uint64_t left, std::uint64_t right) {
    if (left != right)
      differ(fmt::format("{} of '{}': host {}, volume {}", what, path, left, right));
  };
  same("mode", st.st_mode, attr.mode);
  same("nlink", st.st_nlink, attr.nlink);
  same("uid", st.st_uid, attr.uid);
  same("gid", st.st_gid, attr.gid);
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) same("rdev", st.st_rdev, attr.rdev);
  if (!S_ISDIR(st.st_mode)) same("size", static_cast<std::uint64_t>(st.st_size), attr.size);
}

void VolumeWorld::compare_times(const Touched& touched) {
  const std::optional<Times> host_now = host_times(host(touched.path));
  const std::optional<Times> volume_now = volume_times(touched.path);
  if (!touched.host || !host_now || !touched.volume || !volume_now) return;
  if (touched.host->ino != host_now->ino || touched.volume->ino != volume_now->ino) return;
  const auto compare = [&](std::string_view what, Timestamp before, Timestamp after, bool moved) {
    if ((before != after) == moved) return;
    if (before == after && ns_of(started_) - ns_of(before) < clock_step_ns) return;
    differ(fmt::format("{} of '{}': host {}, volume {}", what, touched.path,
                       before != after ? "moved" : "stayed", moved ? "moved" : "stayed"));
  };
  compare("mtime", touched.host->mtime, host_now->mtime,
          touched.volume->mtime != volume_now->mtime);
  compare("ctime", touched.host->ctime, host_now->ctime,
          touched.volume->ctime != volume_now->ctime);
}

void VolumeWorld::compare_contents(const std::string& path, Ino ino, std::uint64_t size) {
  const int fd = ::open(host(path).c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  std::vector<char> left(1 << 20);
  std::vector<std::byte> right(1 << 20);
  for (std::uint64_t offset = 0; offset <= size; offset += left.size()) {
    const ssize_t got = ::pread(fd, left.data(), left.size(), static_cast<off_t>(offset));
    const Result<std::size_t> read = volume_->read(ino, offset, right);
    if (!read) differ(fmt::format("reading '{}' at {}: {}", path, offset, to_text(read.error())));
    if (got < 0 || static_cast<std::size_t>(got) != *read) {
      differ(fmt::format("reading '{}' at {}: host {}, volume {} bytes", path, offset, got, *read));
    }
    for (std::size_t i = 0; i < *read; ++i) {
      if (left[i] == static_cast<char>(right[i])) continue;
      differ(fmt::format("'{}' differs at {} of {}", path, offset + i, size));
    }
  }
  ::close(fd);
}

void VolumeWorld::compare_listing(const std::string& path, Ino ino,
                                  std::vector<std::string>& names) {
  DIR* dir = ::opendir(host(path).c_str());
  REQUIRE(dir != nullptr);
  std::map<std::string, std::uint32_t> left;
  while (const dirent* entry = ::readdir(dir)) {
    left[entry->d_name] = static_cast<std::uint32_t>(DTTOIF(entry->d_type));
  }
  ::closedir(dir);
  std::map<std::string, std::uint32_t> right;
  const Result<std::unique_ptr<DirStream>> stream = volume_->open_dir(ino);
  if (!stream) differ(fmt::format("opendir '{}': {}", path, to_text(stream.error())));
  const std::size_t batch = 1 + below(50);
  std::int64_t offset = 0;
  for (bool more = true; more;) {
    if (!(*stream)->seek(offset)) differ("seek");
    for (std::size_t i = 0; i <= batch; ++i) {
      const Result<const DirEntry*> entry = (*stream)->next();
      if (!entry) differ(fmt::format("readdir '{}': {}", path, to_text(entry.error())));
      more = *entry != nullptr;
      if (!more) break;
      if (i == batch) {
        (*stream)->unread();
        break;
      }
      offset = (*entry)->offset;
      if (!right.emplace((*entry)->name, (*entry)->type).second) {
        differ(fmt::format("'{}' lists {} twice", path, (*entry)->name));
      }
    }
  }
  if (left != right)
    differ(fmt::format("listing of '{}': {} and {} entries", path, left.size(), right.size()));
  for (const auto& [name, type] : left) {
    if (name != "." && name != "..") names.push_back(name);
  }
}

void VolumeWorld::compare_xattrs(const std::string& path, Ino ino) {
  if (!host_xattrs_) return;
  std::string list(65536, '\0');
  const ssize_t bytes = ::llistxattr(host(path).c_str(), list.data(), list.size());
  std::vector<std::string> left;
  for (std::size_t at = 0; bytes > 0 && at < static_cast<std::size_t>(bytes);) {
    left.emplace_back(list.c_str() + at);
    at += left.back().size() + 1;
  }
  std::sort(left.begin(), left.end());
  const Result<std::vector<std::string>> right = volume_->list_xattrs(ino);
  if (!right || *right != left) differ(fmt::format("attributes of '{}'", path));
  for (const std::string& name : left) {
    std::string value(65536, '\0');
    const ssize_t size = ::lgetxattr(host(path).c_str(), name.c_str(), value.data(), value.size());
    value.resize(static_cast<std::size_t>(size));
    const Result<std::string> other = volume_->get_xattr(ino, name);
    if (!other || *other != value) differ(fmt::format("attribute {} of '{}'", name, path));
  }
}

void VolumeWorld::compare_tree(const std::string& path) {
  struct ::stat st {};

  if (::lstat(host(path).c_str(), &st) != 0) differ("lstat " + path);
  const Result<Ino> ino = resolve(path);
  const Result<Attr> attr = ino ? volume_->getattr(*ino) : fail(ino.error());
  if (!attr) differ(fmt::format("'{}' is missing: {}", path, to_text(attr.error())));
  compare_attributes(path, st, *attr);
  compare_xattrs(path, *ino);
  if (S_ISREG(st.st_mode)) compare_contents(path, *ino, attr->size);
  if (S_ISLNK(st.st_mode)) {
    std::string target(4096, '\0');
    const ssize_t bytes = ::readlink(host(path).c_str(), target.data(), target.size());
    target.resize(static_cast<std::size_t>(bytes));
    if (volume_->readlink(*ino) != target) differ("target of " + path);
  }
  if (!S_ISDIR(st.st_mode)) return;
  std::vector<std::string> names;
  compare_listing(path, *ino, names);
  for (const std::string& name : names) compare_tree(join(path, name));
}

void VolumeWorld::compare_all() {
  compare_tree({});
}

void VolumeWorld::check() {
  const Result<CheckReport> report = volume_->check({.read_contents = true});
  if (!report) differ("check: " + to_text(report.error()));
  if (report->problems.empty()) return;
  std::string text = "check:";
  for (const std::string& problem : report->problems) text += "\n  " + problem;
  differ(text);
}

}  // namespace artfs::test
