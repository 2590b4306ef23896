// SPDX-License-Identifier: Apache-2.0
// Making and removing names: link counts, owners, modes, symlinks, names of any bytes.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

void making(Suite& s) {
  for (const Kind existing : all_kinds) {
    if (existing == Kind::none) continue;
    const std::string there = s.fresh();
    const std::string other = s.fresh();
    s.make(existing, there);
    s.make(Kind::file, other);
    const struct stat before = status_of(there);
    const std::string what = fmt::format(" where there is {}", name_of(existing));
    s.fails(EEXIST, ::mkdir(there.c_str(), 0755), "mkdir" + what);
    s.fails(EEXIST, ::mkfifo(there.c_str(), 0644), "mkfifo" + what);
    s.fails(EEXIST, ::mknod(there.c_str(), S_IFREG | 0644, 0), "mknod" + what);
    s.fails(EEXIST, ::mknod(there.c_str(), S_IFCHR | 0644, makedev(1, 3)),
            "mknod of a device" + what);
    s.fails(EEXIST, ::symlink("x", there.c_str()), "symlink" + what);
    s.fails(EEXIST, ::link(other.c_str(), there.c_str()), "link" + what);
    s.fails(EEXIST, ::open(there.c_str(), O_CREAT | O_EXCL | O_RDWR, 0644),
            "open with O_EXCL" + what);
    s.holds(status_of(there).st_ctim.tv_nsec == before.st_ctim.tv_nsec, "it is as it was" + what);
    s.equal(status_of(other).st_nlink, 1U, "the other has one link" + what);
    const bool directory = existing == Kind::directory;
    s.answers(directory ? 0 : ENOTDIR, ::rmdir(there.c_str()), "rmdir" + what);
    if (directory) s.make(existing, there);
    s.answers(directory ? EISDIR : 0, ::unlink(there.c_str()), "unlink" + what);
    s.answers(directory ? 0 : ENOENT, ::unlinkat(AT_FDCWD, there.c_str(), AT_REMOVEDIR),
              "unlinkat with AT_REMOVEDIR" + what);
    s.equal(status_of(there).st_ino, 0U, "it is gone" + what);
  }
}

void attributes_of_the_new(Suite& s) {
  struct Maker {
    const char* name;
    std::function<int(const char*, mode_t)> make;
    mode_t type;
  };

  const std::vector<Maker> makers = {
      {"open",
       [](const char* p, mode_t m) {
         const int fd = ::open(p, O_CREAT | O_WRONLY, m);
         return fd < 0 ? -1 : ::close(fd);
       },
       S_IFREG},
      {"mknod of a file", [](const char* p, mode_t m) { return ::mknod(p, S_IFREG | m, 0); },
       S_IFREG},
      {"mkdir", [](const char* p, mode_t m) { return ::mkdir(p, m); }, S_IFDIR},
      {"mkfifo", [](const char* p, mode_t m) { return ::mkfifo(p, m); }, S_IFIFO},
      {"mknod of a socket", [](const char* p, mode_t m) { return ::mknod(p, S_IFSOCK | m, 0); },
       S_IFSOCK},
  };
  for (const Maker& maker : makers) {
    for (const mode_t mode : {0U, 0644U, 0777U, 0151U, 01777U, 04755U, 02711U}) {
      for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
        const std::string path = s.fresh();
        ::umask(mask);
        s.as_user([&] {
          s.ok(maker.make(path.c_str(), mode), fmt::format("{} with mode {:o}", maker.name, mode));
        });
        ::umask(0);
        const struct stat made = status_of(path);
        // mkdir takes the permission bits and the sticky one; the rest is kept elsewhere.
        const mode_t wanted = maker.type == S_IFDIR ? mode & 01777 : mode;
        s.equal(made.st_mode, maker.type | (wanted & ~mask),
                fmt::format("mode after {} with {:o} under umask {:o}", maker.name, mode, mask));
        if (mask != 0) continue;
        s.equal(made.st_uid, user_id, fmt::format("owner after {}", maker.name));
        s.equal(made.st_gid, user_group, fmt::format("group after {}", maker.name));
        s.equal(made.st_nlink, maker.type == S_IFDIR ? 2U : 1U,
                fmt::format("links after {}", maker.name));
        s.equal(maker.type == S_IFDIR ? 0 : made.st_size, 0,
                fmt::format("size after {}", maker.name));
      }
    }
  }
}

