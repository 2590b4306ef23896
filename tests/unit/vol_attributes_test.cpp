// SPDX-License-Identifier: Apache-2.0
// Flags of chattr, POSIX ACLs and access times, as a volume keeps them.
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "format/acl.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using format::Acl;
using format::AclTag;
using test::read_all;
using test::volume_in_memory;
using test::write_at;

constexpr std::string_view access_acl = "system.posix_acl_access";
constexpr std::string_view default_acl = "system.posix_acl_default";

Ino make(Volume& volume, Ino dir, const std::string& name) {
  const Result<Attr> made = volume.mknod(dir, name, 0100644, 0, {});
  REQUIRE(made.has_value());
  return made->ino;
}

template <typename T>
bool refused(const Result<T>& result) {
  return !result && result.error().code == Errc::operation_not_permitted;
}

SetAttr mode_change(std::uint32_t mode) {
  SetAttr changes;
  changes.mode = mode;
  return changes;
}

std::uint32_t permissions(Volume& volume, Ino ino) {
  return volume.getattr(ino)->mode & 07777;
}

// A directory and in it a file and a directory, with flags on any of them.
struct Protected {
  std::unique_ptr<Volume> volume = volume_in_memory();
  Ino dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
  Ino file = make(*volume, dir, "file");
  Ino sub = volume->mkdir(dir, "sub", 0755, {})->ino;
};

TEST_CASE("flags: come back, also after a reopen, and change ctime", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  const InodeFlags flags{
      .immutable = true, .append_only = false, .no_atime = true, .no_dump = true};
  Ino ino;
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    ino = make(*volume, root_ino, "file");
    CHECK(*volume->get_flags(ino) == InodeFlags{});
    const Timestamp before = volume->getattr(ino)->ctime;
    REQUIRE(volume->set_flags(ino, flags).has_value());
    CHECK(volume->getattr(ino)->ctime > before);
    REQUIRE(volume->close().has_value());
  }
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  CHECK(*volume->get_flags(ino) == flags);
  CHECK(refused(volume->unlink(root_ino, "file")));
  REQUIRE(volume->set_flags(ino, {}).has_value());
  CHECK(volume->unlink(root_ino, "file").has_value());
}

TEST_CASE("immutable: nothing about a file changes, and what was open does not write either",
          "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  REQUIRE(volume.set_xattr(world.file, "user.x", "1", {}).has_value());
  REQUIRE(volume.open_file(world.file, {.write = true}).has_value());
  REQUIRE(write_at(volume, world.file, 0, "before").has_value());
  REQUIRE(volume.set_flags(world.file, {.immutable = true}).has_value());
  CHECK(refused(volume.open_file(world.file, {.write = true})));
  CHECK(refused(volume.open_file(world.file, {.write = true, .append = true})));
  CHECK(refused(volume.open_file(world.file, {.truncate = true})));
  CHECK(volume.open_file(world.file).has_value());
  CHECK(refused(write_at(volume, world.file, 0, "after")));
  CHECK(refused(volume.fallocate(world.file, 0, 100, true)));
  CHECK(refused(volume.setattr(world.file, mode_change(0600), {})));
  SetAttr now;
  now.atime_now = now.mtime_now = true;
  CHECK(refused(volume.setattr(world.file, now, {})));
  SetAttr cut;
  cut.size = 0;
  CHECK(refused(volume.setattr(world.file, cut, {})));
  CHECK(refused(volume.set_xattr(world.file, "user.y", "1", {})));
  CHECK(refused(volume.remove_xattr(world.file, "user.x")));
  CHECK(refused(volume.link(world.file, world.dir, "link")));
  CHECK(refused(volume.unlink(world.dir, "file")));
  CHECK(refused(volume.rename({world.dir, "file"}, {root_ino, "file"}, {})));
  CHECK(refused(volume.rename({world.dir, "file"}, {world.dir, "sub"}, {.exchange = true})));
  make(volume, root_ino, "other");
  CHECK(refused(volume.rename({root_ino, "other"}, {world.dir, "file"}, {})));
  CHECK(read_all(volume, world.file) == "before");
  Caller pages;
  pages.writes_back = true;  // of a mapping: refused, they would be lost
  CHECK(volume.write(world.file, 0, std::as_bytes(std::span("B", 1)), pages).has_value());
  CHECK(volume.check()->problems.empty());
}

