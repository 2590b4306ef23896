// SPDX-License-Identifier: Apache-2.0
// Locks: of whole files, of ranges by process and by description; handles.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

base::UniqueFd reopen(const std::string& path) {
  return base::UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
}

struct flock range(short type, off_t start, off_t length) {
  struct flock lock {};

  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

int lock_range(int fd, int command, struct flock lock) {
  return ::fcntl(fd, command, &lock);
}

// Runs it in another process; its errno, 0 for success.
int elsewhere(const std::function<int()>& action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action() < 0 ? errno : 0);
  int status = 0;
  ARTFS_ASSERT(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void whole_files(Suite& s) {
  const std::string path = s.path("file");
  s.make(Kind::file, path);
  const base::UniqueFd one = reopen(path);
  const base::UniqueFd two = reopen(path);
  for (const int first : {LOCK_SH, LOCK_EX}) {
    for (const int second : {LOCK_SH, LOCK_EX}) {
      s.ok(::flock(one.get(), first), "flock");
      const bool fits = first == LOCK_SH && second == LOCK_SH;
      s.answers(fits ? 0 : EAGAIN, ::flock(two.get(), second | LOCK_NB),
                "flock of another description");
      s.ok(::flock(one.get(), LOCK_UN), "unlock");
      s.ok(::flock(two.get(), second | LOCK_NB), "now it may");
      s.ok(::flock(two.get(), LOCK_UN), "unlock");
    }
  }
  s.ok(::flock(one.get(), LOCK_SH), "flock");
  s.ok(::flock(one.get(), LOCK_EX | LOCK_NB), "made exclusive");
  const int copy = ::dup(one.get());
  s.ok(::flock(copy, LOCK_EX | LOCK_NB), "a copy of the descriptor has it too");
  ::close(copy);
  s.fails(EAGAIN, ::flock(two.get(), LOCK_SH | LOCK_NB), "closing the copy keeps it");
  s.fails(EINVAL, ::flock(one.get(), 16), "an unknown operation");
}

void ranges(Suite& s) {
  for (const int command : {F_SETLK, F_OFD_SETLK}) {
    const std::string path = s.fresh();
    s.make(Kind::file, path);
    const base::UniqueFd one = reopen(path);
    const auto other = [&](short type, off_t start, off_t length) {
      return elsewhere([&] {
        const base::UniqueFd two = reopen(path);
        return lock_range(two.get(), command, range(type, start, length));
      });
    };
    s.ok(lock_range(one.get(), command, range(F_WRLCK, 10, 10)), "a range to write");
    s.equal(other(F_WRLCK, 15, 1), EAGAIN, "inside");
    s.equal(other(F_RDLCK, 19, 5), EAGAIN, "at its end");
    s.equal(other(F_WRLCK, 0, 10), 0, "before");
    s.equal(other(F_WRLCK, 20, 0), 0, "behind, to the end of all");
    s.equal(other(F_WRLCK, 0, 0), EAGAIN, "all");
    s.ok(lock_range(one.get(), command, range(F_UNLCK, 12, 2)), "a hole in it");
    s.equal(other(F_WRLCK, 12, 2), 0, "in the hole");
    s.equal(other(F_WRLCK, 11, 2), EAGAIN, "over its edge");
    s.ok(lock_range(one.get(), command, range(F_RDLCK, 10, 10)), "made to read");
    s.equal(other(F_RDLCK, 10, 10), 0, "both read");
    s.equal(other(F_WRLCK, 10, 1), EAGAIN, "one writes");
    s.ok(lock_range(one.get(), command, range(F_UNLCK, 0, 0)), "unlock");
    s.equal(other(F_WRLCK, 0, 0), 0, "all is free");
    s.fails(EINVAL, lock_range(one.get(), command, range(F_WRLCK, -5, 2)), "before the start");
    s.fails(EINVAL, lock_range(one.get(), command, range(77, 0, 1)), "an unknown type");
  }
  const std::string path = s.fresh();
  s.make(Kind::file, path);
  const base::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  s.fails(EBADF, lock_range(reader.get(), F_SETLK, range(F_WRLCK, 0, 1)),
          "a lock to write without the right");
  const base::UniqueFd one = reopen(path);
  s.ok(lock_range(one.get(), F_SETLK, range(F_WRLCK, 5, 5)), "a range");
  struct flock asked = range(F_RDLCK, 0, 0);
  s.equal(elsewhere([&] {
            const base::UniqueFd two = reopen(path);
            const bool told = ::fcntl(two.get(), F_GETLK, &asked) == 0 && asked.l_type == F_WRLCK &&
                              asked.l_start == 5 && asked.l_len == 5 && asked.l_pid == ::getppid();
            errno = EIO;
            return told ? 0 : -1;
          }),
          0, "F_GETLK tells who holds what");
  ::close(::open(path.c_str(), O_RDONLY));
  s.equal(elsewhere([&] {
            const base::UniqueFd two = reopen(path);
            return lock_range(two.get(), F_SETLK, range(F_WRLCK, 5, 5));
          }),
          0, "closing any descriptor gives a process's locks back");
}

struct Handle {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};

  file_handle* get() noexcept { return reinterpret_cast<file_handle*>(memory.data()); }
};

void handles(Suite& s) {
  const base::UniqueFd top(::open(s.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::device, Kind::dangling}) {
    const std::string path = s.fresh();
    s.make(kind, path);
    const std::uint64_t ino = status_of(path).st_ino;
    const std::string what = fmt::format(" of {}", name_of(kind));
    Handle handle;
    int mount = 0;
    s.fails(EOVERFLOW, ::name_to_handle_at(AT_FDCWD, path.c_str(), handle.get(), &mount, 0),
            "a handle without room" + what);
    handle.get()->handle_bytes = MAX_HANDLE_SZ;
    s.ok(::name_to_handle_at(AT_FDCWD, path.c_str(), handle.get(), &mount, 0), "a handle" + what);
    const auto by_handle = [&] {
      const base::UniqueFd file(::open_by_handle_at(top.get(), handle.get(), O_PATH | O_CLOEXEC));

      struct stat status {};

      const int done = file ? ::fstat(file.get(), &status) : -1;
      return done == 0 ? static_cast<std::int64_t>(status.st_ino) : -1;
    };
    s.equal(by_handle(), static_cast<std::int64_t>(ino), "it leads to the same" + what);
    s.ok(::rename(path.c_str(), (path + ".moved").c_str()), "rename");
    s.equal(by_handle(), static_cast<std::int64_t>(ino), "also when renamed" + what);
    s.ok(kind == Kind::directory ? ::rmdir((path + ".moved").c_str())
                                 : ::unlink((path + ".moved").c_str()),
         "removal");
    s.fails(ESTALE, by_handle(), "not when removed" + what);
    s.as_user([&] { s.fails(EPERM, by_handle(), "not for a user" + what); });
  }
}

}  // namespace

void lock_groups(std::vector<Group>& groups) {
  groups.push_back({"lock_files", whole_files});
  groups.push_back({"lock_ranges", ranges});
  groups.push_back({"handles", handles});
}

}  // namespace artfs::posix