void setgid_directories(Suite& s) {
  const std::string parent = s.path("parent");
  s.make(Kind::directory, parent);
  s.ok(::chown(parent.c_str(), user_id, second_group + 7), "chown");
  s.ok(::chmod(parent.c_str(), 02777), "chmod");
  s.as_user([&] {
    s.ok(::mkdir((parent + "/d").c_str(), 0755), "mkdir");
    s.ok(::mkfifo((parent + "/p").c_str(), 0644), "mkfifo");
    s.ok(::symlink("x", (parent + "/l").c_str()), "symlink");
    ::close(::open((parent + "/f").c_str(), O_CREAT | O_WRONLY, 02755));
    ::close(::open((parent + "/g").c_str(), O_CREAT | O_WRONLY, 0644));
  });
  for (const char* name : {"/d", "/p", "/l", "/f", "/g"}) {
    s.equal(status_of(parent + name).st_gid, second_group + 7,
            fmt::format("{} has the directory's group", name));
    s.equal(status_of(parent + name).st_uid, user_id,
            fmt::format("{} has the caller as owner", name));
  }
  s.equal(status_of(parent + "/d").st_mode, S_IFDIR | 02755U, "a directory in it is setgid too");
  s.equal(status_of(parent + "/f").st_mode, S_IFREG | 0755U,
          "a file of a group one is not in loses setgid");
  s.equal(status_of(parent + "/g").st_mode, S_IFREG | 0644U, "a file is not made setgid");
  ::close(::open((parent + "/r").c_str(), O_CREAT | O_WRONLY, 02755));
  s.equal(status_of(parent + "/r").st_mode, S_IFREG | 02755U, "root keeps setgid");
}

void links(Suite& s) {
  for (const Kind kind :
       {Kind::file, Kind::fifo, Kind::socket, Kind::device, Kind::link, Kind::dangling}) {
    const std::string one = s.fresh();
    const std::string two = s.fresh();
    s.make(kind, one);
    const struct stat before = status_of(one);
    const std::string what = fmt::format(" of {}", name_of(kind));
    s.ok(::link(one.c_str(), two.c_str()), "link" + what);
    s.equal(status_of(two).st_ino, before.st_ino, "one inode" + what);
    s.equal(status_of(one).st_nlink, 2U, "two links" + what);
    s.equal(status_of(two).st_mode, before.st_mode, "same mode" + what);
    s.holds(status_of(one).st_ctim.tv_nsec != before.st_ctim.tv_nsec,
            "time of change set by link" + what);
    s.holds(status_of(one).st_mtim.tv_nsec == before.st_mtim.tv_nsec,
            "time of modification kept by link" + what);
    const struct stat linked = status_of(one);
    s.ok(::unlink(one.c_str()), "unlink" + what);
    s.equal(status_of(two).st_nlink, 1U, "one link left" + what);
    s.holds(status_of(two).st_ctim.tv_nsec != linked.st_ctim.tv_nsec,
            "time of change set by unlink" + what);
    s.ok(::unlink(two.c_str()), "unlink of the last" + what);
  }
  const std::string directory = s.fresh();
  s.make(Kind::directory, directory);
  s.fails(EPERM, ::link(directory.c_str(), s.fresh().c_str()), "link of a directory");
  const std::string file = s.fresh();
  const std::string to_file = s.fresh();
  s.make(Kind::file, file);
  s.ok(::symlink(file.c_str(), to_file.c_str()), "symlink");
  const std::string followed = s.fresh();
  s.ok(::linkat(AT_FDCWD, to_file.c_str(), AT_FDCWD, followed.c_str(), AT_SYMLINK_FOLLOW),
       "linkat that follows");
  s.equal(status_of(followed).st_ino, status_of(file).st_ino, "it leads to the file");
  const std::string kept = s.fresh();
  s.ok(::linkat(AT_FDCWD, to_file.c_str(), AT_FDCWD, kept.c_str(), 0), "linkat that does not");
  s.holds(S_ISLNK(status_of(kept).st_mode), "it is the symlink");
  s.fails(EINVAL, ::linkat(AT_FDCWD, file.c_str(), AT_FDCWD, s.fresh().c_str(), 1 << 20),
          "linkat with an unknown flag");
  s.fails(EINVAL, ::unlinkat(AT_FDCWD, file.c_str(), 1 << 20), "unlinkat with an unknown flag");
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const std::string by_fd = s.fresh();
  s.ok(::linkat(fd, "", AT_FDCWD, by_fd.c_str(), AT_EMPTY_PATH), "linkat of a descriptor");
  s.equal(status_of(by_fd).st_ino, status_of(file).st_ino, "it leads to the file");
  ::close(fd);
}