TEST_CASE("append-only: a file grows and nothing else", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  REQUIRE(write_at(volume, world.file, 0, "one").has_value());
  REQUIRE(volume.set_flags(world.file, {.append_only = true}).has_value());
  CHECK(refused(volume.open_file(world.file, {.write = true})));
  CHECK(refused(volume.open_file(world.file, {.write = true, .append = true, .truncate = true})));
  const Result<Opened> opened = volume.open_file(world.file, {.write = true, .append = true});
  REQUIRE(opened.has_value());
  CHECK(opened->append_only);
  CHECK(write_at(volume, world.file, 3, "two").has_value());
  CHECK(volume.fallocate(world.file, 0, 10000, true).has_value());
  SetAttr cut;
  cut.size = 100;
  CHECK(refused(volume.setattr(world.file, cut, {})));
  CHECK(refused(volume.setattr(world.file, mode_change(0600), {})));
  SetAttr times;
  times.mtime = Timestamp{1, 2};
  CHECK(refused(volume.setattr(world.file, times, {})));
  times = {};
  times.mtime_now = true;
  CHECK(refused(volume.setattr(world.file, times, {})));
  times.atime_now = true;
  CHECK(volume.setattr(world.file, times, {}).has_value());
  CHECK(refused(volume.set_xattr(world.file, "user.y", "1", {})));
  CHECK(refused(volume.link(world.file, world.dir, "link")));
  CHECK(refused(volume.unlink(world.dir, "file")));
  CHECK(read_all(volume, world.file) == "onetwo");
}

TEST_CASE("immutable and append-only directories: names", "[unit][vol]") {
  const bool append = GENERATE(false, true);
  const Protected world;
  Volume& volume = *world.volume;
  make(volume, root_ino, "outside");
  REQUIRE(volume.set_flags(world.dir, {.immutable = !append, .append_only = append}).has_value());
  const auto added = [&](const auto& result) {
    return append ? result.has_value() : refused(result);
  };
  CHECK(added(volume.mknod(world.dir, "new", 0100644, 0, {})));
  CHECK(added(volume.mkdir(world.dir, "new dir", 0755, {})));
  CHECK(added(volume.symlink(world.dir, "new link", "target", {})));
  CHECK(added(volume.create(world.dir, "created", 0644, {})));
  CHECK(added(volume.create_unnamed(world.dir, 0644, {})));
  CHECK(added(volume.rename({root_ino, "outside"}, {world.dir, "moved in"}, {})));
  make(volume, root_ino, "to link");
  CHECK(added(volume.link(volume.lookup(root_ino, "to link")->ino, world.dir, "linked")));
  CHECK(refused(volume.unlink(world.dir, "file")));
  CHECK(refused(volume.rmdir(world.dir, "sub")));
  CHECK(refused(volume.rename({world.dir, "file"}, {world.dir, "renamed"}, {})));
  CHECK(refused(volume.rename({world.dir, "file"}, {root_ino, "moved out"}, {})));
  CHECK(refused(volume.rmdir(root_ino, "dir")));
  CHECK(refused(volume.rename({root_ino, "dir"}, {root_ino, "dir2"}, {})));
  CHECK(write_at(volume, world.file, 0, "the file itself is free").has_value());
  CHECK(volume.check()->problems.empty());
}

TEST_CASE("flags: A and d are handed down by a directory, i and a are not", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const InodeFlags handed{
      .immutable = false, .append_only = false, .no_atime = true, .no_dump = true};
  InodeFlags all = handed;
  all.append_only = true;
  REQUIRE(volume.set_flags(world.dir, all).has_value());
  CHECK(*volume.get_flags(make(volume, world.dir, "new")) == handed);
  CHECK(*volume.get_flags(volume.mkdir(world.dir, "new dir", 0755, {})->ino) == handed);
}

// ---- ACLs ----

