// SPDX-License-Identifier: Apache-2.0
// What a volume promises beyond the results of system calls: numbers, privileges, lives of inodes.
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "format/inode.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::read_all;
using test::volume_in_memory;
using test::write_at;

Ino make(Volume& volume, Ino dir, const std::string& name) {
  const Result<Attr> made = volume.mknod(dir, name, 0100644, 0, {});
  REQUIRE(made.has_value());
  return made->ino;
}

TEST_CASE(
    "volume: children of a directory have consecutive numbers, also when others are made "
    "in between",
    "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino left = volume->mkdir(root_ino, "left", 0755, {})->ino;
  const Ino right = volume->mkdir(root_ino, "right", 0755, {})->ino;
  std::uint64_t previous_left = 0;
  std::uint64_t previous_right = 0;
  std::uint64_t breaks = 0;
  for (int i = 0; i < 640; ++i) {
    const Ino in_left = make(*volume, left, std::to_string(i));
    const Ino in_right = make(*volume, right, std::to_string(i));
    breaks += in_left.raw != previous_left + 1 ? 1 : 0;
    breaks += in_right.raw != previous_right + 1 ? 1 : 0;
    previous_left = in_left.raw;
    previous_right = in_right.raw;
  }
  CHECK(breaks == 20);
}

TEST_CASE(
    "T1: an inode number is the same in create, lookup, readdir and after a reopen, "
    "and is not given out again",
    "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::set<std::uint64_t> numbers;
  for (int life = 0; life < 4; ++life) {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    const std::string name = "file" + std::to_string(life);
    const Ino ino = make(*volume, root_ino, name);
    CHECK(numbers.insert(ino.raw).second);
    CHECK(volume->lookup(root_ino, name)->ino == ino);
    const auto stream = *volume->open_dir(root_ino);
    while (const DirEntry* entry = *stream->next()) {
      if (entry->name == name) CHECK(entry->ino == ino);
    }
    if (life == 1) REQUIRE(volume->unlink(root_ino, name).has_value());
    if (life == 2) CHECK(volume->lookup(root_ino, "file0").has_value());
    REQUIRE(volume->close().has_value());
  }
}

TEST_CASE("volume: a file takes 65000 links and no more", "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino ino = make(*volume, root_ino, "file");
  for (std::uint32_t i = 1; i < links_max; ++i) {
    REQUIRE(volume->link(ino, root_ino, "link" + std::to_string(i)).has_value());
  }
  CHECK(volume->link(ino, root_ino, "one more").error().code == Errc::too_many_links);
  REQUIRE(volume->unlink(root_ino, "link7").has_value());
  CHECK(volume->link(ino, root_ino, "one more").has_value());
  CHECK(volume->getattr(ino)->nlink == links_max);
}

TEST_CASE("volume: suid, sgid and file capabilities go with a write, a truncate and a chown",
          "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino ino = make(*volume, root_ino, "file");
  const auto arm = [&] {
    SetAttr changes;
    changes.mode = 06755;
    REQUIRE(volume->setattr(ino, changes, {}).has_value());
    REQUIRE(volume->set_xattr(ino, "security.capability", "caps", {}).has_value());
  };
  const auto armed = [&] {
    return (volume->getattr(ino)->mode & 06000) == 06000 &&
           volume->get_xattr(ino, "security.capability").has_value();
  };
  const auto disarmed = [&] {
    return (volume->getattr(ino)->mode & 06000) == 0 &&
           !volume->get_xattr(ino, "security.capability").has_value();
  };
  const Caller plain{.uid = 1000, .gid = 1000, .umask = 0, .has_cap_fsetid = false};
  arm();
  CHECK(armed());
  REQUIRE(write_at(*volume, ino, 0, "x").has_value());  // a privileged caller keeps the bits
  CHECK((volume->getattr(ino)->mode & 06000) == 06000);
  CHECK_FALSE(volume->get_xattr(ino, "security.capability").has_value());
  arm();
  const auto byte = std::as_bytes(std::span("y", 1));
  REQUIRE(volume->write(ino, 0, byte, plain).has_value());
  CHECK(disarmed());
  arm();
  SetAttr cut;
  cut.size = 0;
  REQUIRE(volume->setattr(ino, cut, plain).has_value());
  CHECK(disarmed());
  arm();
  SetAttr owner;
  owner.uid = 5;
  REQUIRE(volume->setattr(ino, owner, {}).has_value());
  CHECK(disarmed());
  arm();
  SetAttr killed;
  killed.clear_privileges = true;
  REQUIRE(volume->setattr(ino, killed, {}).has_value());
  CHECK(disarmed());
}

