// SPDX-License-Identifier: Apache-2.0
// Which times each call sets: of what it works on and of the directory it is in.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

// What may change: time of modification and of change, of the object and of its directory.
struct Effects {
  bool object_modified = false;
  bool object_changed = false;
  bool parent_changed = false;  // both of its times
};

struct TimedCall {
  const char* name;
  Kind kind;
  std::function<std::int64_t(const std::string& path)> call;
  Effects effects;
};

template <typename Action>
std::int64_t with_file(const std::string& path, const Action& action) {
  const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  return action(file.get());
}

std::int64_t map_and_write(int fd) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -1;
  static_cast<char*>(memory)[0] = 'm';
  const int done = ::msync(memory, 4096, MS_SYNC);
  ::munmap(memory, 4096);
  return done;
}

constexpr Effects nothing{};
constexpr Effects changed{.object_changed = true};
constexpr Effects written{.object_modified = true, .object_changed = true};
constexpr Effects in_directory{.parent_changed = true};
constexpr Effects renamed{.object_changed = true, .parent_changed = true};

std::vector<TimedCall> byte_calls_timed() {
  using Path = const std::string&;
  return {
      {"stat", Kind::file,
       [](Path p) {
         struct stat t {};
         return ::stat(p.c_str(), &t);
       },
       nothing},
      {"open and close", Kind::file, [](Path p) { return with_file(p, [](int fd) { return fd; }); },
       nothing},
      {"open with O_TRUNC", Kind::file,
       [](Path p) { return ::close(::open(p.c_str(), O_RDWR | O_TRUNC)); }, written},
      {"open with O_CREAT", Kind::file,
       [](Path p) { return ::close(::open(p.c_str(), O_RDWR | O_CREAT, 0600)); }, nothing},
      {"write", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::write(fd, "x", 1); }); }, written},
      {"write of nothing", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::write(fd, "x", 0); }); }, nothing},
      {"pwrite far behind the end", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::pwrite(fd, "x", 1, 1 << 20); }); },
       written},
      {"read", Kind::file,
       [](Path p) {
         return with_file(p, [](int fd) {
           char b = 0;
           return ::read(fd, &b, 1);
         });
       },
       nothing},
      {"lseek", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::lseek(fd, 5, SEEK_SET); }); },
       nothing},
      {"fsync", Kind::file, [](Path p) { return with_file(p, [](int fd) { return ::fsync(fd); }); },
       nothing},
      {"ftruncate to less", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::ftruncate(fd, 1); }); }, written},
      {"ftruncate to more", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::ftruncate(fd, 9999); }); }, written},
      {"truncate to less", Kind::file, [](Path p) { return ::truncate(p.c_str(), 1); }, written},
      {"truncate to more", Kind::file, [](Path p) { return ::truncate(p.c_str(), 100); }, written},
      {"fallocate", Kind::file,
       [](Path p) { return with_file(p, [](int fd) { return ::fallocate(fd, 0, 0, 9000); }); },
       written},
      {"a write to a mapping", Kind::file, [](Path p) { return with_file(p, map_and_write); },
       written},
      {"copy_file_range from it", Kind::file,
       [](Path p) {
         return with_file(p, [&p](int fd) {
           const base::UniqueFd to(::open((p + ".to").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
           return ::copy_file_range(fd, nullptr, to.get(), nullptr, 4, 0);
         });
       },
       in_directory},
      {"copy_file_range to it", Kind::file,
       [](Path p) {
         return with_file(p, [](int fd) {
           loff_t from = 0;
           loff_t to = 4;
           return ::copy_file_range(fd, &from, fd, &to, 4, 0);
         });
       },
       written},
  };
}

