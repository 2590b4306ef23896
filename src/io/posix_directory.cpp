// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "io/device.hpp"
#include "io/posix_error.hpp"
#include "io/posix_file.hpp"
#include "io/uring_file.hpp"

namespace artfs::io {

namespace {

// A store holds everybody's file contents: nobody but its owner may look inside.
constexpr mode_t directory_mode = 0700;
constexpr mode_t file_mode = 0600;

constexpr auto lock_poll = std::chrono::milliseconds(20);

base::UniqueFd open_retrying(int directory, const char* name, int flags) noexcept {
  int fd = -1;
  do {
    fd = ::openat(directory, name, flags | O_CLOEXEC, file_mode);
  } while (fd < 0 && errno == EINTR);
  return base::UniqueFd(fd);
}

bool is_plain(std::string_view name) noexcept {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

class PosixLock final : public DirectoryLock {
 public:
  PosixLock(base::UniqueFd fd, bool wrote_pid) noexcept
      : fd_(std::move(fd)), wrote_pid_(wrote_pid) {}

  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;

  // An empty file names nobody; after a crash the stale pid is harmless, since flock went with it.
  ~PosixLock() override {
    if (wrote_pid_) static_cast<void>(!::ftruncate(fd_.get(), 0));
  }

 private:
  base::UniqueFd fd_;
  bool wrote_pid_;
};

// For those who must do without io_uring, or want to compare: ARTFS_IO=pread.
bool is_uring_forbidden() noexcept {
  const char* const wanted = ::getenv("ARTFS_IO");
  return wanted != nullptr && std::string_view(wanted) == "pread";
}

// 0 when the file names no process that lives.
std::uint64_t holder_pid(int fd) noexcept {
  std::array<char, 24> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  if (got <= 0) return 0;
  std::uint32_t pid = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + got, pid);
  if (parsed.ec != std::errc() || pid == 0) return 0;
  const bool is_gone = ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
  return is_gone ? 0 : pid;
}

bool write_pid(int fd) noexcept {
  const std::string text = std::to_string(::getpid()) + "\n";
  return ::ftruncate(fd, 0) == 0 &&
         ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

class PosixDirectory final : public Directory {
 public:
  explicit PosixDirectory(base::UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  [[nodiscard]] Result<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override;
  [[nodiscard]] Result<bool> exists(std::string_view name) override;
  [[nodiscard]] Result<void> remove(std::string_view name) override;
  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] Result<std::vector<std::string>> list() override;
  [[nodiscard]] Result<void> sync() override;
  [[nodiscard]] Result<std::unique_ptr<DirectoryLock>> lock(
      std::string_view name, bool shared, std::chrono::milliseconds wait) override;
  [[nodiscard]] Result<std::uint64_t> free_bytes() override;

 private:
  [[nodiscard]] Result<base::UniqueFd> open_lock_file(const std::string& name, bool shared);

  base::UniqueFd fd_;
};

Result<std::unique_ptr<File>> PosixDirectory::open(std::string_view name, OpenFlags flags) {
  ARTFS_ASSERT(is_plain(name));
  const std::string path(name);
  int mode = flags.read_only ? O_RDONLY : O_RDWR;
  if (flags.create) mode |= O_CREAT;
  if (flags.create && flags.exclusive) mode |= O_EXCL;
  bool direct = flags.direct;
  base::UniqueFd fd = open_retrying(fd_.get(), path.c_str(), direct ? mode | O_DIRECT : mode);
  if (!fd && direct && errno == EINVAL) {
    // Where O_DIRECT is refused (older tmpfs) the failed open may already have made the file.
    direct = false;
    fd = open_retrying(fd_.get(), path.c_str(), mode & ~O_EXCL);
  }
  if (!fd) return fail(name_error(errno));

  struct stat attributes {};

  if (::fstat(fd.get(), &attributes) != 0) return fail(io_error(errno));
  if (!S_ISREG(attributes.st_mode)) return fail(Errc::store_foreign);
  if (flags.queued && !is_uring_forbidden()) {
    auto queued = UringFile::open(fd, direct);
    if (queued) return std::move(*queued);
    base::log_debug("io_uring is refused, using pread: {}", to_text(queued.error()));
  }
  return std::make_unique<PosixFile>(std::move(fd), direct);
}

Result<bool> PosixDirectory::exists(std::string_view name) {
  struct stat attributes {};

  if (::fstatat(fd_.get(), std::string(name).c_str(), &attributes, AT_SYMLINK_NOFOLLOW) == 0) {
    return true;
  }
  if (errno == ENOENT) return false;
  return fail(name_error(errno));
}

Result<void> PosixDirectory::remove(std::string_view name) {
  ARTFS_ASSERT(is_plain(name));
  if (::unlinkat(fd_.get(), std::string(name).c_str(), 0) != 0) return fail(name_error(errno));
  return {};
}

Result<void> PosixDirectory::rename(std::string_view from, std::string_view to) {
  ARTFS_ASSERT(is_plain(from) && is_plain(to));
  if (::renameat(fd_.get(), std::string(from).c_str(), fd_.get(), std::string(to).c_str()) != 0) {
    return fail(name_error(errno));
  }
  return {};
}

Result<std::vector<std::string>> PosixDirectory::list() {
  base::UniqueFd fd = open_retrying(fd_.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(name_error(errno));

  struct Close {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
  };

  const std::unique_ptr<DIR, Close> stream(::fdopendir(fd.get()));
  if (!stream) return fail(io_error(errno));
  static_cast<void>(fd.release());  // closedir closes it
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    if (is_plain(entry->d_name)) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return fail(io_error(errno));
  return names;
}

Result<void> PosixDirectory::sync() {
  while (::fsync(fd_.get()) != 0) {
    if (errno != EINTR) return fail(io_error(errno));
  }
  return {};
}

Result<base::UniqueFd> PosixDirectory::open_lock_file(const std::string& name, bool shared) {
  base::UniqueFd fd;
  if (shared) {
    fd = open_retrying(fd_.get(), name.c_str(), O_RDONLY);
    if (fd) return fd;
  }
  fd = open_retrying(fd_.get(), name.c_str(), O_RDWR | O_CREAT);
  // A reader of a directory that nobody here can write locks the directory: there is no lock file,
  // hence no writer.
  if (!fd && shared && (errno == EROFS || errno == EACCES)) {
    fd = open_retrying(fd_.get(), ".", O_RDONLY | O_DIRECTORY);
  }
  if (!fd) return fail(name_error(errno));
  return fd;
}

Result<std::unique_ptr<DirectoryLock>> PosixDirectory::lock(std::string_view name, bool shared,
                                                            std::chrono::milliseconds wait) {
  ARTFS_ASSERT(is_plain(name));
  base::UniqueFd fd = ARTFS_TRY(open_lock_file(std::string(name), shared));
  const auto deadline = std::chrono::steady_clock::now() + wait;
  // flock cannot time out, and a signal that interrupts it would need a handler of ours.
  while (::flock(fd.get(), (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail(io_error(errno));
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::store_locked, holder_pid(fd.get()));
    }
    std::this_thread::sleep_for(lock_poll);
  }
  // Without room for the pid the lock holds all the same.
  const bool wrote_pid = !shared && write_pid(fd.get());
  return std::make_unique<PosixLock>(std::move(fd), wrote_pid);
}

Result<std::uint64_t> PosixDirectory::free_bytes() {
  struct statvfs figures {};

  if (::fstatvfs(fd_.get(), &figures) != 0) return fail(io_error(errno));
  return std::uint64_t{figures.f_bavail} * figures.f_frsize;
}

Result<std::unique_ptr<Directory>> open_directory(const std::string& path) {
  base::UniqueFd fd = open_retrying(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(errno == ENOTDIR ? Error{Errc::store_missing, 0} : name_error(errno));
  return std::make_unique<PosixDirectory>(std::move(fd));
}

// The new name is durable only when its directory is.
Result<void> sync_parent(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  const std::size_t slash = end == std::string::npos ? end : path.rfind('/', end);
  std::string parent = ".";
  if (slash != std::string::npos) parent = slash == 0 ? "/" : path.substr(0, slash);
  const base::UniqueFd fd = open_retrying(AT_FDCWD, parent.c_str(), O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(name_error(errno));
  if (::fsync(fd.get()) != 0) return fail(io_error(errno));
  return {};
}

Error make_error(int number) noexcept {
  if (number == ENOENT) return Error{Errc::entry_not_found, 0};
  if (number == ENOTDIR) return Error{Errc::not_a_directory, 0};
  return name_error(number);
}

}  // namespace

Result<std::unique_ptr<Directory>> open_posix_directory(const std::string& path) {
  return open_directory(path);
}

Result<std::unique_ptr<Directory>> create_posix_directory(const std::string& path) {
  if (::mkdir(path.c_str(), directory_mode) == 0) {
    ARTFS_TRY(sync_parent(path));
    return open_directory(path);
  }
  if (errno != EEXIST) return fail(make_error(errno));
  auto directory = open_directory(path);
  if (!directory) return fail(Errc::store_exists);  // something, but no directory of ours
  const auto names = ARTFS_TRY((*directory)->list());
  for (const std::string& name : names) {
    // What mkfs.ext4 leaves in a fresh filesystem does not make it used.
    if (name != "lost+found") return fail(Errc::store_exists);
  }
  return directory;
}

}  // namespace artfs::io
