// SPDX-License-Identifier: Apache-2.0
// Directories: listings with buffers of any size, positions, changes meanwhile, depth, the current one.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/unique_fd.hpp"
#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

using Names = std::map<std::string, int>;  // how often each was listed

base::UniqueFd open_directory(const std::string& path) {
  return base::UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// One call of getdents; false at the end.
bool read_some(int fd, std::size_t room, Names& names) {
  alignas(16) std::array<char, 65536> buffer{};
  const long got = ::syscall(SYS_getdents64, fd, buffer.data(), room);
  for (long at = 0; at < got;) {
    const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
    ++names[entry->d_name];
    at += entry->d_reclen;
  }
  return got > 0;
}

Names list(const std::string& path, std::size_t room) {
  const base::UniqueFd directory = open_directory(path);
  Names names;
  while (read_some(directory.get(), room, names)) {
  }
  return names;
}

bool once(const Names& names) {
  return std::all_of(names.begin(), names.end(),
                     [](const auto& entry) { return entry.second == 1; });
}

void listings(Suite& s) {
  for (const int count : {0, 1, 2, 10, 100, 1500}) {
    const std::string path = s.fresh();
    s.make(Kind::directory, path);
    for (int i = 0; i < count; ++i) write_file(fmt::format("{}/entry-{}", path, i), "");
    for (const std::size_t room : {std::size_t{32}, std::size_t{100}, std::size_t{500},
                                   std::size_t{4096}, std::size_t{65536}}) {
      const Names names = list(path, room);
      const std::string what = fmt::format("{} entries, a buffer of {} bytes", count, room);
      s.equal(names.size(), static_cast<std::size_t>(count) + 2, what);
      s.holds(once(names), "each once: " + what);
      s.holds(names.contains(".") && names.contains(".."), "'.' and '..': " + what);
    }
    const base::UniqueFd directory = open_directory(path);
    std::array<char, 8> small{};
    s.fails(EINVAL, ::syscall(SYS_getdents64, directory.get(), small.data(), small.size()),
            "a buffer too small for one entry");
  }
  const base::UniqueFd file(::open(s.fresh().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  std::array<char, 100> buffer{};
  s.fails(ENOTDIR, ::syscall(SYS_getdents64, file.get(), buffer.data(), buffer.size()),
          "getdents of a file");
}

void types_and_numbers(Suite& s) {
  const std::string path = s.path("directory");
  s.make(Kind::directory, path);
  for (const Kind kind : all_kinds) s.make(kind, fmt::format("{}/{}", path, name_of(kind)));
  DIR* directory = ::opendir(path.c_str());
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "..") continue;
    const struct stat status = status_of(path + "/" + name);
    s.equal(entry->d_ino, status.st_ino, "number of " + name);
    s.equal(entry->d_type, IFTODT(status.st_mode), "type of " + name);
  }
  ::closedir(directory);
}

// A position given out earlier leads to the entry that came next then.
void seeking(Suite& s) {
  const std::string path = s.path("directory");
  s.make(Kind::directory, path);
  for (int i = 0; i < 60; ++i) write_file(fmt::format("{}/entry-{}", path, i), "");
  DIR* directory = ::opendir(path.c_str());
  std::vector<std::pair<long, std::string>> places;
  for (;;) {
    const long at = ::telldir(directory);
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr) break;
    places.emplace_back(at, entry->d_name);
  }
  s.equal(places.size(), std::size_t{62}, "entries");
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& [at, name] = places[i * 37 % places.size()];
    ::seekdir(directory, at);
    const dirent* entry = ::readdir(directory);
    s.equal(std::string(entry == nullptr ? "nothing" : entry->d_name), name, "seekdir");
  }
  ::rewinddir(directory);
  s.equal(std::string(::readdir(directory)->d_name), places[0].second, "rewinddir");
  ::closedir(directory);
}

// What stays is listed once, whatever is made, renamed and removed in between.
void changing(Suite& s) {
  for (const std::size_t room : {std::size_t{64}, std::size_t{300}, std::size_t{2000}}) {
    const std::string path = s.fresh();
    s.make(Kind::directory, path);
    for (int i = 0; i < 200; ++i) write_file(fmt::format("{}/stays-{}", path, i), "");
    for (int i = 0; i < 200; ++i) write_file(fmt::format("{}/goes-{}", path, i), "");
    const base::UniqueFd directory = open_directory(path);
    Names names;
    bool good = true;
    for (int step = 0; read_some(directory.get(), room, names); ++step) {
      if (step < 200) good = good && ::unlink(fmt::format("{}/goes-{}", path, step).c_str()) == 0;
      write_file(fmt::format("{}/comes-{}", path, step), "");
      good = good && ::rename(fmt::format("{}/comes-{}", path, step).c_str(),
                              fmt::format("{}/came-{}", path, step).c_str()) == 0;
      if (step > 20000) break;
    }
    s.holds(good, "changes between listings");
    for (int i = 0; i < 200; ++i)
      s.equal(names[fmt::format("stays-{}", i)], 1,
              fmt::format("entry {} with a buffer of {}", i, room));
    s.holds(std::all_of(names.begin(), names.end(), [](const auto& e) { return e.second <= 1; }),
            "nothing twice");
    s.ok(::lseek(directory.get(), 0, SEEK_SET), "back to the start");
    Names again;
    while (read_some(directory.get(), room, again)) {
    }
    s.holds(again.contains("came-0") && !again.contains("goes-0"),
            "a fresh listing sees what is there now");
  }
}