std::vector<TimedCall> attribute_calls_timed() {
  using Path = const std::string&;
  return {
      {"chmod", Kind::file, [](Path p) { return ::chmod(p.c_str(), 0600); }, changed},
      {"chmod to the same", Kind::file, [](Path p) { return ::chmod(p.c_str(), 0644); }, changed},
      {"chmod of a directory", Kind::directory, [](Path p) { return ::chmod(p.c_str(), 0700); },
       changed},
      {"chmod of a fifo", Kind::fifo, [](Path p) { return ::chmod(p.c_str(), 0700); }, changed},
      {"chown", Kind::file, [](Path p) { return ::chown(p.c_str(), 7, 7); }, changed},
      {"chown to the same", Kind::file, [](Path p) { return ::chown(p.c_str(), 0, 0); }, changed},
      {"chown to nobody", Kind::file,
       [](Path p) { return ::chown(p.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(-1)); },
       changed},
      {"lchown of a symlink", Kind::dangling, [](Path p) { return ::lchown(p.c_str(), 7, 7); },
       changed},
      {"chown of a directory", Kind::directory, [](Path p) { return ::chown(p.c_str(), 7, 7); },
       changed},
      {"utimensat now", Kind::file,
       [](Path p) { return ::utimensat(AT_FDCWD, p.c_str(), nullptr, 0); }, written},
      {"utimensat of the time of access", Kind::file,
       [](Path p) {
         const timespec t[2] = {{1, 1}, {0, UTIME_OMIT}};
         return ::utimensat(AT_FDCWD, p.c_str(), t, 0);
       },
       changed},
      {"utimensat of neither", Kind::file,
       [](Path p) {
         const timespec t[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
         return ::utimensat(AT_FDCWD, p.c_str(), t, 0);
       },
       nothing},
      {"setxattr", Kind::file, [](Path p) { return ::setxattr(p.c_str(), "user.x", "1", 1, 0); },
       changed},
      {"setxattr of a directory", Kind::directory,
       [](Path p) { return ::setxattr(p.c_str(), "user.x", "1", 1, 0); }, changed},
      {"setxattr that fails", Kind::file,
       [](Path p) { return ::setxattr(p.c_str(), "user.x", "1", 1, XATTR_REPLACE) == 0 ? -1 : 0; },
       nothing},
      {"getxattr", Kind::file,
       [](Path p) { return ::getxattr(p.c_str(), "user.none", nullptr, 0) < 0 ? 0 : -1; }, nothing},
      {"listxattr", Kind::file, [](Path p) { return ::listxattr(p.c_str(), nullptr, 0); }, nothing},
      {"access", Kind::file, [](Path p) { return ::access(p.c_str(), R_OK); }, nothing},
      {"readlink", Kind::dangling,
       [](Path p) {
         char b[9];
         return ::readlink(p.c_str(), b, 9);
       },
       nothing},
  };
}

std::vector<TimedCall> name_calls_timed() {
  using Path = const std::string&;
  return {
      {"mkdir beside", Kind::file, [](Path p) { return ::mkdir((p + ".new").c_str(), 0700); },
       in_directory},
      {"mkfifo beside", Kind::file, [](Path p) { return ::mkfifo((p + ".new").c_str(), 0700); },
       in_directory},
      {"symlink beside", Kind::file, [](Path p) { return ::symlink("x", (p + ".new").c_str()); },
       in_directory},
      {"creat beside", Kind::file,
       [](Path p) { return ::close(::creat((p + ".new").c_str(), 0700)); }, in_directory},
      {"link", Kind::file, [](Path p) { return ::link(p.c_str(), (p + ".new").c_str()); }, renamed},
      {"rename", Kind::file,
       [](Path p) {
         return ::rename(p.c_str(), (p + ".x").c_str()) < 0
                    ? -1
                    : ::rename((p + ".x").c_str(), p.c_str());
       },
       renamed},
      {"rename of a directory", Kind::directory,
       [](Path p) {
         return ::rename(p.c_str(), (p + ".x").c_str()) < 0
                    ? -1
                    : ::rename((p + ".x").c_str(), p.c_str());
       },
       renamed},
      {"link and unlink", Kind::file,
       [](Path p) {
         return ::link(p.c_str(), (p + ".y").c_str()) < 0 ? -1 : ::unlink((p + ".y").c_str());
       },
       renamed},
      {"mkdir in it", Kind::directory, [](Path p) { return ::mkdir((p + "/d").c_str(), 0700); },
       written},
      {"mkdir and rmdir in it", Kind::directory,
       [](Path p) {
         return ::mkdir((p + "/d").c_str(), 0700) < 0 ? -1 : ::rmdir((p + "/d").c_str());
       },
       written},
      {"creat and unlink in it", Kind::directory,
       [](Path p) {
         return ::close(::creat((p + "/f").c_str(), 0700)) < 0 ? -1 : ::unlink((p + "/f").c_str());
       },
       written},
      {"lookup in it", Kind::directory,
       [](Path p) {
         struct stat t {};
         return ::stat((p + "/none").c_str(), &t) == 0 ? -1 : 0;
       },
       nothing},
  };
}

bool same(const timespec& one, const timespec& two) {
  return one.tv_sec == two.tv_sec && one.tv_nsec == two.tv_nsec;
}

void check_times(Suite& s, const std::vector<TimedCall>& calls) {
  for (const TimedCall& call : calls) {
    if (std::string_view(call.name) == "chown to nobody" && !s.has_empty_chown()) continue;
    const std::string directory = s.fresh();
    s.make(Kind::directory, directory);
    const std::string path = directory + "/object";
    s.make(call.kind, path);
    const struct stat object = status_of(path);
    const struct stat parent = status_of(directory);
    s.ok(call.call(path), call.name);
    const struct stat object_after = status_of(path);
    const struct stat parent_after = status_of(directory);
    const auto check = [&](bool expected, const timespec& before, const timespec& after,
                           const char* which) {
      s.equal(!same(before, after), expected, fmt::format("{}: {} is set", call.name, which));
      s.holds(!expected || after.tv_sec > before.tv_sec || after.tv_nsec > before.tv_nsec,
              fmt::format("{}: {} goes forward", call.name, which));
    };
    check(call.effects.object_modified, object.st_mtim, object_after.st_mtim,
          "its time of modification");
    check(call.effects.object_changed, object.st_ctim, object_after.st_ctim, "its time of change");
    check(call.effects.parent_changed, parent.st_mtim, parent_after.st_mtim,
          "the directory's time of modification");
    check(call.effects.parent_changed, parent.st_ctim, parent_after.st_ctim,
          "the directory's time of change");
    s.holds(!call.effects.object_modified || same(object_after.st_mtim, object_after.st_ctim),
            fmt::format("{}: both times are one", call.name));
  }
}

void times_of_calls(Suite& s) {
  check_times(s, byte_calls_timed());
  check_times(s, attribute_calls_timed());
  check_times(s, name_calls_timed());
}

void set_times(Suite& s) {
  constexpr std::array<time_t, 9> seconds = {0,
                                             1,
                                             -1,
                                             1'000'000'000,
                                             2'147'483'647,
                                             2'147'483'648,
                                             4'294'967'296,
                                             15'032'385'534,
                                             -2'147'483'647};
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::dangling}) {
    const std::string path = s.fresh();
    s.make(kind, path);
    for (const time_t second : seconds) {
      for (const long ns : {0L, 1L, 999'999'999L}) {
        const timespec wanted[2] = {{second, ns}, {second + 0, 999'999'999L - ns}};
        const std::string what = fmt::format("{}.{} of {}", second, ns, name_of(kind));
        s.ok(::utimensat(AT_FDCWD, path.c_str(), wanted, AT_SYMLINK_NOFOLLOW), "utimensat " + what);
        const struct stat got = status_of(path);
        s.holds(same(got.st_atim, wanted[0]), "time of access " + what);
        s.holds(same(got.st_mtim, wanted[1]), "time of modification " + what);
      }
    }
  }
  const std::string path = s.fresh();
  s.make(Kind::file, path);
  for (const long bad : {-1L, 1'000'000'000L, 2'000'000'000L}) {
    const timespec wrong[2] = {{1, bad}, {1, 0}};
    s.fails(EINVAL, ::utimensat(AT_FDCWD, path.c_str(), wrong, 0), fmt::format("{} ns", bad));
  }
}

