// SPDX-License-Identifier: Apache-2.0
// Permission bits for owner, group and others; what takes suid and sgid away.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

struct Class {
  const char* name;
  uid_t owner;
  gid_t group;
  unsigned shift;  // of its bits in a mode
};

constexpr std::array<Class, 4> classes = {
    Class{"the owner", user_id, 1, 6}, Class{"the group", 1, user_group, 3},
    Class{"a further group", 1, second_group, 3}, Class{"others", 1, 1, 0}};

std::int64_t opened(const std::string& path, int flags) {
  const base::UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
  return file ? 0 : -1;
}

// The class's own bits decide, also when another class may more.
void file_rights(Suite& s) {
  for (const Class& who : classes) {
    for (mode_t bits = 0; bits < 8; ++bits) {
      for (const mode_t rest : {0U, 0777U}) {
        const std::string path = s.fresh();
        s.make(Kind::file, path);
        const mode_t mode = (rest & ~(7U << who.shift)) | (bits << who.shift);
        s.ok(::chown(path.c_str(), who.owner, who.group), "chown");
        s.ok(::chmod(path.c_str(), mode), "chmod");
        const std::string what = fmt::format(" by {}, mode {:03o}", who.name, mode);
        const int read = (bits & 4) != 0 ? 0 : EACCES;
        const int write = (bits & 2) != 0 ? 0 : EACCES;
        const int both = (bits & 6) == 6 ? 0 : EACCES;
        const int execute = (bits & 1) != 0 ? 0 : EACCES;
        s.as_user([&] {
          s.answers(read, opened(path, O_RDONLY), "open to read" + what);
          s.answers(write, opened(path, O_WRONLY), "open to write" + what);
          s.answers(both, opened(path, O_RDWR), "open for both" + what);
          s.answers(write, opened(path, O_WRONLY | O_TRUNC), "open with O_TRUNC" + what);
          s.answers(write, ::truncate(path.c_str(), 3), "truncate" + what);
          s.answers(execute, ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS),
                    "execution" + what);
          s.answers(read == 0 ? ENODATA : EACCES, ::getxattr(path.c_str(), "user.x", nullptr, 0),
                    "getxattr" + what);
          s.answers(write, ::setxattr(path.c_str(), "user.y", "", 0, 0), "setxattr" + what);
        });
      }
    }
  }
}

void directory_rights(Suite& s) {
  for (const Class& who : classes) {
    for (mode_t bits = 0; bits < 8; ++bits) {
      const std::string path = s.fresh();
      s.make(Kind::directory, path);
      s.make(Kind::file, path + "/file");
      s.make(Kind::file, path + "/doomed");
      const mode_t mode = (0777U & ~(7U << who.shift)) | (bits << who.shift);
      s.ok(::chown(path.c_str(), who.owner, who.group), "chown");
      s.ok(::chmod(path.c_str(), mode), "chmod");
      const std::string what = fmt::format(" by {}, mode {:03o}", who.name, mode);
      const int list = (bits & 4) != 0 ? 0 : EACCES;
      const int search = (bits & 1) != 0 ? 0 : EACCES;
      const int change = (bits & 3) == 3 ? 0 : EACCES;
      s.as_user([&] {
        s.answers(list, opened(path, O_RDONLY | O_DIRECTORY), "listing" + what);
        s.answers(search, opened(path + "/file", O_RDONLY), "search" + what);
        s.answers(change, opened(path + "/made", O_CREAT | O_WRONLY), "creat" + what);
        s.answers(change, ::mkdir((path + "/sub").c_str(), 0700), "mkdir" + what);
        s.answers(change, ::symlink("x", (path + "/link").c_str()), "symlink" + what);
        s.answers(change, ::rename((path + "/file").c_str(), (path + "/renamed").c_str()),
                  "rename" + what);
        s.answers(change, ::unlink((path + "/doomed").c_str()), "unlink" + what);
        const int there = ::chdir(path.c_str());
        s.answers(search, there, "chdir" + what);
      });
      s.ok(::chdir("/"), "chdir");
    }
  }
}

// Who may give a file away.
void ownership(Suite& s) {
  constexpr auto keep = static_cast<uid_t>(-1);

  struct Wish {
    uid_t user;
    gid_t group;
    int of_own;  // the user's file, group user_group
  };

  constexpr std::array<Wish, 8> wishes = {Wish{keep, keep, 0},
                                          Wish{user_id, keep, 0},
                                          Wish{keep, user_group, 0},
                                          Wish{keep, second_group, 0},
                                          Wish{keep, 77, EPERM},
                                          Wish{0, keep, EPERM},
                                          Wish{user_id, second_group, 0},
                                          Wish{0, user_group, EPERM}};
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::dangling}) {
    for (const Wish& wish : wishes) {
      const std::string own = s.fresh();
      const std::string other = s.fresh();
      s.make(kind, own);
      s.make(kind, other);
      s.ok(::lchown(own.c_str(), user_id, user_group), "lchown");
      const std::string what = fmt::format(" to {}:{} of {}", static_cast<int>(wish.user),
                                           static_cast<int>(wish.group), name_of(kind));
      const bool nothing = wish.user == keep && wish.group == keep;
      s.as_user([&] {
        s.answers(wish.of_own, ::lchown(own.c_str(), wish.user, wish.group),
                  "lchown of one's own" + what);
        s.answers(nothing ? 0 : EPERM, ::lchown(other.c_str(), wish.user, wish.group),
                  "lchown of another's" + what);
      });
      const struct stat after = status_of(own);
      const bool group_set = wish.of_own == 0 && wish.group != keep;
      s.equal(after.st_uid, user_id, "owner after lchown" + what);
      s.equal(after.st_gid, group_set ? wish.group : user_group, "group after lchown" + what);
      s.equal(status_of(other).st_uid, 0U, "the other's owner" + what);
    }
  }
}