void symlinks(Suite& s) {
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{2}, std::size_t{59}, std::size_t{60}, std::size_t{255},
        std::size_t{1024}, std::size_t{4094}, std::size_t{4095}}) {
    const std::string path = s.fresh();
    const std::string target(length, 't');
    s.ok(::symlink(target.c_str(), path.c_str()), fmt::format("a target of {} bytes", length));
    s.equal(status_of(path).st_size, static_cast<off_t>(length), "its size");
    s.equal(status_of(path).st_mode, S_IFLNK | 0777U, "its mode");
    std::string read(5000, '\0');
    const ssize_t got = ::readlink(path.c_str(), read.data(), read.size());
    s.equal(got, static_cast<ssize_t>(length), "readlink");
    s.holds(read.substr(0, length) == target, "the target");
    s.equal(::readlink(path.c_str(), read.data(), 1), 1, "readlink cuts off");
  }
  s.fails(ENAMETOOLONG, ::symlink(std::string(4096, 't').c_str(), s.fresh().c_str()),
          "a target of 4096 bytes");
  s.fails(ENOENT, ::symlink("", s.fresh().c_str()), "an empty target");
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::device}) {
    const std::string path = s.fresh();
    s.make(kind, path);
    std::array<char, 8> bytes{};
    s.fails(EINVAL, ::readlink(path.c_str(), bytes.data(), bytes.size()),
            fmt::format("readlink of {}", name_of(kind)));
  }
  std::string last = s.fresh();
  s.make(Kind::file, last);
  for (int i = 1; i <= 41; ++i) {
    const std::string next = s.fresh();
    s.ok(::symlink(last.c_str(), next.c_str()), "a chain");
    const int fd = ::open(next.c_str(), O_RDONLY | O_CLOEXEC);
    s.answers(i <= 40 ? 0 : ELOOP, fd, fmt::format("open through {} symlinks", i));
    if (fd >= 0) ::close(fd);
    last = next;
  }
}

void any_bytes(Suite& s) {
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/' || byte == '.') continue;
    const std::string path = s.path(std::string(1, static_cast<char>(byte)));
    s.ok(::mkfifo(path.c_str(), 0644), fmt::format("a name of the byte {}", byte));
    s.holds(status_of(path).st_ino != 0, fmt::format("lookup of the byte {}", byte));
  }
  for (const std::size_t length : {std::size_t{1}, std::size_t{2}, std::size_t{127},
                                   std::size_t{128}, std::size_t{254}, std::size_t{255}}) {
    const std::string path = s.path(std::string(length, '\xc3'));
    s.answers(length == 1 ? EEXIST : 0, ::mkdir(path.c_str(), 0755),
              fmt::format("a name of {} bytes", length));
  }
}

void devices(Suite& s) {
  for (const auto& [major, minor] : std::vector<std::pair<unsigned, unsigned>>{
           {0, 0}, {1, 3}, {8, 255}, {8, 256}, {4095, 1048575}, {511, 70000}}) {
    for (const mode_t type : {static_cast<mode_t>(S_IFCHR), static_cast<mode_t>(S_IFBLK)}) {
      const std::string path = s.fresh();
      s.ok(::mknod(path.c_str(), type | 0600, makedev(major, minor)), "mknod of a device");
      s.equal(status_of(path).st_rdev, makedev(major, minor),
              fmt::format("number {}:{}", major, minor));
      s.equal(status_of(path).st_mode, type | 0600, "type and mode");
      s.equal(status_of(path).st_size, 0, "size");
    }
  }
  const std::string null = s.fresh();
  s.ok(::mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)), "mknod of the null device");
  const int fd = ::open(null.c_str(), O_RDWR | O_CLOEXEC);
  s.ok(fd, "open of it");
  s.equal(::write(fd, "x", 1), 1, "it takes what is written");
  ::close(fd);
  s.as_user([&] {
    s.fails(EPERM, ::mknod(s.fresh().c_str(), S_IFCHR | 0600, makedev(1, 3)),
            "a character device by a user");
    s.fails(EPERM, ::mknod(s.fresh().c_str(), S_IFBLK | 0600, makedev(8, 0)),
            "a block device by a user");
    s.ok(::mknod(s.fresh().c_str(), S_IFCHR | 0600, 0), "a whiteout by a user");
    s.ok(::mknod(s.fresh().c_str(), S_IFIFO | 0600, 0), "a fifo by a user");
  });
  s.fails(EPERM, ::mknod(s.fresh().c_str(), S_IFDIR | 0700, 0), "mknod of a directory");
  s.fails(EINVAL, ::mknod(s.fresh().c_str(), S_IFLNK | 0700, 0), "mknod of a symlink");
}

}  // namespace

void name_groups(std::vector<Group>& groups) {
  groups.push_back({"making", making});
  groups.push_back({"attributes_of_the_new", attributes_of_the_new});
  groups.push_back({"setgid_directories", setgid_directories});
  groups.push_back({"links", links});
  groups.push_back({"symlinks", symlinks});
  groups.push_back({"any_bytes", any_bytes});
  groups.push_back({"devices", devices});
}

}  // namespace artfs::posix