Acl acl_of(std::uint16_t owner, std::uint16_t group, std::uint16_t other) {
  return {{.tag = AclTag::owner, .permissions = owner},
          {.tag = AclTag::group_owner, .permissions = group},
          {.tag = AclTag::other, .permissions = other}};
}

Acl with_user(std::uint16_t owner, std::uint16_t user, std::uint16_t mask, std::uint16_t other) {
  return {{.tag = AclTag::owner, .permissions = owner},
          {.tag = AclTag::user, .permissions = user, .id = 1000},
          {.tag = AclTag::group_owner, .permissions = 5},
          {.tag = AclTag::mask, .permissions = mask},
          {.tag = AclTag::other, .permissions = other}};
}

Result<void> set_acl(Volume& volume, Ino ino, std::string_view name, const Acl& acl) {
  return volume.set_xattr(ino, name, format::encode(acl), {});
}

bool has_acl(Volume& volume, Ino ino, std::string_view name, const Acl& acl) {
  const Result<std::string> value = volume.get_xattr(ino, name);
  return value && *value == format::encode(acl);
}

bool has_none(Volume& volume, Ino ino, std::string_view name) {
  const Result<std::string> value = volume.get_xattr(ino, name);
  return !value && value.error().code == Errc::xattr_not_found;
}

TEST_CASE("acl: the mode follows an ACL, and an ACL that says no more than the mode is not kept",
          "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  REQUIRE(set_acl(volume, world.file, access_acl, with_user(6, 7, 3, 1)).has_value());
  CHECK(permissions(volume, world.file) == 0631);
  CHECK(has_acl(volume, world.file, access_acl, with_user(6, 7, 3, 1)));
  REQUIRE(set_acl(volume, world.file, access_acl, acl_of(7, 5, 0)).has_value());
  CHECK(permissions(volume, world.file) == 0750);
  CHECK(has_none(volume, world.file, access_acl));
  REQUIRE(set_acl(volume, world.file, access_acl, with_user(6, 7, 3, 1)).has_value());
  REQUIRE(volume.set_xattr(world.file, access_acl, std::string("\2\0\0\0", 4), {}).has_value());
  CHECK(has_none(volume, world.file, access_acl));
  CHECK(permissions(volume, world.file) == 0631);
  REQUIRE(volume.setattr(world.file, mode_change(02755), {}).has_value());
  REQUIRE(volume
              .set_xattr(world.file, access_acl, format::encode(with_user(7, 7, 5, 5)),
                         {.clear_sgid = true})
              .has_value());
  CHECK(permissions(volume, world.file) == 0755);
}

TEST_CASE("acl: chmod changes owner, mask and others of the ACL", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  REQUIRE(set_acl(volume, world.file, access_acl, with_user(6, 7, 3, 1)).has_value());
  REQUIRE(volume.setattr(world.file, mode_change(0740), {}).has_value());
  CHECK(has_acl(volume, world.file, access_acl, with_user(7, 7, 4, 0)));
  CHECK(volume.check()->problems.empty());
}

TEST_CASE("acl: children inherit the default ACL instead of the umask", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const Caller caller{.umask = 077};
  REQUIRE(set_acl(volume, world.dir, default_acl, with_user(7, 7, 7, 5)).has_value());
  const Ino file = volume.mknod(world.dir, "new", 0100640, 0, caller)->ino;
  CHECK(permissions(volume, file) == 0640);
  CHECK(has_acl(volume, file, access_acl, with_user(6, 7, 4, 0)));
  CHECK(has_none(volume, file, default_acl));
  const Ino sub = volume.mkdir(world.dir, "new dir", 0777, caller)->ino;
  CHECK(permissions(volume, sub) == 0775);
  CHECK(has_acl(volume, sub, access_acl, with_user(7, 7, 7, 5)));
  CHECK(has_acl(volume, sub, default_acl, with_user(7, 7, 7, 5)));
  const Ino unnamed = volume.create_unnamed(world.dir, 0666, caller)->ino;
  CHECK(has_acl(volume, unnamed, access_acl, with_user(6, 7, 6, 4)));
  const Ino link = volume.symlink(world.dir, "new link", "target", caller)->ino;
  CHECK(permissions(volume, link) == 0777);
  CHECK(has_none(volume, link, access_acl));
  // One that says no more than a mode still replaces the umask.
  REQUIRE(set_acl(volume, world.dir, default_acl, acl_of(7, 5, 4)).has_value());
  const Ino plain = volume.mknod(world.dir, "plain", 0100666, 0, caller)->ino;
  CHECK(permissions(volume, plain) == 0644);
  CHECK(has_none(volume, plain, access_acl));
  REQUIRE(volume.remove_xattr(world.dir, default_acl).has_value());
  CHECK(permissions(volume, volume.mknod(world.dir, "umask", 0100666, 0, caller)->ino) == 0600);
}

