// SPDX-License-Identifier: Apache-2.0
// check() finds what is wrong: each kind of damage is made by hand in the tree.
#include <catch2/catch.hpp>
#include <string>

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/volume.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using format::Inode;

struct Damaged {
  std::unique_ptr<Volume> volume = test::volume_in_memory();
  Tree tree = *volume->store().open_tree(format::volume_tree_name);
  Ino dir, sub, file, big;

  Damaged() {
    dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
    sub = volume->mkdir(dir, "sub", 0755, {})->ino;
    file = volume->mknod(dir, "file", 0100644, 0, {})->ino;
    big = volume->mknod(sub, "big", 0100644, 0, {})->ino;
    REQUIRE(test::write_at(*volume, big, 0, std::string(200000, 'x')).has_value());
    REQUIRE(volume->set_xattr(file, "user.large", std::string(5000, 'y'), {}).has_value());
    REQUIRE(volume->sync().has_value());
    test::require_clean(*volume);
  }

  void change(Ino ino, const std::function<void(Inode&)>& change) {
    Inode inode = *format::decode_inode(ino, tree.get(format::inode_key(ino))->value);
    change(inode);
    std::string record;
    format::encode(inode, record);
    REQUIRE(tree.put(format::inode_key(ino), record).has_value());
  }

  void erase(std::string_view key) { REQUIRE(tree.erase(key).has_value()); }

  // The report has a line with this text.
  void finds(std::string_view text) {
    const Result<CheckReport> report = volume->check();
    REQUIRE(report.has_value());
    bool found = false;
    for (const std::string& problem : report->problems) {
      UNSCOPED_INFO(problem);
      found = found || problem.find(text) != problem.npos;
    }
    INFO(text);
    CHECK(found);
  }
};

TEST_CASE("check: finds wrong link counts, entry counts and parents", "[unit][vol]") {
  Damaged world;
  world.change(world.file, [](Inode& inode) { inode.nlink = 2; });
  world.finds("2 links, but 1 names");
  world.change(world.dir, [](Inode& inode) { ++inode.nlink; });
  world.finds("4 links, should be 3");
  world.change(world.dir, [](Inode& inode) { ++inode.size; });
  world.finds("the record says 3 entries, there are 2");
  world.change(world.sub, [](Inode& inode) { inode.parent = root_ino; });
  world.finds("its parent is 1");
}

TEST_CASE("check: finds names without inodes and inodes without names", "[unit][vol]") {
  Damaged world;
  world.erase(format::inode_key(world.file));
  world.finds("which does not exist");
  Damaged other;
  other.erase(format::dirent_key(other.dir, "file"));
  other.finds("1 links, but 0 names");
  Damaged third;
  third.erase(format::dirent_key(third.dir, "sub"));
  third.finds("0 names, should be 1");
}

TEST_CASE("check: finds entries that listings miss, and listed ones that are not there",
          "[unit][vol]") {
  Damaged world;
  world.erase(format::number_key(world.dir, world.file.raw));
  world.finds("entry file is not listed");
  Damaged other;
  const format::Dirent entry = format::first_entry(Ino{other.file.raw + 1}, format::mode_regular);
  const std::string value = format::encode_by_number({.dirent = entry, .name = "ghost"});
  REQUIRE(other.tree.put(format::number_key(other.dir, entry.number), value).has_value());
  other.finds("ghost is listed, and there is no such entry");
  Damaged third;
  REQUIRE(third.tree.put(format::number_key(third.dir, third.file.raw), "x").has_value());
  third.finds("is damaged");
}

TEST_CASE("check: finds directories in a circle", "[unit][vol]") {
  Damaged world;
  const std::string entry = world.tree.get(format::dirent_key(root_ino, "dir"))->value;
  world.erase(format::dirent_key(root_ino, "dir"));
  REQUIRE(world.tree.put(format::dirent_key(world.sub, "dir"), entry).has_value());
  world.change(world.dir, [&](Inode& inode) { inode.parent = world.sub; });
  world.finds("cannot be reached from the root");
}

