// SPDX-License-Identifier: Apache-2.0
// open(2): every kind of file with every flag; files without a name.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

struct Flags {
  const char* name;
  int flags;
};

constexpr std::array<Flags, 14> flag_sets = {
    Flags{"O_RDONLY", O_RDONLY},
    Flags{"O_WRONLY", O_WRONLY},
    Flags{"O_RDWR", O_RDWR},
    Flags{"O_CREAT", O_RDWR | O_CREAT},
    Flags{"O_CREAT|O_EXCL", O_RDWR | O_CREAT | O_EXCL},
    Flags{"O_TRUNC", O_RDWR | O_TRUNC},
    Flags{"O_APPEND", O_WRONLY | O_APPEND},
    Flags{"O_DIRECTORY", O_RDONLY | O_DIRECTORY},
    Flags{"O_NOFOLLOW", O_RDONLY | O_NOFOLLOW},
    Flags{"O_CREAT|O_NOFOLLOW", O_RDWR | O_CREAT | O_NOFOLLOW},
    Flags{"O_PATH", O_PATH},
    Flags{"O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW},
    Flags{"O_CREAT|O_DIRECTORY", O_RDONLY | O_CREAT | O_DIRECTORY},
    Flags{"O_NOATIME", O_RDONLY | O_NOATIME},
};

bool is_link(Kind kind) {
  return kind == Kind::link || kind == Kind::dangling;
}

int expected(Kind kind, int flags) {
  const auto has = [flags](int flag) { return (flags & flag) == flag; };
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (has(O_CREAT) && has(O_DIRECTORY)) return EINVAL;
  if (has(O_CREAT | O_EXCL)) return kind == Kind::none ? 0 : EEXIST;
  if (is_link(kind) && has(O_NOFOLLOW)) return has(O_PATH) ? 0 : ELOOP;
  if (kind == Kind::none || kind == Kind::dangling) return has(O_CREAT) ? 0 : ENOENT;
  if (has(O_DIRECTORY)) return kind == Kind::directory ? 0 : ENOTDIR;
  if (has(O_PATH)) return 0;
  if (kind == Kind::directory) return writes || has(O_CREAT) ? EISDIR : 0;
  if (kind == Kind::socket) return ENXIO;
  if (kind == Kind::fifo && (flags & O_ACCMODE) == O_WRONLY) return ENXIO;  // nobody reads
  return 0;
}

void flags_and_kinds(Suite& s) {
  for (const Kind kind : all_kinds) {
    for (const Flags& flags : flag_sets) {
      const std::string directory = s.fresh();
      s.make(Kind::directory, directory);
      const std::string path = directory + "/object";
      s.make(kind, path);
      const struct stat before = status_of(path);
      const int wanted = expected(kind, flags.flags);
      const std::string what = fmt::format("open of {} with {}", name_of(kind), flags.name);
      const base::UniqueFd file(::open(path.c_str(), flags.flags | O_NONBLOCK | O_CLOEXEC, 0640));
      if (!s.answers(wanted, file.get(), what)) continue;
      const struct stat after = status_of(path);
      s.equal(after.st_ino == 0, kind == Kind::none && wanted != 0, what + ": what is there");
      if (kind != Kind::none)
        s.equal(after.st_ino, before.st_ino, what + ": nothing took its place");
      if (wanted != 0) continue;

      struct stat by_fd {};

      s.ok(::fstat(file.get(), &by_fd), what + ": fstat");
      if (!is_link(kind)) s.equal(by_fd.st_ino, after.st_ino, what + ": one file");
      if (kind == Kind::none)
        s.equal(by_fd.st_mode, S_IFREG | 0640U, what + ": mode of the new file");
      const bool truncates = (flags.flags & O_TRUNC) != 0;
      if (kind == Kind::file) s.equal(by_fd.st_size, truncates ? 0 : 8, what + ": size");
      s.equal(::fcntl(file.get(), F_GETFL) & O_ACCMODE, flags.flags & O_ACCMODE,
              what + ": access mode");
    }
  }
}

// What an access mode lets a descriptor do.
void access_modes(Suite& s) {
  const std::string path = s.path("file");
  s.make(Kind::file, path);
  for (const int mode : {O_RDONLY, O_WRONLY, O_RDWR, O_PATH}) {
    const base::UniqueFd file(::open(path.c_str(), mode | O_CLOEXEC));
    const int fd = file.get();
    const bool reads = mode == O_RDONLY || mode == O_RDWR;
    const bool writes = mode == O_WRONLY || mode == O_RDWR;
    const bool is_path = mode == O_PATH;
    char byte = 0;
    const std::string what = is_path           ? " with O_PATH"
                             : reads && writes ? " with O_RDWR"
                             : reads           ? " with O_RDONLY"
                                               : " with O_WRONLY";
    s.answers(reads ? 0 : EBADF, ::read(fd, &byte, 1), "read" + what);
    s.answers(reads ? 0 : EBADF, ::pread(fd, &byte, 1, 0), "pread" + what);
    s.answers(writes ? 0 : EBADF, ::write(fd, "c", 1), "write" + what);
    s.answers(writes ? 0 : EBADF, ::pwrite(fd, "c", 1, 0), "pwrite" + what);
    s.answers(writes ? 0 : is_path ? EBADF : EINVAL, ::ftruncate(fd, 8), "ftruncate" + what);
    s.answers(writes ? 0 : EBADF, ::fallocate(fd, 0, 0, 8), "fallocate" + what);
    s.answers(is_path ? EBADF : 0, ::lseek(fd, 0, SEEK_SET), "lseek" + what);
    s.answers(is_path ? EBADF : 0, ::fsync(fd), "fsync" + what);
    s.answers(is_path ? EBADF : 0, ::fchmod(fd, 0644), "fchmod" + what);
    s.answers(is_path ? EBADF : 0, ::fchown(fd, 0, 0), "fchown" + what);

    struct stat status {};

    s.ok(::fstat(fd, &status), "fstat" + what);
    s.fails(ENOTDIR, ::openat(fd, "x", O_RDONLY), "openat" + what);
    s.fails(ENOTDIR, ::fchdir(fd), "fchdir" + what);
    void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    s.answers(reads     ? 0
              : is_path ? EBADF
                        : EACCES,
              memory == MAP_FAILED ? -1 : 0, "mmap to read" + what);
    if (memory != MAP_FAILED) ::munmap(memory, 4096);
  }
  for (const int bad : {-1, 9999}) {
    char byte = 0;
    s.fails(EBADF, ::read(bad, &byte, 1), "read of no descriptor");
    s.fails(EBADF, ::write(bad, &byte, 1), "write to no descriptor");
    s.fails(EBADF, ::close(bad), "close of no descriptor");
    s.fails(EBADF, ::fsync(bad), "fsync of no descriptor");
    s.fails(EBADF, ::openat(bad, "x", O_RDONLY), "openat at no descriptor");
  }
}

void appending(Suite& s) {
  const std::string path = s.path("file");
  s.make(Kind::file, path);
  const base::UniqueFd one(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const base::UniqueFd two(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  s.equal(::write(one.get(), "AB", 2), 2, "append");
  s.equal(::pwrite(two.get(), "CD", 2, 10), 2, "a write behind it");
  s.equal(::write(one.get(), "EF", 2), 2, "append again");
  s.equal(read_file(path), std::string("contentsABCDEF"), "contents");
  s.equal(::lseek(one.get(), 0, SEEK_CUR), 14, "position after an append");
  s.equal(::lseek(one.get(), 0, SEEK_SET), 0, "lseek to the start");
  s.equal(::write(one.get(), "G", 1), 1, "append after lseek");
  s.equal(::pwrite(one.get(), "H", 1, 0), 1, "pwrite with O_APPEND");
  s.equal(read_file(path), std::string("contentsABCDEFGH"), "it appends on Linux");
  s.ok(::ftruncate(two.get(), 3), "ftruncate");
  s.equal(::write(one.get(), "I", 1), 1, "append after a truncate");
  s.equal(read_file(path), std::string("conI"), "at the new end");
  s.ok(::fcntl(one.get(), F_SETFL, 0), "O_APPEND taken away");
  s.ok(::lseek(one.get(), 1, SEEK_SET), "lseek");
  s.equal(::write(one.get(), "X", 1), 1, "write");
  s.equal(read_file(path), std::string("cXnI"), "where it stood");
}

void without_a_name(Suite& s) {
  const std::string directory = s.path("directory");
  s.make(Kind::directory, directory);
  for (const mode_t mode : {0600U, 0644U, 04755U}) {
    const struct stat before = status_of(directory);
    const base::UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
    s.ok(file.get(), "O_TMPFILE");

    struct stat status {};

    s.ok(::fstat(file.get(), &status), "fstat");
    s.equal(status.st_nlink, 0U, "no link");
    s.equal(status.st_mode, S_IFREG | mode, "mode");
    s.equal(status.st_size, 0, "size");
    s.holds(status_of(directory).st_mtim.tv_nsec == before.st_mtim.tv_nsec,
            "the directory is as it was");
    s.equal(::write(file.get(), "hello", 5), 5, "write");
    const std::string name = s.fresh();
    s.ok(::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", file.get()).c_str(), AT_FDCWD,
                  name.c_str(), AT_SYMLINK_FOLLOW),
         "linkat gives it a name");
    s.equal(status_of(name).st_ino, status.st_ino, "the name leads to it");
    s.equal(status_of(name).st_nlink, 1U, "one link");
    s.equal(read_file(name), std::string("hello"), "contents");
    s.fails(EEXIST, ::linkat(file.get(), "", AT_FDCWD, name.c_str(), AT_EMPTY_PATH),
            "a second time the same name");
    s.ok(::linkat(file.get(), "", AT_FDCWD, (name + "2").c_str(), AT_EMPTY_PATH), "another name");
    s.equal(status_of(name).st_nlink, 2U, "two links");
  }
  const base::UniqueFd fixed(
      ::open(directory.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  s.ok(fixed.get(), "O_TMPFILE with O_EXCL");
  s.fails(ENOENT, ::linkat(fixed.get(), "", AT_FDCWD, s.fresh().c_str(), AT_EMPTY_PATH),
          "linkat of one that shall have no name");
  s.fails(EINVAL, ::open(directory.c_str(), O_TMPFILE | O_RDONLY, 0600), "O_TMPFILE only to read");
  s.fails(ENOENT, ::open(s.path("none").c_str(), O_TMPFILE | O_RDWR, 0600), "O_TMPFILE in nothing");
  const std::string file = s.fresh();
  s.make(Kind::file, file);
  s.fails(ENOTDIR, ::open(file.c_str(), O_TMPFILE | O_RDWR, 0600), "O_TMPFILE in a file");
  s.ok(::chmod(directory.c_str(), 0755), "chmod");
  s.as_user([&] {
    s.fails(EACCES, ::open(directory.c_str(), O_TMPFILE | O_RDWR, 0600),
            "O_TMPFILE without the right to write");
  });
}

// An open file lives on without its name.
void unlinked(Suite& s) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, std::size_t{5000}, std::size_t{300000}}) {
    const std::string path = s.fresh();
    const std::string bytes(size, 'u');
    write_file(path, bytes);
    const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    s.ok(::unlink(path.c_str()), "unlink");
    s.fails(ENOENT, ::open(path.c_str(), O_RDONLY), "open of the name");

    struct stat status {};

    s.ok(::fstat(file.get(), &status), "fstat");
    s.equal(status.st_nlink, 0U, "no link");
    s.equal(status.st_size, static_cast<off_t>(size), "size");
    std::string got(size + 1, '\0');
    s.equal(::pread(file.get(), got.data(), got.size(), 0), static_cast<ssize_t>(size), "read");
    s.holds(got.substr(0, size) == bytes, "contents");
    s.equal(::pwrite(file.get(), "more", 4, static_cast<off_t>(size)), 4, "write");
    s.ok(::ftruncate(file.get(), 2), "ftruncate");
    s.ok(::fchmod(file.get(), 0400), "fchmod");
    s.ok(::fstat(file.get(), &status), "fstat again");
    s.equal(status.st_size, 2, "size after ftruncate");
    s.equal(status.st_mode, S_IFREG | 0400U, "mode after fchmod");
    s.fails(ENOENT, ::linkat(file.get(), "", AT_FDCWD, s.fresh().c_str(), AT_EMPTY_PATH),
            "it gets no name again");
  }
  const std::string directory = s.fresh();
  s.make(Kind::directory, directory);
  const base::UniqueFd open_directory(
      ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  s.ok(::rmdir(directory.c_str()), "rmdir of an open directory");
  s.fails(ENOENT, ::openat(open_directory.get(), "x", O_CREAT | O_RDWR, 0600),
          "creating a file in it");
  s.fails(ENOENT, ::mkdirat(open_directory.get(), "x", 0700), "mkdir in it");
  s.fails(ENOENT, ::symlinkat("x", open_directory.get(), "x"), "symlink in it");

  struct stat status {};

  s.ok(::fstat(open_directory.get(), &status), "fstat of it");
  s.equal(status.st_nlink, 0U, "it has no link");
}

}  // namespace

void open_groups(std::vector<Group>& groups) {
  groups.push_back({"flags_and_kinds", flags_and_kinds});
  groups.push_back({"access_modes", access_modes});
  groups.push_back({"appending", appending});
  groups.push_back({"without_a_name", without_a_name});
  groups.push_back({"unlinked", unlinked});
}

}  // namespace artfs::posix
