// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "model/volume_world.hpp"

namespace artfs::test {

void VolumeWorld::make_directory() {
  const std::string path = new_path();
  const mode_t mode = chance(5) ? 02755 : static_cast<mode_t>(0700 | below(0100));
  begin(fmt::format("mkdir {} {:o}", path, mode), {path, parent_of(path)});
  // mkdir(2) ignores the setgid bit; what the file system does with it is not its business.
  const int left = errno_of([&] { return ::mkdir(host(path).c_str(), mode & 01777U); });
  std::string name;
  const Result<Place> at = place(path, name);
  const int right =
      at ? code(volume_->mkdir(at->parent, at->name, mode & 01777U, caller_)) : code(at);
  if (left == 0) known_[path] = 'd';
  end(left, right);
}

void VolumeWorld::remove_directory() {
  const std::string path = chance(4) ? some_path() : pick("d");
  begin("rmdir " + path, {path, parent_of(path)});
  const int left = errno_of([&] { return ::rmdir(host(path).c_str()); });
  std::string name;
  const Result<Place> at = place(path, name);
  const int right = at ? code(volume_->rmdir(at->parent, at->name)) : code(at);
  if (left == 0) forget_path(path);
  end(left, right);
}

void VolumeWorld::create_file() {
  const std::string path = new_path();
  const mode_t mode = static_cast<mode_t>(0600 | below(0200));
  begin(fmt::format("create {} {:o}", path, mode), {path, parent_of(path)});
  const int fd = ::open(host(path).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
  const int left = fd < 0 ? errno : 0;
  if (fd >= 0) ::close(fd);
  std::string name;
  const Result<Place> at = place(path, name);
  const Result<Attr> made =
      at ? volume_->create(at->parent, at->name, mode, caller_) : fail(at.error());
  if (made) volume_->release(made->ino);
  if (left == 0) known_[path] = 'f';
  end(left, code(made));
}

void VolumeWorld::unlink_path() {
  const std::string path = chance(8) ? pick("d") : some_path();
  begin("unlink " + path, {path, parent_of(path)});
  const int left = errno_of([&] { return ::unlink(host(path).c_str()); });
  std::string name;
  const Result<Place> at = place(path, name);
  const int right = at ? code(volume_->unlink(at->parent, at->name)) : code(at);
  if (left == 0) forget_path(path);
  end(left, right);
}

void VolumeWorld::rename_no_replace() {
  rename_with(RENAME_NOREPLACE);
}

void VolumeWorld::rename_exchange() {
  rename_with(RENAME_EXCHANGE);
}

void VolumeWorld::rename_whiteout() {
  rename_with(RENAME_WHITEOUT);
}

void VolumeWorld::rename_with(unsigned flags) {
  const std::string from = some_path();
  const std::string to = chance(3) ? pick_any() : new_path();
  begin(fmt::format("rename {} -> {} flags {}", from, to, flags),
        {from, to, parent_of(from), parent_of(to)});

  struct ::stat source {};

  struct ::stat target {};

  const bool source_is = ::lstat(host(from).c_str(), &source) == 0;
  const bool target_is = ::lstat(host(to).c_str(), &target) == 0;
  int left = errno_of(
      [&] { return ::renameat2(AT_FDCWD, host(from).c_str(), AT_FDCWD, host(to).c_str(), flags); });
  std::string from_name;
  std::string to_name;
  const Result<Place> at = place(from, from_name);
  const Result<Place> goal = place(to, to_name);
  const RenameFlags how{.no_replace = flags == RENAME_NOREPLACE,
                        .exchange = flags == RENAME_EXCHANGE,
                        .whiteout = flags == RENAME_WHITEOUT};
  int right = code(at);
  if (right == 0) right = code(goal);
  if (right == 0) right = code(volume_->rename(*at, *goal, how, caller_));
  // The kernel looks whether the target holds the source before it looks at types.
  if (left == ENOTEMPTY && right == EISDIR && from.compare(0, to.size() + 1, to + "/") == 0)
    right = left;
  // Which of two names is too long or missing first is the kernel's choice.
  if ((left == ENAMETOOLONG && right == ENOENT) || (left == ENOENT && right == ENAMETOOLONG))
    right = left;
  if (left == 0 && from != to) {
    const bool same = source_is && target_is && source.st_ino == target.st_ino;
    if (flags == RENAME_EXCHANGE) {
      move_path(from, "\x02swap");
      move_path(to, from);
      move_path("\x02swap", to);
    } else if (!same) {
      forget_path(to);
      move_path(from, to);
      if (flags == RENAME_WHITEOUT) known_[from] = 'o';
    }
  }
  end(left, right);
}

void VolumeWorld::rename_directory_below_itself() {
  const std::string from = pick("d");
  const std::string to = join(from, chance(2) ? pick_name() : join(pick_name(), pick_name()));
  begin(fmt::format("rename {} below itself: {}", from, to), {from, parent_of(from)});
  const unsigned flags = chance(4) ? RENAME_NOREPLACE : 0;
  const int left = errno_of(
      [&] { return ::renameat2(AT_FDCWD, host(from).c_str(), AT_FDCWD, host(to).c_str(), flags); });
  std::string from_name;
  std::string to_name;
  const Result<Place> at = place(from, from_name);
  const Result<Place> goal = place(to, to_name);
  int right = code(at);
  if (right == 0) right = code(goal);
  if (right == 0)
    right = code(volume_->rename(*at, *goal, {.no_replace = flags != 0, .exchange = false}));
  if (left != EINVAL && right != EINVAL) return;  // a symlink on the way, which the kernel follows
  end(left, right);
}

void VolumeWorld::hard_link() {
  const std::string from = chance(8) ? some_path() : pick("flo");
  const std::string to = new_path();
  begin(fmt::format("link {} -> {}", from, to), {from, to, parent_of(to)});
  const int left = errno_of(
      [&] { return ::linkat(AT_FDCWD, host(from).c_str(), AT_FDCWD, host(to).c_str(), 0); });
  std::string name;
  const Result<Ino> ino = resolve(from);
  const Result<Place> at = place(to, name);
  int right = code(ino);
  if (right == 0) right = code(at);
  if (right == 0) right = code(volume_->link(*ino, at->parent, at->name));
  if (left == 0) known_[to] = known_[from];
  end(left, right);
}

void VolumeWorld::make_symlink() {
  const std::string path = new_path();
  const std::string target =
      chance(20) ? std::string() : std::string(1 + below(chance(4) ? 4095 : 40), 't');
  begin(fmt::format("symlink {} ({} bytes)", path, target.size()), {path, parent_of(path)});
  const int left = errno_of([&] { return ::symlink(target.c_str(), host(path).c_str()); });
  std::string name;
  const Result<Place> at = place(path, name);
  int right = target.empty() ? ENOENT : code(at);
  if (right == 0) right = code(volume_->symlink(at->parent, at->name, target, caller_));
  if (left == 0) known_[path] = 'l';
  end(left, right);
}

void VolumeWorld::read_link() {
  const std::string path = chance(4) ? some_path() : pick("l");
  begin("readlink " + path, {path});
  std::string target(4096, '\0');
  const ssize_t bytes = ::readlink(host(path).c_str(), target.data(), target.size());
  const int left = bytes < 0 ? errno : 0;
  const Result<Ino> ino = resolve(path);
  const Result<std::string> right = ino ? volume_->readlink(*ino) : fail(ino.error());
  if (left == 0 && right) {
    target.resize(static_cast<std::size_t>(bytes));
    if (*right != target) differ("readlink: another target");
  }
  end(left, code(right));
}

void VolumeWorld::make_special() {
  const std::string path = new_path();
  mode_t type = chance(2) ? S_IFIFO : S_IFSOCK;
  dev_t rdev = 0;
  if (privileged_ && chance(3)) {
    type = chance(2) ? S_IFCHR : S_IFBLK;
    rdev = makedev(static_cast<unsigned>(below(4000)), static_cast<unsigned>(below(1 << 20)));
  } else if (chance(4)) {
    type = S_IFREG;
  } else if (chance(4)) {
    type = S_IFCHR;  // a whiteout, which anybody may make
  }
  const mode_t mode = type | static_cast<mode_t>(0600 | below(0200));
  const std::string where = host(path);
  begin(fmt::format("mknod {} {:o}", path, mode), {path, parent_of(path)});
  const int left = errno_of([&] { return ::mknod(where.c_str(), mode, rdev); });
  if (left == EPERM) return;  // a container without the right to make devices
  std::string name;
  const Result<Place> at = place(path, name);
  const int right = at ? code(volume_->mknod(at->parent, at->name, mode, rdev, caller_)) : code(at);
  if (left == 0) known_[path] = type == S_IFREG ? 'f' : 'o';
  end(left, right);
}

void VolumeWorld::look_up() {
  const std::string path = chance(2) ? some_path() : new_path();
  begin("lookup " + path, {path});

  struct ::stat st {};

  const int left = errno_of([&] { return ::lstat(host(path).c_str(), &st); });
  std::string name;
  const Result<Place> at = place(path, name);
  const Result<Attr> found = at ? volume_->lookup(at->parent, at->name) : fail(at.error());
  if (found && left == 0) {
    compare_attributes(path, st, *found);
    if (S_ISDIR(st.st_mode)) {
      const Result<Attr> up = volume_->lookup(found->ino, "..");
      if (!up || up->ino != at->parent) differ("lookup of ..");
    }
  }
  end(left, code(found));
}

void VolumeWorld::list_directory() {
  const std::string path = pick_parent();
  begin("readdir " + path, {path});
  const Result<Ino> ino = resolve(path);

  struct ::stat st {};

  const bool is_directory = ::lstat(host(path).c_str(), &st) == 0 && S_ISDIR(st.st_mode);
  if (is_directory != (ino && volume_->open_dir(*ino).has_value())) differ("opendir");
  if (!is_directory) return;
  std::vector<std::string> names;
  compare_listing(path, *ino, names);
}

}  // namespace artfs::test