// Who may set times: the owner anything, who may write only "now".
void right_to_set_times(Suite& s) {
  const timespec given[2] = {{1000, 5}, {2000, 6}};
  const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  const timespec one_now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  const timespec neither[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  for (const bool owner : {true, false}) {
    for (const mode_t mode : {0444U, 0666U}) {
      const std::string path = s.fresh();
      s.make(Kind::file, path);
      s.ok(::chmod(path.c_str(), mode), "chmod");
      if (owner) s.ok(::chown(path.c_str(), user_id, user_group), "chown");
      const int set = owner ? 0 : EPERM;
      const int touch = owner || mode == 0666 ? 0 : EACCES;
      const std::string what =
          fmt::format(" {}, mode {:o}", owner ? "by the owner" : "by another", mode);
      s.as_user([&] {
        s.answers(set, ::utimensat(AT_FDCWD, path.c_str(), given, 0), "given times" + what);
        s.answers(touch, ::utimensat(AT_FDCWD, path.c_str(), now, 0), "both now" + what);
        s.answers(touch, ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0), "no times" + what);
        s.answers(set, ::utimensat(AT_FDCWD, path.c_str(), one_now, 0), "one now, one left" + what);
        s.answers(0, ::utimensat(AT_FDCWD, path.c_str(), neither, 0), "both left" + what);
      });
    }
  }
}

}  // namespace

void time_groups(std::vector<Group>& groups) {
  groups.push_back({"times_of_calls", times_of_calls});
  groups.push_back({"set_times", set_times});
  groups.push_back({"right_to_set_times", right_to_set_times});
}

}  // namespace artfs::posix
