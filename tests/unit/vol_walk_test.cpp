// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "format/dirent.hpp"
#include "format/key.hpp"
#include "support/volume_on_disk.hpp"
#include "vol/inode.hpp"
#include "vol/walk.hpp"

namespace artfs::vol {
namespace {

using test::volume_in_memory;
using test::write_at;

struct Seen {
  Attr attr;
  std::uint64_t depth = 0;
  std::uint64_t entries = 0;
  std::string target;
  std::optional<Error> error;
  std::size_t visits = 0;
};

using Tree = std::map<std::string, Seen>;

Ino make(Volume& volume, Ino dir, const std::string& name) {
  const auto made = volume.mknod(dir, name, 0100644, 0, {});
  REQUIRE(made.has_value());
  return made->ino;
}

Ino make_directory(Volume& volume, Ino dir, const std::string& name) {
  const auto made = volume.mkdir(dir, name, 0755, {});
  REQUIRE(made.has_value());
  return made->ino;
}

Tree walk_all(Volume& volume, Ino root = root_ino, const WalkOptions& options = {}) {
  Tree tree;
  const Result<bool> walked = volume.walk(root, options, [&](const WalkEntry& entry) {
    Seen& seen = tree[std::string(entry.path)];
    ++seen.visits;
    seen.attr = entry.attr;
    seen.depth = entry.depth;
    seen.entries = entry.entries;
    seen.target = entry.target;
    seen.error = entry.error;
    CHECK(entry.path.substr(entry.path.size() - entry.name.size()) == entry.name);
    return true;
  });
  REQUIRE(walked.has_value());
  CHECK(*walked);
  return tree;
}

bool same_attributes(const Attr& a, const Attr& b) {
  return a.ino == b.ino && a.mode == b.mode && a.nlink == b.nlink && a.uid == b.uid &&
         a.gid == b.gid && a.rdev == b.rdev && a.size == b.size && a.blocks_512 == b.blocks_512 &&
         a.block_bytes == b.block_bytes && a.atime == b.atime && a.mtime == b.mtime &&
         a.ctime == b.ctime && a.btime == b.btime && a.has_xattrs == b.has_xattrs;
}

// By listing and getattr, a descent each.
void walk_slowly(Volume& volume, Ino dir, const std::string& path,
                 std::map<std::string, Attr>& out) {
  const auto stream = volume.open_dir(dir);
  REQUIRE(stream.has_value());
  for (;;) {
    const auto entry = (*stream)->next();
    REQUIRE(entry.has_value());
    if (*entry == nullptr) return;
    const std::string name((*entry)->name);
    if (name == "." || name == "..") continue;
    const std::string below = path.empty() ? name : path + "/" + name;
    const auto attr = volume.getattr((*entry)->ino);
    REQUIRE(attr.has_value());
    out.emplace(below, *attr);
    if ((attr->mode & format::mode_type_mask) == format::mode_directory) {
      walk_slowly(volume, attr->ino, below, out);
    }
  }
}

void check_against_listing(Volume& volume) {
  std::map<std::string, Attr> wanted;
  walk_slowly(volume, root_ino, "", wanted);  // reading a directory moves its access time, once
  wanted.clear();
  walk_slowly(volume, root_ino, "", wanted);
  Tree tree = walk_all(volume);
  CHECK(tree.at("").depth == 0);
  tree.erase("");
  REQUIRE(tree.size() == wanted.size());
  for (const auto& [path, attr] : wanted) {
    INFO(path);
    REQUIRE(tree.contains(path));
    CHECK(same_attributes(tree.at(path).attr, attr));
    CHECK(tree.at(path).visits == 1);
  }
}

TEST_CASE("walk: shows what listing and getattr show, in trees of any shape", "[unit][vol]") {
  const auto seed = GENERATE(range(1U, 6U));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto volume = volume_in_memory();
  std::vector<Ino> dirs{root_ino};
  std::vector<Ino> files;
  for (int step = 0; step < 3000; ++step) {
    const Ino dir =
        dirs[random() % (seed < 3 ? dirs.size() : std::min<std::size_t>(dirs.size(), 3))];
    const std::string name = std::to_string(random() % 100'000);
    const auto kind = random() % 20;
    if (kind == 0) {
      const auto made = volume->mkdir(dir, name, 0755, {});
      if (made) dirs.push_back(made->ino);
    } else if (kind == 1) {
      static_cast<void>(volume->symlink(dir, name, std::string(random() % 300 + 1, 'x'), {}));
    } else if (kind == 2 && !files.empty()) {
      static_cast<void>(volume->link(files[random() % files.size()], dir, name));
    } else if (kind == 3) {
      static_cast<void>(volume->mknod(dir, name, 0020600, 0x0103, {}));
    } else {
      const auto made = volume->mknod(dir, name, 0100644, 0, {});
      if (!made) continue;
      files.push_back(made->ino);
      REQUIRE(write_at(*volume, made->ino, 0, std::string(random() % 3000, 'y')).has_value());
    }
  }
  check_against_listing(*volume);
  REQUIRE(volume->sync().has_value());
  check_against_listing(*volume);
}

TEST_CASE("walk: directories come before what is in them, siblings in listing order",
          "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino b = make_directory(*volume, root_ino, "b");
  make(*volume, root_ino, "a");
  make(*volume, b, "y");
  make_directory(*volume, b, "x");
  std::vector<std::string> order;
  REQUIRE(*volume->walk(root_ino, {}, [&](const WalkEntry& entry) {
    order.emplace_back(entry.path);
    return true;
  }));
  CHECK(order == std::vector<std::string>{"", "b", "b/y", "b/x", "a"});
}

TEST_CASE("walk: levels, other roots, an end by the visitor", "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino a = make_directory(*volume, root_ino, "a");
  const Ino b = make_directory(*volume, a, "b");
  const Ino file = make(*volume, b, "file");
  CHECK(walk_all(*volume, root_ino, {.levels_max = 0}).size() == 1);
  CHECK(walk_all(*volume, root_ino, {.levels_max = 2}).size() == 3);
  CHECK(walk_all(*volume, a).contains("b/file"));
  const Tree alone = walk_all(*volume, file);
  CHECK(alone.size() == 1);
  CHECK(alone.at("").attr.ino == file);
  std::size_t visits = 0;
  const auto ended = volume->walk(root_ino, {}, [&](const WalkEntry&) { return ++visits < 3; });
  REQUIRE(ended.has_value());
  CHECK_FALSE(*ended);
  CHECK(visits == 3);
  const auto nowhere = volume->walk(Ino{4711}, {}, [](const WalkEntry&) { return true; });
  CHECK(nowhere.error().code == Errc::inode_not_found);
}

TEST_CASE("walk: a tree much deeper than the stretches that are kept", "[unit][vol]") {
  const auto volume = volume_in_memory();
  Ino dir = root_ino;
  constexpr std::uint64_t levels = 300;
  for (std::uint64_t level = 0; level < levels; ++level) {
    for (int i = 0; i < 3; ++i) make(*volume, dir, "before" + std::to_string(i));
    const Ino next = make_directory(*volume, dir, "d");
    for (int i = 0; i < 3; ++i) make(*volume, dir, "after" + std::to_string(i));
    dir = next;
  }
  std::uint64_t entries = 0;
  std::uint64_t depth = 0;
  REQUIRE(*volume->walk(root_ino, {}, [&](const WalkEntry& entry) {
    ++entries;
    depth = std::max(depth, entry.depth);
    return true;
  }));
  CHECK(entries == levels * 7 + 1);
  CHECK(depth == levels);
}

TEST_CASE("walk: directories larger than a stretch, with directories among them", "[unit][vol]") {
  const auto volume = volume_in_memory();
  for (int i = 0; i < 2000; ++i) {
    const std::string name = std::to_string(i);
    if (i % 3 == 0) {
      make(*volume, make_directory(*volume, root_ino, name), "below");
    } else {
      make(*volume, root_ino, name);
    }
  }
  for (int i = 0; i < 2000; i += 7) {
    if (i % 3 != 0) REQUIRE(volume->unlink(root_ino, std::to_string(i)).has_value());
  }
  check_against_listing(*volume);
}

TEST_CASE("walk: sizes and times that were accepted are shown, flushed or not", "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Attr file = *volume->create(root_ino, "file", 0644, {});
  REQUIRE(write_at(*volume, file.ino, 0, std::string(100'000, 'x')).has_value());
  const Tree tree = walk_all(*volume);
  CHECK(tree.at("file").attr.size == 100'000);
  CHECK(same_attributes(tree.at("file").attr, *volume->getattr(file.ino)));
  volume->release(file.ino);
  CHECK(walk_all(*volume).at("file").attr.size == 100'000);
}

// Each file is written once more and the size noted, then a walk must show at least that.
TEST_CASE("walk: beside writers and their flushes no accepted size is missed", "[unit][vol]") {
  const auto volume = volume_in_memory();
  constexpr std::size_t files = 400;
  std::vector<Ino> inos;
  for (std::size_t i = 0; i < files; ++i)
    inos.push_back(make(*volume, root_ino, std::to_string(i)));
  std::vector<std::atomic<std::uint64_t>> sizes(files);
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    std::mt19937_64 random(7);
    for (std::uint64_t round = 0; !is_over; ++round) {
      const std::size_t at = random() % files;
      const std::uint64_t size = sizes[at] + 1;
      if (!write_at(*volume, inos[at], size - 1, "x")) break;
      sizes[at] = size;
      if (round % 16 == 0) static_cast<void>(volume->flush(inos[random() % files]));
    }
  });
  for (int round = 0; round < 100; ++round) {
    std::vector<std::uint64_t> least;
    for (const auto& size : sizes) least.push_back(size);
    const Tree tree = walk_all(*volume);
    REQUIRE(tree.size() == files + 1);
    for (std::size_t i = 0; i < files; ++i) {
      CHECK(tree.at(std::to_string(i)).attr.size >= least[i]);
    }
  }
  is_over = true;
  writer.join();
}

TEST_CASE("walk: what stands throughout comes once while others come and go", "[unit][vol]") {
  const auto volume = volume_in_memory();
  std::vector<Ino> dirs;
  for (int i = 0; i < 20; ++i) {
    dirs.push_back(make_directory(*volume, root_ino, "d" + std::to_string(i)));
    for (int k = 0; k < 100; ++k) make(*volume, dirs.back(), "stays" + std::to_string(k));
  }
  std::atomic<bool> is_over = false;
  std::thread changer([&] {
    std::mt19937_64 random(3);
    while (!is_over) {
      const Ino dir = dirs[random() % dirs.size()];
      const std::string name = "comes" + std::to_string(random() % 50);
      if (!volume->mknod(dir, name, 0100644, 0, {})) static_cast<void>(volume->unlink(dir, name));
    }
  });
  for (int round = 0; round < 50; ++round) {
    const Tree tree = walk_all(*volume);
    std::size_t stayed = 0;
    for (const auto& [path, seen] : tree) {
      CHECK_FALSE(seen.error.has_value());
      if (path.find("stays") == path.npos) continue;
      ++stayed;
      CHECK(seen.visits == 1);
    }
    CHECK(stayed == 2000);
  }
  is_over = true;
  changer.join();
}

TEST_CASE("walk: a damaged inode, a name without one, a directory in itself: named, and on it goes",
          "[unit][vol]") {
  const auto volume = volume_in_memory();
  const Ino dir = make_directory(*volume, root_ino, "dir");
  const Ino bad = make(*volume, dir, "bad");
  const Ino lost = make(*volume, dir, "lost");
  make(*volume, dir, "good");
  const Ino inner = make_directory(*volume, dir, "inner");
  const artfs::Tree tree = *volume->store().open_tree(format::volume_tree_name);
  REQUIRE(tree.put(format::inode_key(bad), "nonsense").has_value());
  REQUIRE(tree.erase(format::inode_key(lost)).has_value());
  const format::Dirent circle{.ino = dir,
                              .type = format::mode_directory,
                              .number = inner.raw + 2};  // of the same run: listed
  REQUIRE(tree.put(format::number_key(dir, circle.number),
                   format::encode_by_number({.dirent = circle, .name = "circle"}))
              .has_value());
  REQUIRE(tree.put(format::number_key(dir, inner.raw + 1), "").has_value());  // no entry at all
  const Tree seen = walk_all(*volume);
  CHECK(seen.at("dir/bad").error->code == Errc::record_corrupt);
  CHECK((seen.at("dir/bad").attr.mode & format::mode_type_mask) == format::mode_regular);
  CHECK(seen.at("dir/lost").error->code == Errc::inode_not_found);
  CHECK_FALSE(seen.at("dir/good").error.has_value());
  CHECK_FALSE(seen.at("dir/inner").error.has_value());
  CHECK(seen.at("dir/circle").error->code == Errc::record_corrupt);
  CHECK(seen.at("dir/circle").visits == 2);
  CHECK(seen.at("dir").error->code == Errc::record_corrupt);  // the second time
  CHECK(seen.at("dir").visits == 2);
}

}  // namespace
}  // namespace artfs::vol