TEST_CASE("volume: a setgid directory passes on its group, and the bit to directories",
          "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
  SetAttr changes;
  changes.gid = 77;
  changes.mode = 02775;
  REQUIRE(volume->setattr(dir, changes, {}).has_value());
  const Caller caller{.uid = 1000, .gid = 1000, .umask = 022, .has_cap_fsetid = false};
  const Attr sub = *volume->mkdir(dir, "sub", 0777, caller);
  CHECK(sub.gid == 77);
  CHECK((sub.mode & 07777) == 02755);
  const Attr file = *volume->create(dir, "file", 0666, caller);
  CHECK(file.gid == 77);
  CHECK((file.mode & 07777) == 0644);
  volume->release(file.ino);
}

TEST_CASE("volume: a file made without a name gets one, or goes with its last release",
          "[unit][vol]") {
  const bool with_forget = GENERATE(false, true);
  CAPTURE(with_forget);
  VolumeOptions options = test::small_volume_options();
  options.reclaim_on_forget = with_forget;
  const auto volume = volume_in_memory(options);
  const Ino dir = volume->mkdir(root_ino, "dir", 02775, {})->ino;
  const Attr before = *volume->getattr(dir);
  const Attr made = *volume->create_unnamed(dir, 0600, {});
  CHECK(made.nlink == 0);
  CHECK(volume->getattr(dir)->mtime == before.mtime);
  CHECK(volume->stats().orphans == 1);
  CHECK(volume->stats().inodes == 3);
  REQUIRE(write_at(*volume, made.ino, 0, std::string(100000, 'a')).has_value());
  test::require_clean(*volume);

  SECTION("named: as if it had been made with its name") {
    CHECK(volume->link(made.ino, dir, "name")->nlink == 1);
    CHECK(volume->stats().orphans == 0);
    CHECK(volume->link(made.ino, dir, "second")->nlink == 2);
    volume->release(made.ino);
    volume->forget(made.ino);
    CHECK(read_all(*volume, made.ino) == std::string(100000, 'a'));
    test::require_clean(*volume);
  }
  SECTION("named and unlinked: no name any more, as any other file") {
    REQUIRE(volume->link(made.ino, dir, "name").has_value());
    REQUIRE(volume->unlink(dir, "name").has_value());
    CHECK(volume->link(made.ino, dir, "name").error().code == Errc::entry_not_found);
    CHECK(volume->stats().orphans == 1);
    volume->release(made.ino);
    volume->forget(made.ino);
    CHECK(volume->getattr(made.ino).error().code == Errc::inode_not_found);
  }
  SECTION("never named") {
    REQUIRE(volume->mknod(dir, "taken", 0100644, 0, {}).has_value());
    CHECK(volume->link(made.ino, dir, "taken").error().code == Errc::entry_exists);
    volume->release(made.ino);
    if (with_forget) CHECK(volume->getattr(made.ino).has_value());
    volume->forget(made.ino);
    CHECK(volume->getattr(made.ino).error().code == Errc::inode_not_found);
    CHECK(volume->link(made.ino, dir, "late").error().code == Errc::inode_not_found);
    CHECK(volume->stats().inodes == 3);
  }
  CHECK(volume->stats().content_bytes_used ==
        (volume->lookup(dir, "name") ? volume->getattr(made.ino)->blocks_512 * 512 : 0));
  test::require_clean(*volume);
}