TEST_CASE("check: finds orphans without marks and marks without orphans", "[unit][vol]") {
  Damaged world;
  REQUIRE(world.tree.put(format::orphan_key(world.file), {}).has_value());
  world.finds("which has links");
  Damaged other;
  other.erase(format::dirent_key(other.dir, "file"));
  other.change(other.file, [](Inode& inode) { inode.nlink = 0; });
  other.finds("no orphan mark");
}

TEST_CASE("check: finds attributes and extents of nobody, and lost ones", "[unit][vol]") {
  Damaged world;
  world.erase(format::xattr_key(world.file, "user.large"));
  world.finds("misses 1 attributes");
  Damaged other;
  REQUIRE(other.tree.put(format::xattr_key(other.big, "user.x"), "v").has_value());
  other.finds("does not count it");
  Damaged third;
  const std::string run = third.tree.get(format::extent_key(third.big, 0))->value;
  REQUIRE(third.tree.put(format::extent_key(third.file, 0), run).has_value());
  third.finds("6 extents name it");
  Damaged fourth;
  fourth.erase(format::extent_key(fourth.big, 0));
  fourth.finds("neither used nor free");
}

TEST_CASE("check: finds references that the block index does not count, and counts without any",
          "[unit][vol]") {
  Damaged world;
  const Tree blocks = *world.volume->store().open_tree(format::blocks_tree_name);
  std::vector<std::pair<std::string, std::string>> entries;
  REQUIRE(
      blocks.for_each({}, [&](const Entry& entry) { entries.emplace_back(entry.key, entry.value); })
          .has_value());
  REQUIRE(entries.size() == 2);  // three whole blocks of the same bytes, and a short one
  const bool first_is_shared = entries[0].second[0] == 3;
  const auto& [key, value] = entries[first_is_shared ? 0 : 1];
  std::string other = value;
  other[0] = 4;
  REQUIRE(blocks.put(key, other).has_value());
  world.finds("4 references are recorded, 3 extents name it");
  REQUIRE(blocks.erase(key).has_value());
  world.finds("recorded as named once");
  world.finds("the counter says 2 blocks are indexed, the walk found 1");
  REQUIRE(blocks.put(key, value).has_value());
  CHECK(world.volume->check()->problems.empty());
  world.erase(format::extent_key(world.big, 0));
  world.finds("3 references are recorded, 0 extents name it");
}

TEST_CASE("check: finds wrong counters and damaged records", "[unit][vol]") {
  Damaged world;
  Txn txn;
  txn.add(world.tree, format::index_of(format::VolumeCounter::inodes), 1);
  REQUIRE(world.volume->store().commit(txn).has_value());
  world.finds("the counter says 6 inodes, the walk found 5");
  REQUIRE(world.tree.put(format::inode_key(world.file), "nonsense").has_value());
  world.finds("the record is damaged");
  CHECK(world.volume->getattr(world.file).error().code == Errc::record_corrupt);
}

TEST_CASE("check: reads every block when asked and finds a flipped bit", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  const Ino ino = volume->mknod(root_ino, "file", 0100644, 0, {})->ino;
  REQUIRE(test::write_at(*volume, ino, 0, std::string(200000, 'x')).has_value());
  REQUIRE(volume->sync().has_value());
  test::require_clean(*volume);
  std::uint64_t flipped = 0;
  for (std::uint64_t unit = 0; unit < 64; ++unit) {
    flipped += disk.flip_bit("blocks.dat", (unit * 4096 + 10) * 8) ? 1U : 0U;
  }
  REQUIRE(flipped > 0);
  CHECK(volume->check()->problems.empty());
  CHECK_FALSE(volume->check({.read_contents = true})->problems.empty());
}

}  // namespace
}  // namespace artfs
