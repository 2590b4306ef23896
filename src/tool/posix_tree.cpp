// SPDX-License-Identifier: Apache-2.0
// The FileTree of a directory, through the kernel: every call is relative to a descriptor of the parent, so that
// nobody who renames a directory or puts a link into its place leads us elsewhere.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/unique_fd.hpp"
#include "tool/file_tree.hpp"
#include "tool/path_stack.hpp"

namespace artfs::tool {

namespace {

using base::UniqueFd;

constexpr std::size_t xattr_list_bytes_max = 64 * kib;

tl::unexpected<Error> fail_with(int number) {
  switch (number) {
    case ENOENT:
      return fail(Errc::entry_not_found);
    case EEXIST:
      return fail(Errc::entry_exists);
    case ENOTDIR:
    case ELOOP:  // O_NOFOLLOW
      return fail(Errc::not_a_directory);
    case EISDIR:
      return fail(Errc::is_a_directory);
    case ENOTEMPTY:
      return fail(Errc::directory_not_empty);
    case ENAMETOOLONG:
      return fail(Errc::name_too_long);
    case ENODATA:
      return fail(Errc::xattr_not_found);
    case ENXIO:
      return fail(Errc::no_more_data);
    default:
      return fail(Errc::io_failed, static_cast<std::uint64_t>(number));
  }
}

Result<void> result_of(int returned) {
  if (returned == 0) return {};
  return fail_with(errno);
}

timespec to_timespec(const std::optional<Timestamp>& time) {
  if (!time) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  return {.tv_sec = time->seconds, .tv_nsec = time->nanoseconds};
}

Timestamp to_timestamp(const statx_timestamp& time) {
  return {.seconds = time.tv_sec, .nanoseconds = time.tv_nsec};
}

struct Found {
  Attr attr;
  std::uint64_t device = 0;
};

// An empty name: the directory itself.
Result<Found> stat_at(int directory, const char* name) {
  struct statx info {};

  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
  if (::statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
    return fail_with(errno);
  }
  Found found;
  Attr& attr = found.attr;
  attr.ino = Ino{info.stx_ino};
  attr.mode = info.stx_mode;
  attr.nlink = info.stx_nlink;
  attr.uid = info.stx_uid;
  attr.gid = info.stx_gid;
  attr.rdev = ::makedev(info.stx_rdev_major, info.stx_rdev_minor);
  attr.size = info.stx_size;
  attr.blocks_512 = info.stx_blocks;
  attr.block_bytes = info.stx_blksize;
  attr.atime = to_timestamp(info.stx_atime);
  attr.mtime = to_timestamp(info.stx_mtime);
  attr.ctime = to_timestamp(info.stx_ctime);
  if ((info.stx_mask & STATX_BTIME) != 0) attr.btime = to_timestamp(info.stx_btime);
  attr.has_xattrs = true;  // who knows
  found.device = ::makedev(info.stx_dev_major, info.stx_dev_minor);
  return found;
}

Result<std::string> link_target(int directory, const char* name) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(directory, name, target.data(), target.size());
  if (size < 0) return fail_with(errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

// O_NOATIME is for owners only.
int open_quietly(int directory, const char* name, int flags) {
  const int opened = ::openat(directory, name, flags | O_NOATIME);
  return opened < 0 && errno == EPERM ? ::openat(directory, name, flags) : opened;
}

class PosixFile final : public OpenFile {
 public:
  explicit PosixFile(UniqueFd file) : file_(std::move(file)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(file_.get(), out.data() + done, out.size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_with(errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<std::uint64_t> seek_data(std::uint64_t offset) override { return seek(offset, SEEK_DATA); }

  Result<std::uint64_t> seek_hole(std::uint64_t offset) override { return seek(offset, SEEK_HOLE); }

  Result<void> write(std::uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t put =
          ::pwrite(file_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail_with(errno);
      offset += static_cast<std::uint64_t>(put);
      data = data.subspan(static_cast<std::size_t>(put));
    }
    return {};
  }

  Result<void> resize(std::uint64_t size) override {
    return result_of(::ftruncate(file_.get(), static_cast<off_t>(size)));
  }

  Result<void> close() override { return result_of(::close(file_.release())); }

 private:
  Result<std::uint64_t> seek(std::uint64_t offset, int whence) {
    const off_t found = ::lseek(file_.get(), static_cast<off_t>(offset), whence);
    if (found < 0) return fail_with(errno);
    return static_cast<std::uint64_t>(found);
  }

  UniqueFd file_;
};

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Depth first, with one open directory for each level.
class Walker {
 public:
  Walker(const TreeVisit& visit, std::optional<std::uint64_t> device)
      : visit_(visit), device_(device) {}

  // `name` in `parent`: the root of the walk.
  Result<void> run(int parent, const char* name) {
    const Found root = ARTFS_TRY(stat_at(parent, name));
    bool goes_on = show(parent, name, root);
    while (goes_on && !levels_.empty()) {
      errno = 0;
      const dirent* const entry = ::readdir(levels_.back().directory.get());
      if (entry == nullptr) {
        if (errno != 0) goes_on = complain(fail_with(errno).value());
        path_.resize(levels_.back().path_bytes);
        levels_.pop_back();
        continue;
      }
      const std::string_view its_name = entry->d_name;
      if (its_name == "." || its_name == "..") continue;
      path_.resize(levels_.back().path_bytes);
      if (!path_.empty()) path_.push_back('/');
      path_.append(its_name);
      const std::string copy(its_name);  // readdir's is gone after a visit
      goes_on = show_named(::dirfd(levels_.back().directory.get()), copy.c_str());
    }
    return {};
  }

 private:
  struct Level {
    Directory directory;
    std::size_t path_bytes;
    Found found;
  };

  bool show_named(int parent, const char* name) {
    const Result<Found> found = stat_at(parent, name);
    if (found) return show(parent, name, *found);
    if (found.error().code == Errc::entry_not_found) return true;  // it went meanwhile
    return visit_({.path = path_, .depth = levels_.size(), .error = found.error()});
  }

  bool show(int parent, const char* name, const Found& found) {
    TreeEntry entry{
        .path = path_, .depth = levels_.size(), .attr = found.attr, .device = found.device};
    std::string target;
    if (S_ISLNK(found.attr.mode)) {
      Result<std::string> read = link_target(parent, name);
      if (read) {
        target = *std::move(read);
      } else {
        entry.error = read.error();
      }
      entry.target = target;
    }
    if (!visit_(entry)) return false;
    const bool is_entered = S_ISDIR(found.attr.mode) && (!device_ || *device_ == found.device);
    return !is_entered || enter(parent, *name == '\0' ? "." : name, found);
  }

  bool enter(int parent, const char* name, const Found& found) {
    const int opened = open_quietly(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0 && errno == ENOENT) return true;
    Directory directory(opened < 0 ? nullptr : ::fdopendir(opened));
    if (!directory) {
      const int number = errno;
      if (opened >= 0) ::close(opened);
      return visit_({.path = path_,
                     .depth = levels_.size(),
                     .attr = found.attr,
                     .device = found.device,
                     .error = fail_with(number).value()});
    }
    levels_.push_back(
        {.directory = std::move(directory), .path_bytes = path_.size(), .found = found});
    return true;
  }

  // Of the rest of the directory that is listed.
  bool complain(Error error) {
    const Level& level = levels_.back();
    path_.resize(level.path_bytes);
    return visit_({.path = path_,
                   .depth = levels_.size() - 1,
                   .attr = level.found.attr,
                   .device = level.found.device,
                   .error = error});
  }

  const TreeVisit& visit_;
  const std::optional<std::uint64_t> device_;
  std::vector<Level> levels_;
  std::string path_;
};

class PosixTree final : public FileTree {
 public:
  // `device`: the only one that is entered.
  PosixTree(UniqueFd root, std::optional<std::uint64_t> device)
      : directories_(std::move(root)), device_(device) {}

  Result<Attr> find(std::string_view path) override {
    const At at = ARTFS_TRY(resolve(path));
    return ARTFS_TRY(stat_at(at.directory, at.name.c_str())).attr;
  }

  Result<std::string> read_link(std::string_view path) override {
    const At at = ARTFS_TRY(resolve(path));
    return link_target(at.directory, at.name.c_str());
  }

  Result<void> walk(std::string_view path, const TreeVisit& visit) override {
    const At at = ARTFS_TRY(resolve(path));
    // The visitor may ask for other paths.
    const UniqueFd kept(::fcntl(at.directory, F_DUPFD_CLOEXEC, 0));
    if (!kept) return fail_with(errno);
    return Walker(visit, device_).run(kept.get(), at.name.c_str());
  }

  Result<std::unique_ptr<OpenFile>> open(std::string_view path) override {
    const At at = ARTFS_TRY(resolve(path));
    // A fifo would wait for somebody who writes.
    UniqueFd file(
        open_quietly(at.directory, at.dot_name(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && (errno == ELOOP || errno == ENXIO)) return fail(Errc::operation_not_permitted);
    if (!file) return fail_with(errno);
    const Found found = ARTFS_TRY(stat_at(file.get(), ""));
    if (S_ISDIR(found.attr.mode)) return fail(Errc::is_a_directory);
    if (!S_ISREG(found.attr.mode)) return fail(Errc::operation_not_permitted);
    return std::make_unique<PosixFile>(std::move(file));
  }

  Result<std::unique_ptr<OpenFile>> create(std::string_view path, std::uint32_t mode) override {
    const At at = ARTFS_TRY(resolve(path));
    UniqueFd file(::openat(at.directory, at.dot_name(),
                           O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777U));
    if (!file) return fail_with(errno);
    return std::make_unique<PosixFile>(std::move(file));
  }

  Result<void> make(std::string_view path, const NewEntry& entry) override {
    const At at = ARTFS_TRY(resolve(path));
    const char* const name = at.dot_name();
    if (S_ISDIR(entry.mode)) return result_of(::mkdirat(at.directory, name, entry.mode & 07777U));
    if (S_ISLNK(entry.mode)) {
      return result_of(::symlinkat(entry.target.c_str(), at.directory, name));
    }
    return result_of(::mknodat(at.directory, name, entry.mode, entry.rdev));
  }

  Result<void> link(std::string_view existing, std::string_view path) override {
    return with_both(existing, path, [](const At& from, const At& to) {
      return ::linkat(from.directory, from.dot_name(), to.directory, to.dot_name(), 0);
    });
  }

  Result<void> remove(std::string_view path, bool is_directory) override {
    directories_.forget(path);
    const At at = ARTFS_TRY(resolve(path));
    return result_of(::unlinkat(at.directory, at.dot_name(), is_directory ? AT_REMOVEDIR : 0));
  }

  Result<void> rename(std::string_view from, std::string_view to, bool no_replace) override {
    directories_.forget(from);
    directories_.forget(to);
    return with_both(from, to, [no_replace](const At& old, const At& next) {
      return ::renameat2(old.directory, old.dot_name(), next.directory, next.dot_name(),
                         no_replace ? RENAME_NOREPLACE : 0);
    });
  }

  Result<void> set(std::string_view path, const SetAttr& changes) override {
    const At at = ARTFS_TRY(resolve(path));
    const char* const name = at.dot_name();

    struct statx is {};

    // What is right already costs no request to a daemon: these three stay valid in the kernel's cache.
    if ((changes.uid || changes.gid || changes.mode) &&
        ::statx(at.directory, name, AT_SYMLINK_NOFOLLOW, STATX_MODE | STATX_UID | STATX_GID, &is) !=
            0) {
      return fail_with(errno);
    }
    const bool is_given = changes.uid.value_or(is.stx_uid) != is.stx_uid ||
                          changes.gid.value_or(is.stx_gid) != is.stx_gid;
    if (is_given) {
      ARTFS_TRY(result_of(::fchownat(at.directory, name, changes.uid.value_or(~uid_t{0}),
                                     changes.gid.value_or(~gid_t{0}), AT_SYMLINK_NOFOLLOW)));
    }
    // A new owner takes bits away.
    if (changes.mode && (is_given || *changes.mode != (is.stx_mode & 07777U))) {
      // No call of this kernel changes the mode of a name without following it.
      const UniqueFd itself(::openat(at.directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!itself) return fail_with(errno);
      const std::string through = fmt::format("/proc/self/fd/{}", itself.get());
      ARTFS_TRY(result_of(::chmod(through.c_str(), *changes.mode & 07777U)));
    }
    if (!changes.atime && !changes.mtime) return {};
    const std::array<timespec, 2> times{to_timespec(changes.atime), to_timespec(changes.mtime)};
    return result_of(::utimensat(at.directory, name, times.data(), AT_SYMLINK_NOFOLLOW));
  }

  Result<std::vector<Xattr>> xattrs(std::string_view path) override {
    const std::string through = ARTFS_TRY(through_proc(path));
    std::string names(xattr_list_bytes_max, '\0');
    const ssize_t size = ::llistxattr(through.c_str(), names.data(), names.size());
    if (size < 0 && (errno == ENOTSUP || errno == EOPNOTSUPP)) return std::vector<Xattr>();
    if (size < 0) return fail_with(errno);
    names.resize(static_cast<std::size_t>(size));
    std::vector<Xattr> out;
    for (std::size_t at = 0; at < names.size(); at += out.back().name.size() + 1) {
      out.push_back({.name = names.c_str() + at, .value = std::string(value_bytes_max, '\0')});
      std::string& value = out.back().value;
      const ssize_t got =
          ::lgetxattr(through.c_str(), out.back().name.c_str(), value.data(), value.size());
      if (got < 0 && errno != ENODATA) return fail_with(errno);
      value.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    }
    return out;
  }

  Result<void> set_xattr(std::string_view path, const Xattr& xattr) override {
    const std::string through = ARTFS_TRY(through_proc(path));
    return result_of(::lsetxattr(through.c_str(), xattr.name.c_str(), xattr.value.data(),
                                 xattr.value.size(), 0));
  }

  Result<void> remove_xattr(std::string_view path, const std::string& name) override {
    const std::string through = ARTFS_TRY(through_proc(path));
    return result_of(::lremovexattr(through.c_str(), name.c_str()));
  }

  Result<void> close() override { return {}; }

 private:
  // A name in an open directory; the directory is valid until the next resolve().
  struct At {
    int directory = -1;
    std::string name;  // empty: the directory itself

    [[nodiscard]] const char* dot_name() const noexcept {
      return name.empty() ? "." : name.c_str();
    }
  };

  Result<At> resolve(std::string_view path) {
    const SplitPath split = split_path(path);
    const auto open = [this](const UniqueFd& parent, const std::string& name) -> Result<UniqueFd> {
      UniqueFd directory(
          ::openat(parent.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!directory) return fail_with(errno);
      if (device_ && ARTFS_TRY(stat_at(directory.get(), "")).device != *device_) {
        return fail(Errc::io_failed, EXDEV);
      }
      return directory;
    };
    const Result<const UniqueFd*> directory = directories_.find(split.parent, open);
    if (!directory) return fail(directory.error());
    return At{.directory = (*directory)->get(), .name = std::string(split.name)};
  }

  template <typename Call>
  Result<void> with_both(std::string_view first, std::string_view second, const Call& call) {
    At from = ARTFS_TRY(resolve(first));
    const UniqueFd kept(::fcntl(from.directory, F_DUPFD_CLOEXEC, 0));
    if (!kept) return fail_with(errno);
    from.directory = kept.get();
    const At to = ARTFS_TRY(resolve(second));
    return result_of(call(from, to));
  }

  // The calls for extended attributes know no directory descriptors.
  Result<std::string> through_proc(std::string_view path) {
    const At at = ARTFS_TRY(resolve(path));
    return fmt::format("/proc/self/fd/{}/{}", at.directory, at.dot_name());
  }

  PathStack<UniqueFd> directories_;
  const std::optional<std::uint64_t> device_;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_posix_tree(const std::string& root,
                                                  PosixTreeOptions options) {
  UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_with(errno);
  std::optional<std::uint64_t> device;
  if (options.one_filesystem) device = ARTFS_TRY(stat_at(directory.get(), "")).device;
  return std::make_unique<PosixTree>(std::move(directory), device);
}

}  // namespace artfs::tool