TEST_CASE("volume: a file without a name does not survive a reopen", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  Ino ino;
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    ino = volume->create_unnamed(root_ino, 0600, {})->ino;
    REQUIRE(write_at(*volume, ino, 0, std::string(100000, 'a')).has_value());
    REQUIRE(volume->sync().has_value());
    REQUIRE(volume->close().has_value());
  }
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  CHECK(volume->getattr(ino).error().code == Errc::inode_not_found);
  CHECK(volume->create_unnamed(Ino{12345}, 0600, {}).error().code == Errc::inode_not_found);
  test::require_clean(*volume);
}

TEST_CASE("volume: an unlinked inode lives until the last release, or the forget after it",
          "[unit][vol]") {
  const bool with_forget = GENERATE(false, true);
  CAPTURE(with_forget);
  VolumeOptions options = test::small_volume_options();
  options.reclaim_on_forget = with_forget;
  const auto volume = volume_in_memory(options);
  const Ino ino = volume->create(root_ino, "file", 0644, {})->ino;
  REQUIRE(volume->open_file(ino).has_value());
  REQUIRE(write_at(*volume, ino, 0, std::string(100000, 'a')).has_value());
  REQUIRE(volume->unlink(root_ino, "file").has_value());
  CHECK(volume->getattr(ino)->nlink == 0);
  REQUIRE(write_at(*volume, ino, 100000, "b").has_value());
  REQUIRE(volume->sync().has_value());
  CHECK(read_all(*volume, ino).size() == 100001);
  CHECK(volume->link(ino, root_ino, "again").error().code == Errc::entry_not_found);
  volume->release(ino);
  CHECK(volume->getattr(ino).has_value());
  volume->release(ino);
  CHECK(volume->getattr(ino).has_value() == with_forget);
  if (with_forget) volume->forget(ino);
  CHECK(volume->getattr(ino).error().code == Errc::inode_not_found);
  CHECK(write_at(*volume, ino, 0, "x").error().code == Errc::inode_not_found);
  CHECK(volume->stats().orphans == 0);
  CHECK(volume->statfs()->inodes_used == 1);
  test::require_clean(*volume);
}

TEST_CASE("volume: nothing can be made in a removed directory", "[unit][vol]") {
  VolumeOptions options = test::small_volume_options();
  options.reclaim_on_forget = true;
  const auto volume = volume_in_memory(options);
  const Ino dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
  const Ino file = make(*volume, root_ino, "file");
  REQUIRE(volume->rmdir(root_ino, "dir").has_value());
  CHECK(volume->mknod(dir, "x", 0100644, 0, {}).error().code == Errc::entry_not_found);
  CHECK(volume->link(file, dir, "x").error().code == Errc::entry_not_found);
  CHECK(volume->rename({root_ino, "file"}, {dir, "x"}, {}).error().code == Errc::entry_not_found);
  CHECK(volume->getattr(dir)->nlink == 0);
  volume->forget(dir);
  CHECK(volume->getattr(dir).error().code == Errc::inode_not_found);
  test::require_clean(*volume);
}