void emptiness(Suite& s) {
  for (const Kind kind : all_kinds) {
    if (kind == Kind::none) continue;
    const std::string path = s.fresh();
    s.make(Kind::directory, path);
    s.make(kind, path + "/child");
    s.fails(ENOTEMPTY, ::rmdir(path.c_str()),
            fmt::format("rmdir of a directory with {}", name_of(kind)));
    const std::string child = path + "/child";
    s.ok(kind == Kind::directory ? ::rmdir(child.c_str()) : ::unlink(child.c_str()),
         "removal of the child");
    if (kind == Kind::link) s.ok(::unlink((child + ".target").c_str()), "and of its target");
    s.ok(::rmdir(path.c_str()), "rmdir of the empty one");
  }
}

void deep(Suite& s) {
  const std::string name(200, 'd');
  const std::string top = s.path("top");
  s.make(Kind::directory, top);
  base::UniqueFd at = open_directory(top);
  for (int depth = 0; depth < 60; ++depth) {  // 12,000 bytes: three times PATH_MAX
    s.ok(::mkdirat(at.get(), name.c_str(), 0755), fmt::format("mkdirat {} deep", depth));
    at = base::UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    s.ok(at.get(), "openat");
  }
  const base::UniqueFd file(::openat(at.get(), "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  s.equal(::write(file.get(), "deep", 4), 4, "a file down there");
  s.ok(::fchdir(at.get()), "fchdir");
  std::array<char, 4096> path{};
  s.holds(::getcwd(path.data(), path.size()) == nullptr, "getcwd finds no room");
  s.ok(::chdir("/"), "chdir");
  s.ok(::unlinkat(at.get(), "file", 0), "unlinkat");
  for (int depth = 0; depth < 60; ++depth) {
    at = base::UniqueFd(::openat(at.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    s.ok(::unlinkat(at.get(), name.c_str(), AT_REMOVEDIR), fmt::format("back up {}", depth));
  }
}

void current(Suite& s) {
  const std::string path = s.path("here");
  s.make(Kind::directory, path);
  s.ok(::chdir(path.c_str()), "chdir");
  std::array<char, 4096> got{};
  s.holds(::getcwd(got.data(), got.size()) != nullptr && path == got.data(), "getcwd");
  s.make(Kind::file, "relative");
  s.holds(status_of(path + "/relative").st_ino != 0, "a relative path");
  const std::string moved = s.path("there");
  s.ok(::rename(path.c_str(), moved.c_str()), "rename of the current directory");
  s.holds(::getcwd(got.data(), got.size()) != nullptr && moved == got.data(), "getcwd after it");
  s.ok(::unlink("relative"), "unlink");
  s.ok(::rmdir(moved.c_str()), "rmdir of the current directory");
  s.holds(::getcwd(got.data(), got.size()) == nullptr && errno == ENOENT, "getcwd of what is gone");
  s.fails(ENOENT, ::open("x", O_CREAT | O_RDWR, 0600), "creating a file in it");
  s.ok(::chdir(".."), "chdir to '..' of it");
  s.ok(::chdir("/"), "chdir");
}

void statistics(Suite& s) {
  struct statfs before {};

  s.ok(::statfs(s.path("").c_str(), &before), "statfs");
  s.equal(before.f_namelen, 255, "longest name");
  s.holds(before.f_bfree <= before.f_blocks && before.f_bavail <= before.f_bfree, "free blocks");
  s.holds(before.f_ffree <= before.f_files, "free inodes");
  constexpr int count = 50;
  for (int i = 0; i < count; ++i) write_file(s.path(fmt::format("f{}", i)), "");

  struct statfs after {};

  s.ok(::statfs(s.path("").c_str(), &after), "statfs");
  s.equal((after.f_files - after.f_ffree) - (before.f_files - before.f_ffree), count,
          "inodes in use");
  for (int i = 0; i < count; ++i) s.ok(::unlink(s.path(fmt::format("f{}", i)).c_str()), "unlink");
  s.ok(::statfs(s.path("").c_str(), &after), "statfs");
  s.equal(after.f_files - after.f_ffree, before.f_files - before.f_ffree,
          "inodes in use at the end");
}

}  // namespace

void directory_groups(std::vector<Group>& groups) {
  groups.push_back({"listings", listings});
  groups.push_back({"types_and_numbers", types_and_numbers});
  groups.push_back({"seeking", seeking});
  groups.push_back({"changing", changing});
  groups.push_back({"emptiness", emptiness});
  groups.push_back({"deep", deep});
  groups.push_back({"current", current});
  groups.push_back({"statistics", statistics});
}

}  // namespace artfs::posix
