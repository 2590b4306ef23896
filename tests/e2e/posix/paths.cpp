// SPDX-License-Identifier: Apache-2.0
// Every call that takes a path, with every way in which a path can be wrong.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

struct PathCall {
  const char* name;
  std::function<std::int64_t(const char*)> call;
  bool makes = false;    // the last component shall not exist
  bool follows = true;   // a symlink at the end
  bool of_file = false;  // wants no directory at the end
};

std::int64_t opened(int fd) {
  if (fd < 0) return -1;
  ::close(fd);
  return 0;
}

// `other` is an existing file, for calls with two paths; `free` a name that is free.
std::vector<PathCall> path_calls(const std::string& other, const std::string& free) {
  return {
      {"open", [](const char* p) { return opened(::open(p, O_RDONLY | O_NONBLOCK)); }},
      {"open O_CREAT", [](const char* p) { return opened(::open(p, O_CREAT | O_RDWR, 0644)); },
       true},
      {"creat", [](const char* p) { return opened(::creat(p, 0644)); }, true},
      {"mkdir", [](const char* p) { return ::mkdir(p, 0755); }, true, false},
      {"mkfifo", [](const char* p) { return ::mkfifo(p, 0644); }, true, false},
      {"mknod", [](const char* p) { return ::mknod(p, S_IFREG | 0644, 0); }, true, false},
      {"symlink", [](const char* p) { return ::symlink("x", p); }, true, false},
      {"link (new)", [other](const char* p) { return ::link(other.c_str(), p); }, true, false},
      {"link (old)", [free](const char* p) { return ::link(p, free.c_str()); }, false, false, true},
      {"rename (old)", [free](const char* p) { return ::rename(p, free.c_str()); }, false, false},
      {"rename (new)", [other](const char* p) { return ::rename(other.c_str(), p); }, true, false},
      {"unlink", [](const char* p) { return ::unlink(p); }, false, false, true},
      {"rmdir", [](const char* p) { return ::rmdir(p); }, false, false},
      {"chmod", [](const char* p) { return ::chmod(p, 0700); }},
      {"chown", [](const char* p) { return ::chown(p, 1, 1); }},
      {"lchown", [](const char* p) { return ::lchown(p, 1, 1); }, false, false},
      {"truncate", [](const char* p) { return ::truncate(p, 1); }, false, true, true},
      {"utimensat", [](const char* p) { return ::utimensat(AT_FDCWD, p, nullptr, 0); }},
      {"stat",
       [](const char* p) {
         struct stat s {};
         return ::stat(p, &s);
       }},
      {"lstat",
       [](const char* p) {
         struct stat s {};
         return ::lstat(p, &s);
       },
       false, false},
      {"statfs",
       [](const char* p) {
         struct statfs s {};
         return ::statfs(p, &s);
       }},
      {"faccessat", [](const char* p) { return ::faccessat(AT_FDCWD, p, F_OK, AT_EACCESS); }},
      {"chdir", [](const char* p) { return ::chdir(p); }},
      {"readlink",
       [](const char* p) {
         char b[8];
         return ::readlink(p, b, 8) < 0 ? -1 : 0;
       },
       false, false},
      {"setxattr", [](const char* p) { return ::setxattr(p, "user.x", "", 0, 0); }},
      {"getxattr", [](const char* p) { return ::getxattr(p, "user.x", nullptr, 0); }},
      {"listxattr", [](const char* p) { return ::listxattr(p, nullptr, 0); }},
      {"removexattr", [](const char* p) { return ::removexattr(p, "user.x"); }},
      {"name_to_handle_at",
       [](const char* p) {
         alignas(file_handle) char memory[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
         auto* handle = reinterpret_cast<file_handle*>(memory);
         handle->handle_bytes = MAX_HANDLE_SZ;
         int mount = 0;
         return ::name_to_handle_at(AT_FDCWD, p, handle, &mount, 0);
       },
       false, false},
  };
}

struct BadPath {
  const char* what;
  std::string path;
  int error;
};

void wrong_paths(Suite& s) {
  const std::string file = s.path("file");
  const std::string loop = s.path("loop");
  s.make(Kind::file, file);
  s.ok(::symlink("loop", loop.c_str()), "a symlink to itself");
  const std::string deep = s.path(std::string(4096, '/') + "x");
  const std::vector<BadPath> bad = {
      {"a missing component", s.path("missing/x"), ENOENT},
      {"an empty path", "", ENOENT},
      {"a file as a component", file + "/x", ENOTDIR},
      {"a component of 256 bytes", s.path(std::string(256, 'n') + "/x"), ENAMETOOLONG},
      {"a last component of 256 bytes", s.path(std::string(256, 'n')), ENAMETOOLONG},
      {"a path of PATH_MAX bytes", deep, ENAMETOOLONG},
      {"a loop of symlinks as a component", loop + "/x", ELOOP},
      {"'..' behind a file", file + "/../x", ENOTDIR},
      {"'.' behind a file", file + "/./x", ENOTDIR},
  };
  const std::string other = s.path("other");
  s.make(Kind::file, other);
  for (const PathCall& call : path_calls(other, s.path("free"))) {
    const struct stat before = status_of(s.path(""));
    for (const BadPath& path : bad) {
      s.fails(path.error, call.call(path.path.c_str()),
              fmt::format("{} with {}", call.name, path.what));
    }
    if (!call.makes) {
      s.fails(ENOENT, call.call(s.path("missing").c_str()),
              fmt::format("{} of what is not there", call.name));
    }
    s.fails(EFAULT, call.call(reinterpret_cast<const char*>(8)),
            fmt::format("{} with a wild pointer", call.name));
    const struct stat after = status_of(s.path(""));
    s.holds(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
                before.st_ctim.tv_nsec == after.st_ctim.tv_nsec,
            fmt::format("{} that failed leaves the directory's times", call.name));
    if (call.follows)
      s.fails(ELOOP, call.call(loop.c_str()), fmt::format("{} of a loop of symlinks", call.name));
  }
}

void trailing_slashes(Suite& s) {
  const std::string other = s.path("other");
  for (const PathCall& call : path_calls(other, s.path("free"))) {
    if (call.makes) continue;
    s.make(Kind::file, other);
    const std::string file = s.fresh();
    s.make(Kind::file, file);
    s.fails(ENOTDIR, call.call((file + "/").c_str()),
            fmt::format("{} of a file with a slash behind it", call.name));
    s.fails(ENOTDIR, call.call((file + "/.").c_str()),
            fmt::format("{} of a file with '/.' behind it", call.name));
    s.holds(status_of(file).st_ino != 0, fmt::format("{}: the file is still there", call.name));
  }
  const std::string file = s.path("file");
  s.make(Kind::file, file);
  s.ok(::mkdir((s.path("made") + "/").c_str(), 0755), "mkdir with a slash at the end");
  s.ok(::rmdir((s.path("made") + "/").c_str()), "rmdir with a slash at the end");
  s.fails(EISDIR, ::open((s.path("none") + "/").c_str(), O_CREAT | O_RDWR, 0644),
          "creating a file with a slash at the end");
  s.fails(ENOENT, ::mknod((s.path("none") + "/").c_str(), S_IFREG | 0644, 0),
          "mknod with a slash at the end");
  s.fails(ENOENT, ::symlink("x", (s.path("none") + "/").c_str()),
          "symlink with a slash at the end");
  s.fails(ENOENT, ::link(file.c_str(), (s.path("none") + "/").c_str()),
          "link with a slash at the end");
  s.fails(ENOTDIR, ::rename(file.c_str(), (s.path("none") + "/").c_str()),
          "rename of a file to a name with a slash");
  s.ok(::mkdir(s.path("directory").c_str(), 0755), "mkdir");
  s.ok(::rename(s.path("directory").c_str(), (s.path("moved") + "/").c_str()),
       "rename of a directory to a name with a slash");
  s.fails(EINVAL, ::rmdir((s.path("moved") + "/.").c_str()), "rmdir of '.'");
  s.fails(ENOTEMPTY, ::rmdir((s.path("moved") + "/..").c_str()), "rmdir of '..'");
  s.fails(EBUSY, ::rename((s.path("moved") + "/.").c_str(), s.path("no").c_str()), "rename of '.'");
  s.fails(EBUSY, ::rename((s.path("moved") + "/..").c_str(), s.path("no").c_str()),
          "rename of '..'");
  s.fails(EISDIR, ::unlink((s.path("moved") + "/.").c_str()), "unlink of '.'");
}

// The directories above are searched with the caller's rights.
void search_rights(Suite& s) {
  const std::string closed = s.path("closed");
  s.ok(::mkdir(closed.c_str(), 0755), "mkdir");
  const std::string inside = closed + "/inside";
  const std::string other = s.path("other");
  s.make(Kind::file, inside);
  s.make(Kind::file, other);
  s.ok(::chown(other.c_str(), user_id, user_group), "chown");
  s.ok(::chmod(closed.c_str(), 0766), "chmod");
  for (const PathCall& call : path_calls(other, s.path("free"))) {
    s.as_user([&] {
      s.fails(EACCES, call.call(inside.c_str()),
              fmt::format("{} in a directory that may not be searched", call.name));
      s.fails(EACCES, call.call((closed + "/none").c_str()),
              fmt::format("{} of nothing in a directory that may not be searched", call.name));
    });
  }
  s.ok(::chmod(closed.c_str(), 0755), "chmod");
  const struct stat before = status_of(closed);
  for (const PathCall& call : path_calls(other, s.path("free"))) {
    if (!call.makes) continue;
    s.as_user([&] {
      s.fails(EACCES, call.call((closed + "/none").c_str()),
              fmt::format("{} in a directory that may not be written", call.name));
    });
  }
  s.as_user([&] {
    s.fails(EACCES, ::unlink(inside.c_str()), "unlink in a directory that may not be written");
    s.fails(EACCES, ::rename(inside.c_str(), s.path("free").c_str()),
            "rename out of a directory that may not be written");
    s.fails(EPERM, ::chmod(inside.c_str(), 0777), "chmod by another than the owner");
    s.fails(EPERM, ::chown(inside.c_str(), user_id, user_group), "chown by another than the owner");
    s.fails(EACCES, ::truncate(inside.c_str(), 0), "truncate without the right to write");
    s.fails(EPERM, ::setxattr(inside.c_str(), "trusted.x", "", 0, 0),
            "setxattr of trusted. by a user");
    s.fails(EACCES, ::setxattr(inside.c_str(), "user.x", "", 0, 0),
            "setxattr without the right to write");
  });
  const struct stat after = status_of(closed);
  s.holds(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec,
          "refused changes leave the directory's times");
}

}  // namespace

void path_groups(std::vector<Group>& groups) {
  groups.push_back({"wrong_paths", wrong_paths});
  groups.push_back({"trailing_slashes", trailing_slashes});
  groups.push_back({"search_rights", search_rights});
}

}  // namespace artfs::posix
