// SPDX-License-Identifier: Apache-2.0
// rename(2) and renameat2(2): every kind of file onto every other, with every flag.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <unistd.h>

#include "posix/groups.hpp"

namespace artfs::posix {

namespace {

std::int64_t rename2(const std::string& from, const std::string& to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

int expected(Kind from, Kind to, unsigned flags) {
  if (from == Kind::none) return ENOENT;
  if (flags == RENAME_NOREPLACE) return to == Kind::none ? 0 : EEXIST;
  if (flags == RENAME_EXCHANGE) return to == Kind::none ? ENOENT : 0;
  if (to == Kind::none) return 0;
  if (from == Kind::directory && to != Kind::directory) return ENOTDIR;
  if (from != Kind::directory && to == Kind::directory) return EISDIR;
  return 0;
}

void check_done(Suite& s, const std::string& what, const std::array<std::string, 2>& paths,
                const std::array<struct stat, 2>& before, unsigned flags) {
  const struct stat at_old = status_of(paths[0]);
  const struct stat at_new = status_of(paths[1]);
  s.equal(at_new.st_ino, before[0].st_ino, what + ": the new name leads to what was renamed");
  s.equal(at_old.st_ino, flags == RENAME_EXCHANGE ? before[1].st_ino : 0, what + ": the old name");
  s.equal(at_new.st_mode, before[0].st_mode, what + ": mode kept");
  s.equal(at_new.st_nlink, before[0].st_nlink, what + ": links kept");
  s.holds(at_new.st_mtim.tv_nsec == before[0].st_mtim.tv_nsec,
          what + ": time of modification kept");
  s.holds(at_new.st_ctim.tv_nsec != before[0].st_ctim.tv_nsec, what + ": time of change set");
}

void kinds(Suite& s) {
  for (const unsigned flags :
       {0U, static_cast<unsigned>(RENAME_NOREPLACE), static_cast<unsigned>(RENAME_EXCHANGE)}) {
    for (const Kind from : all_kinds) {
      for (const Kind to : all_kinds) {
        const std::string directory = s.fresh();
        s.make(Kind::directory, directory);
        const std::array<std::string, 2> paths = {directory + "/old", directory + "/new"};
        s.make(from, paths[0]);
        s.make(to, paths[1]);
        const std::string what = fmt::format("rename of {} onto {}{}", name_of(from), name_of(to),
                                             flags == 0   ? ""
                                             : flags == 1 ? " with NOREPLACE"
                                                          : " with EXCHANGE");
        const std::array<struct stat, 2> before = {status_of(paths[0]), status_of(paths[1])};
        const struct stat parent = status_of(directory);
        const int wanted = expected(from, to, flags);
        if (!s.answers(wanted, rename2(paths[0], paths[1], flags), what)) continue;
        if (wanted == 0) {
          check_done(s, what, paths, before, flags);
          s.holds(status_of(directory).st_mtim.tv_nsec != parent.st_mtim.tv_nsec,
                  what + ": the directory was modified");
        } else {
          s.holds(status_of(paths[0]).st_ino == before[0].st_ino &&
                      status_of(paths[1]).st_ino == before[1].st_ino,
                  what + ": nothing moved");
          s.holds(status_of(directory).st_mtim.tv_nsec == parent.st_mtim.tv_nsec,
                  what + ": the directory is as it was");
        }
      }
    }
  }
}

void directories(Suite& s) {
  const std::string a = s.path("a");
  const std::string b = s.path("b");
  for (const std::string& path : {a, b, a + "/sub", a + "/sub/deep"}) s.make(Kind::directory, path);
  s.fails(EINVAL, ::rename(a.c_str(), (a + "/sub/x").c_str()), "a directory into itself");
  s.fails(EINVAL, ::rename(a.c_str(), (a + "/sub").c_str()), "a directory onto its child");
  s.fails(EINVAL, rename2(a, a + "/sub", RENAME_EXCHANGE), "an exchange with its child");
  s.fails(ENOTEMPTY, ::rename((a + "/sub").c_str(), a.c_str()), "a directory onto its parent");
  s.fails(EINVAL, rename2(a + "/sub", a, RENAME_EXCHANGE), "an exchange with its parent");
  s.fails(ENOTEMPTY, ::rename(b.c_str(), a.c_str()), "onto a directory with entries");
  s.fails(EINVAL, rename2(a, b, RENAME_EXCHANGE | RENAME_NOREPLACE),
          "NOREPLACE and EXCHANGE together");
  s.fails(EINVAL, rename2(a, b, RENAME_EXCHANGE | RENAME_WHITEOUT),
          "WHITEOUT and EXCHANGE together");
  s.fails(EINVAL, rename2(a, b, 1U << 20), "an unknown flag");
  s.equal(status_of(a).st_nlink, 3U, "links of a directory with one child");
  const std::uint64_t top_links = status_of(s.path("")).st_nlink;
  s.ok(::rename((a + "/sub").c_str(), (b + "/sub").c_str()), "into another directory");
  s.equal(status_of(a).st_nlink, 2U, "links of where it was");
  s.equal(status_of(b).st_nlink, 3U, "links of where it is");
  s.equal(status_of(b + "/sub/..").st_ino, status_of(b).st_ino, "'..' follows");
  s.equal(status_of(s.path("")).st_nlink, top_links, "links of the directory above");
  s.ok(::rename((b + "/sub").c_str(), a.c_str()), "over an empty directory");
  s.equal(status_of(a).st_nlink, 3U, "links of what replaced it");
  s.equal(status_of(b).st_nlink, 2U, "links of where it was");
  s.equal(status_of(s.path("")).st_nlink, top_links, "links above, one replaced and one moved in");
  s.make(Kind::file, b + "/file");
  s.ok(rename2(a, b + "/file", RENAME_EXCHANGE), "a directory for a file");
  s.equal(status_of(b).st_nlink, 3U, "links of the one that got the directory");
  s.equal(status_of(s.path("")).st_nlink, top_links - 1, "links of the one that gave it");
  s.equal(status_of(b + "/file/..").st_ino, status_of(b).st_ino, "'..' after the exchange");
  s.holds(S_ISREG(status_of(a).st_mode), "the file has its place");
  s.holds(status_of(b + "/file/deep").st_ino != 0, "what is below came along");
}

void links_of_one_file(Suite& s) {
  const std::string a = s.path("a");
  const std::string b = s.path("b");
  s.make(Kind::file, a);
  s.ok(::link(a.c_str(), b.c_str()), "link");
  const struct stat before = status_of(a);
  s.ok(::rename(a.c_str(), b.c_str()), "rename of one link onto the other");
  s.equal(status_of(a).st_ino, before.st_ino, "the old name stays");
  s.equal(status_of(b).st_ino, before.st_ino, "the new name stays");
  s.equal(status_of(a).st_nlink, 2U, "both are counted");
  s.fails(EEXIST, rename2(a, b, RENAME_NOREPLACE), "with NOREPLACE");
  s.ok(rename2(a, b, RENAME_EXCHANGE), "with EXCHANGE");
  s.ok(::rename(a.c_str(), a.c_str()), "a name onto itself");
  const std::string c = s.path("c");
  s.make(Kind::file, c);
  s.ok(::rename(c.c_str(), b.c_str()), "over one of two links");
  s.equal(status_of(a).st_nlink, 1U, "the other link's file lost one");
  const int fd = ::open(a.c_str(), O_RDWR | O_CLOEXEC);
  s.make(Kind::file, c);
  s.ok(::rename(c.c_str(), a.c_str()), "over an open file");

  struct stat open_file {};

  s.ok(::fstat(fd, &open_file), "fstat of what was replaced");
  s.equal(open_file.st_nlink, 0U, "it has no name left");
  s.equal(::pwrite(fd, "x", 1, 0), 1, "it can be written");
  char byte = 0;
  s.equal(::pread(fd, &byte, 1, 0), 1, "and read");
  s.equal(byte, 'x', "what was written");
  ::close(fd);
}

void whiteouts(Suite& s) {
  const std::string probe = s.fresh();
  s.make(Kind::file, probe);
  if (s.where_artfs() && rename2(probe, s.fresh(), RENAME_WHITEOUT) != 0)
    return s.mask("RENAME_WHITEOUT");
  for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::link}) {
    const std::string from = s.fresh();
    const std::string to = s.fresh();
    s.make(kind, from);
    const std::uint64_t ino = status_of(from).st_ino;
    if (!s.ok(rename2(from, to, RENAME_WHITEOUT), fmt::format("WHITEOUT of {}", name_of(kind))))
      continue;
    s.equal(status_of(to).st_ino, ino, "the new name");
    const struct stat left = status_of(from);
    s.holds(S_ISCHR(left.st_mode), "a character device stays behind");
    s.equal(left.st_rdev, 0U, "its number is 0:0");
    s.equal(left.st_nlink, 1U, "it has one link");
    s.equal(left.st_mode & 07777, 0U, "nobody may open it");
    s.ok(::unlink(from.c_str()), "it can be removed");
    const std::string again = s.fresh();
    s.make(kind, again);
    const bool directory = kind == Kind::directory;
    s.ok(rename2(again, to, RENAME_WHITEOUT), fmt::format("WHITEOUT over {}", name_of(kind)));
    s.holds(S_ISCHR(status_of(again).st_mode), "a device stays behind again");
    s.fails(EEXIST, rename2(to, again, RENAME_WHITEOUT | RENAME_NOREPLACE),
            "WHITEOUT with NOREPLACE onto something");
    s.equal(S_ISDIR(status_of(to).st_mode), directory, "the renamed is there");
  }
}

// A sticky directory protects names from all but the owners of the file and of the directory.
void sticky(Suite& s) {
  constexpr std::array<uid_t, 3> owners = {0, user_id, user_id + 1};
  for (const mode_t mode : {0777U, 01777U}) {
    for (const uid_t directory_owner : owners) {
      for (const uid_t file_owner : owners) {
        for (const Kind kind : {Kind::file, Kind::directory, Kind::fifo, Kind::dangling}) {
          const std::string directory = s.fresh();
          s.make(Kind::directory, directory);
          const std::string name = directory + "/name";
          const std::string own = directory + "/own";
          s.make(kind, name);
          s.make(kind == Kind::directory ? kind : Kind::file, own);
          s.ok(::lchown(name.c_str(), file_owner, 1), "lchown");
          s.ok(::lchown(own.c_str(), user_id, 1), "lchown");
          s.ok(::chown(directory.c_str(), directory_owner, 1), "chown");
          s.ok(::chmod(directory.c_str(), mode), "chmod");
          const bool allowed = mode == 0777 || directory_owner == user_id || file_owner == user_id;
          const std::string what = fmt::format("in a directory of {} with mode {:o}, {} of {}",
                                               directory_owner, mode, name_of(kind), file_owner);
          // Moving a directory out of its parent changes '..' in it, which only its owner may do.
          s.as_user([&] {
            s.answers(allowed ? 0 : EPERM, ::rename(own.c_str(), name.c_str()),
                      "rename over a name " + what);
          });
          if (allowed) s.make(kind, own);
          const std::string& left = allowed ? own : name;
          if (allowed) s.ok(::lchown(left.c_str(), file_owner, 1), "lchown");
          s.as_user([&] {
            const int removed =
                kind == Kind::directory ? ::rmdir(left.c_str()) : ::unlink(left.c_str());
            s.answers(allowed ? 0 : EPERM, removed, "removal " + what);
          });
        }
      }
    }
  }
}

}  // namespace

void rename_groups(std::vector<Group>& groups) {
  groups.push_back({"rename_kinds", kinds});
  groups.push_back({"rename_directories", directories});
  groups.push_back({"rename_links", links_of_one_file});
  groups.push_back({"rename_whiteout", whiteouts});
  groups.push_back({"sticky", sticky});
}

}  // namespace artfs::posix