TEST_CASE("T8: an error of writing back is told by every flush and fsync until the file is closed",
          "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  const Ino ino = volume->create(root_ino, "file", 0644, {})->ino;
  REQUIRE(write_at(*volume, ino, 0, std::string(200000, 'a')).has_value());
  CHECK(volume->flush(ino).has_value());
  disk.fail_call(1, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
  CHECK_FALSE(volume->fsync(ino).has_value());
  CHECK_FALSE(volume->flush(ino).has_value());
  CHECK_FALSE(volume->flush(ino).has_value());
  CHECK_FALSE(volume->fsync(ino).has_value());
  CHECK(read_all(*volume, ino) == std::string(200000, 'a'));  // reads go on
  CHECK(test::errno_of(volume->mkdir(root_ino, "d", 0755, {})) == EROFS);
  volume->release(ino);
}

TEST_CASE("volume: sizes and times of accepted writes show at once, also to lookup",
          "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Attr made = *volume->create(root_ino, "file", 0644, {});
  REQUIRE(write_at(*volume, made.ino, 9999, "x").has_value());
  const Attr after = *volume->lookup(root_ino, "file");
  CHECK(after.size == 10000);
  CHECK(after.mtime > made.mtime);
  CHECK(after.ctime == after.mtime);
  CHECK(after.blocks_512 > 0);
  SetAttr old;
  old.mtime = Timestamp{1, 2};
  REQUIRE(volume->setattr(made.ino, old, {}).has_value());
  REQUIRE(volume->sync().has_value());  // the flush does not bring the old time back
  CHECK(volume->getattr(made.ino)->mtime == Timestamp{1, 2});
  volume->release(made.ino);
}

TEST_CASE("volume: a read moves atime once after a change, lazily", "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino ino = make(*volume, root_ino, "file");
  REQUIRE(write_at(*volume, ino, 0, "abc").has_value());
  const Timestamp before = volume->getattr(ino)->atime;
  CHECK(read_all(*volume, ino) == "abc");
  const Timestamp after = volume->getattr(ino)->atime;
  CHECK(after > before);
  CHECK(read_all(*volume, ino) == "abc");
  CHECK(volume->getattr(ino)->atime == after);
  REQUIRE(volume->sync().has_value());
  CHECK(volume->getattr(ino)->atime == after);
}

TEST_CASE("volume: with strict durability a write is on disk when it returns", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::unique_ptr<io::MemoryDirectory> after;
  {
    VolumeOptions options = test::small_volume_options();
    options.store.durability = Durability::strict;
    const auto volume = test::must_open_volume(disk, options);
    const Ino ino = make(*volume, root_ino, "file");
    REQUIRE(write_at(*volume, ino, 0, std::string(100000, 's')).has_value());
    SetAttr cut;
    cut.size = 70000;
    REQUIRE(volume->setattr(ino, cut, {}).has_value());
    after = disk.clone_durable();
  }
  const auto volume = test::must_open_volume(*after, test::small_volume_options());
  CHECK(read_all(*volume, volume->lookup(root_ino, "file")->ino) == std::string(70000, 's'));
}

TEST_CASE("T15: statfs is back at its start when everything is removed", "[unit][vol]") {
  const auto volume = volume_in_memory();
  const StatFs before = *volume->statfs();
  CHECK(before.blocks_free > 0);
  CHECK(before.inodes_free > 0);
  for (int i = 0; i < 50; ++i) {
    const Ino ino = make(*volume, root_ino, std::to_string(i));
    REQUIRE(write_at(*volume, ino, 0, std::string(20000, static_cast<char>('0' + i))).has_value());
  }
  REQUIRE(volume->sync().has_value());
  const StatFs full = *volume->statfs();
  CHECK(full.inodes_used == before.inodes_used + 50);
  CHECK(full.blocks - full.blocks_free >= 50 * 5);
  for (int i = 0; i < 50; ++i) REQUIRE(volume->unlink(root_ino, std::to_string(i)).has_value());
  REQUIRE(volume->sync().has_value());
  const StatFs after = *volume->statfs();
  CHECK(after.inodes_used == before.inodes_used);
  CHECK(after.blocks - after.blocks_free == before.blocks - before.blocks_free);
}

TEST_CASE("volume: a read-only volume answers and refuses", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    const Ino ino = make(*volume, root_ino, "file");
    REQUIRE(write_at(*volume, ino, 0, "contents").has_value());
    REQUIRE(volume->close().has_value());
  }
  VolumeOptions options = test::small_volume_options();
  options.store.read_only = true;
  const auto volume = test::must_open_volume(disk, options);
  const Ino ino = volume->lookup(root_ino, "file")->ino;
  CHECK(read_all(*volume, ino) == "contents");
  CHECK(test::errno_of(write_at(*volume, ino, 0, "x")) == EROFS);
  CHECK(test::errno_of(volume->mkdir(root_ino, "d", 0755, {})) == EROFS);
  CHECK(test::errno_of(volume->unlink(root_ino, "file")) == EROFS);
  SetAttr cut;
  cut.size = 0;
  CHECK(test::errno_of(volume->setattr(ino, cut, {})) == EROFS);
  CHECK(volume->fsync(ino).has_value());
  test::require_clean(*volume);
}

TEST_CASE("volume: a store without a volume is foreign", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_create(disk);
  CHECK(test::open_volume(disk, test::small_volume_options()).error().code == Errc::store_foreign);
}

}  // namespace
}  // namespace artfs