struct Shedding {
  const char* name;
  std::function<std::int64_t(int fd, const std::string& path)> change;
  bool by_root;  // takes suid and sgid away also when root does it
};

std::vector<Shedding> sheddings() {
  using Path = const std::string&;
  return {
      {"write", [](int fd, Path) { return ::write(fd, "x", 1); }, false},
      {"pwrite", [](int fd, Path) { return ::pwrite(fd, "x", 1, 9000); }, false},
      {"ftruncate", [](int fd, Path) { return ::ftruncate(fd, 3); }, false},
      {"truncate", [](int, Path p) { return ::truncate(p.c_str(), 3); }, false},
      {"open with O_TRUNC", [](int, Path p) { return opened(p, O_WRONLY | O_TRUNC); }, false},
      {"fallocate", [](int fd, Path) { return ::fallocate(fd, 0, 0, 10000); }, false},
      {"copy_file_range",
       [](int fd, Path) {
         loff_t from = 0;
         loff_t to = 4;
         return ::copy_file_range(fd, &from, fd, &to, 4, 0);
       },
       false},
      {"chown of the group",
       [](int, Path p) { return ::chown(p.c_str(), static_cast<uid_t>(-1), user_group); }, true},
      {"chown to nobody",
       [](int, Path p) {
         return ::chown(p.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(-1));
       },
       true},
      {"read",
       [](int fd, Path) {
         char b = 0;
         return ::pread(fd, &b, 1, 0);
       },
       false},
      {"utimensat", [](int, Path p) { return ::utimensat(AT_FDCWD, p.c_str(), nullptr, 0); },
       false},
  };
}

void shed_privileges(Suite& s) {
  for (const Shedding& shedding : sheddings()) {
    const std::string name = shedding.name;
    if (name == "chown to nobody" && !s.has_empty_chown()) continue;
    if (name == "fallocate" && !s.has_shedding_fallocate()) continue;
    const bool harmless = name == "read" || name == "utimensat";
    for (const mode_t mode : {04755U, 02755U, 06777U, 04644U, 0755U, 01755U}) {
      for (const bool root : {true, false}) {
        const std::string path = s.fresh();
        s.make(Kind::file, path);
        s.ok(::chown(path.c_str(), user_id, user_group), "chown");
        s.ok(::chmod(path.c_str(), mode), "chmod");
        const auto act = [&] {
          const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
          s.ok(shedding.change(file.get(), path), name);
        };
        if (root) {
          act();
        } else {
          s.as_user(act);
        }
        const bool sheds = !harmless && (!root || shedding.by_root);
        const mode_t taken = sheds ? ((mode & 010U) != 0 ? 06000U : 04000U) : 0U;
        s.equal(status_of(path).st_mode & 07777, mode & ~taken,
                fmt::format("mode {:o} after {} by {}", mode, name, root ? "root" : "the owner"));
      }
    }
  }
}

// chmod by an owner who is not in the file's group may not set sgid.
void setting_modes(Suite& s) {
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::socket}) {
    for (const mode_t mode : {0U, 0777U, 01777U, 02770U, 04711U, 07777U, 0101U}) {
      const std::string path = s.fresh();
      s.make(kind, path);
      s.ok(::chmod(path.c_str(), mode), "chmod by root");
      s.equal(status_of(path).st_mode & 07777, mode,
              fmt::format("mode {:o} of {} by root", mode, name_of(kind)));
      s.ok(::chown(path.c_str(), user_id, 77), "chown");
      s.as_user([&] { s.ok(::chmod(path.c_str(), mode), "chmod by the owner"); });
      s.equal(status_of(path).st_mode & 07777, mode & ~02000U,
              fmt::format("mode {:o} of {} by the owner, of a group not his", mode, name_of(kind)));
      s.ok(::chown(path.c_str(), user_id, second_group), "chown");
      s.as_user([&] { s.ok(::chmod(path.c_str(), mode), "chmod by the owner"); });
      s.equal(status_of(path).st_mode & 07777, mode,
              fmt::format("mode {:o} of {} by the owner, of a group of his", mode, name_of(kind)));
    }
  }
}

}  // namespace

void right_groups(std::vector<Group>& groups) {
  groups.push_back({"file_rights", file_rights});
  groups.push_back({"directory_rights", directory_rights});
  groups.push_back({"ownership", ownership});
}

void privilege_groups(std::vector<Group>& groups) {
  groups.push_back({"shed_privileges", shed_privileges});
  groups.push_back({"setting_modes", setting_modes});
}

}  // namespace artfs::posix