TEST_CASE("acl: a long one is inherited too, and goes with the file", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  Acl acl = with_user(7, 7, 7, 5);
  for (std::uint32_t id = 1; id < 200; ++id) {
    acl.insert(acl.begin() + 1, {.tag = AclTag::user, .permissions = 5, .id = id});
  }
  REQUIRE(set_acl(volume, world.dir, default_acl, acl).has_value());
  const Ino sub = volume.mkdir(world.dir, "new dir", 0777, {})->ino;
  CHECK(has_acl(volume, sub, access_acl, acl));
  CHECK(has_acl(volume, sub, default_acl, acl));
  REQUIRE(volume.setattr(sub, mode_change(0700), {}).has_value());
  CHECK_FALSE(has_acl(volume, sub, access_acl, acl));
  REQUIRE(volume.rmdir(world.dir, "new dir").has_value());
  CHECK(volume.check()->problems.empty());
}

TEST_CASE("acl: nonsense is refused", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const auto code = [&](Ino ino, std::string_view name, std::string_view value) {
    return volume.set_xattr(ino, name, value, {}).error().code;
  };
  const std::string good = format::encode(with_user(6, 7, 3, 1));
  CHECK(code(world.file, access_acl, "x") == Errc::invalid_argument);
  CHECK(code(world.file, access_acl, good.substr(0, 12)) == Errc::invalid_argument);
  CHECK(code(world.file, default_acl, good) == Errc::acl_not_on_a_directory);
  const Ino link = volume.symlink(world.dir, "link", "target", {})->ino;
  CHECK(code(link, access_acl, good) == Errc::operation_not_supported);
}

TEST_CASE("xattrs: namespaces nobody knows are not supported, a namespace alone is no name",
          "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  for (const char* name : {"user", "other.x", "system.other", "User.x", ".x"}) {
    CHECK(volume.set_xattr(world.file, name, "", {}).error().code == Errc::operation_not_supported);
    CHECK(volume.get_xattr(world.file, name).error().code == Errc::operation_not_supported);
  }
  for (const char* name : {"user.", "trusted.", "security."}) {
    CHECK(volume.set_xattr(world.file, name, "", {}).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("xattrs: create and replace together fail either way, as on ext4", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const Volume::XattrFlags both{.create = true, .replace = true};
  CHECK(volume.set_xattr(world.file, "user.x", "1", both).error().code == Errc::xattr_not_found);
  REQUIRE(volume.set_xattr(world.file, "user.x", "1", {}).has_value());
  CHECK(volume.set_xattr(world.file, "user.x", "2", both).error().code == Errc::xattr_exists);
}

TEST_CASE("file capabilities: any write drops them, however many attributes there are",
          "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(volume.set_xattr(world.file, "user." + std::to_string(i), std::string(300, 'x'), {})
                .has_value());
  }
  REQUIRE(
      volume.set_xattr(world.file, "security.capability", std::string(20, 'c'), {}).has_value());
  REQUIRE(write_at(volume, world.file, 0, "by the superuser").has_value());
  CHECK_FALSE(volume.get_xattr(world.file, "security.capability").has_value());
  CHECK(volume.list_xattrs(world.file)->size() == 4);
}

// ---- Access times ----

// Whether reading the file moves its atime.
bool read_moves(Volume& volume, Ino ino, bool keeps_atime = false) {
  const Timestamp before = volume.getattr(ino)->atime;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::array<std::byte, 16> buffer{};
  REQUIRE(volume.read(ino, 0, buffer, keeps_atime).has_value());
  return volume.getattr(ino)->atime > before;
}

void set_times(Volume& volume, Ino ino, std::int64_t atime_ago, std::int64_t mtime_ago) {
  const Timestamp ctime = volume.getattr(ino)->ctime;
  SetAttr changes;
  changes.atime = Timestamp{ctime.seconds - atime_ago, 0};
  changes.mtime = Timestamp{ctime.seconds - mtime_ago, 0};
  changes.ctime = Timestamp{ctime.seconds - mtime_ago, 0};
  REQUIRE(volume.setattr(ino, changes, {}).has_value());
}

TEST_CASE("relatime: atime moves after a change and once a day", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const bool open = GENERATE(false, true);
  if (open) REQUIRE(volume.open_file(world.file).has_value());
  REQUIRE(write_at(volume, world.file, 0, "content").has_value());
  CHECK(read_moves(volume, world.file));
  CHECK_FALSE(read_moves(volume, world.file));
  REQUIRE(volume.setattr(world.file, mode_change(0600), {}).has_value());
  CHECK(read_moves(volume, world.file));
  REQUIRE(volume.set_xattr(world.file, "user.x", "1", {}).has_value());
  CHECK(read_moves(volume, world.file));
  REQUIRE(volume.link(world.file, world.dir, "link").has_value());
  CHECK(read_moves(volume, world.file));
  REQUIRE(volume.rename({world.dir, "link"}, {world.dir, "link2"}, {}).has_value());
  CHECK(read_moves(volume, world.file));
  REQUIRE(volume.unlink(world.dir, "link2").has_value());
  CHECK(read_moves(volume, world.file));
  set_times(volume, world.file, 100, 200);
  CHECK_FALSE(read_moves(volume, world.file));
  set_times(volume, world.file, 25 * 3600, 30 * 3600);
  CHECK(read_moves(volume, world.file));
  CHECK_FALSE(read_moves(volume, world.file));
}

TEST_CASE("noatime, strictatime, O_NOATIME and the flag A decide before the times", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  REQUIRE(write_at(volume, world.file, 0, "content").has_value());
  CHECK_FALSE(read_moves(volume, world.file, true));
  volume.set_access_times({.kind = AccessTimes::noatime});
  CHECK_FALSE(read_moves(volume, world.file));
  CHECK_FALSE(volume.open_file(world.file)->atime_due);
  volume.set_access_times({.kind = AccessTimes::strictatime});
  CHECK(read_moves(volume, world.file));
  CHECK(read_moves(volume, world.file));
  CHECK_FALSE(read_moves(volume, world.file, true));
  CHECK(volume.open_file(world.file)->atime_due);
  REQUIRE(volume.set_flags(world.file, {.no_atime = true}).has_value());
  CHECK_FALSE(read_moves(volume, world.file));
}

TEST_CASE("access times of directories and symlinks move as those of files", "[unit][vol]") {
  const Protected world;
  Volume& volume = *world.volume;
  const Ino link = volume.symlink(world.dir, "link", "target", {})->ino;
  const auto moves = [&](Ino ino, const auto& access) {
    const Timestamp before = volume.getattr(ino)->atime;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    access();
    return volume.getattr(ino)->atime > before;
  };
  const auto list = [&] {
    const auto stream = *volume.open_dir(world.dir);
    while (*stream->next() != nullptr) {
    }
  };
  const auto follow = [&] { REQUIRE(volume.readlink(link).has_value()); };
  CHECK(moves(world.dir, list));
  CHECK_FALSE(moves(world.dir, list));
  CHECK(moves(link, follow));
  CHECK_FALSE(moves(link, follow));
  const Timestamp seen = volume.getattr(world.dir)->atime;
  REQUIRE(volume.sync().has_value());
  CHECK(volume.getattr(world.dir)->atime == seen);
  make(volume, world.dir, "changes the directory");
  CHECK(moves(world.dir, list));
  volume.set_access_times({.kind = AccessTimes::strictatime, .directories = false});
  CHECK_FALSE(moves(world.dir, list));
  CHECK(moves(link, follow));
  REQUIRE(volume.unlink(world.dir, "link").has_value());
  CHECK(volume.check()->problems.empty());
}

}  // namespace
}  // namespace artfs
