// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"
#include "vol/dir_stream.hpp"

namespace artfs::vol {
namespace {

using test::volume_in_memory;

struct Opened {
  std::unique_ptr<VolumeImpl> volume;
  std::unique_ptr<Volume> facade;
  Core* core = nullptr;
};

// The facade and the core below it.
Opened open_both() {
  auto store = Store::open_in_memory(test::small_options());
  REQUIRE(store.has_value());
  REQUIRE(VolumeImpl::format_store(**store, {}).has_value());
  auto impl = VolumeImpl::open_store(*std::move(store), test::small_volume_options());
  REQUIRE(impl.has_value());
  Opened opened;
  opened.core = &(*impl)->core();
  opened.facade = std::make_unique<Volume>(*std::move(impl));
  return opened;
}

void make(Volume& volume, Ino dir, const std::string& name) {
  REQUIRE(volume.mknod(dir, name, 0100644, 0, {}).has_value());
}

// Reads as a kernel does: seek, take what fits, step back over what does not.
class Reader {
 public:
  Reader(DirStreamImpl& stream, std::size_t batch) : stream_(stream), batch_(batch) {}

  // False at the end.
  bool read(std::multiset<std::string>& seen) {
    REQUIRE(stream_.seek(offset_).has_value());
    for (std::size_t i = 0;; ++i) {
      const auto entry = stream_.next();
      REQUIRE(entry.has_value());
      if (*entry == nullptr) return false;
      if (i == batch_) {
        stream_.unread();
        return true;
      }
      seen.emplace((*entry)->name);
      offset_ = (*entry)->offset;
    }
  }

 private:
  DirStreamImpl& stream_;
  std::size_t batch_;
  std::int64_t offset_ = 0;
};

TEST_CASE(
    "T2: an entry present throughout is returned exactly once, for every batch size, "
    "whatever changes beside it",
    "[unit][vol]") {
  const std::uint64_t seeds = test::scaled(200);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng(seed);
    const Opened opened = open_both();
    Volume& volume = *opened.facade;
    std::set<std::string> stable;
    std::set<std::string> passing;
    const std::size_t entries = rng() % 120;
    for (std::size_t i = 0; i < entries; ++i) {
      const std::string name = "n" + std::to_string(rng() % 1000);
      if (!stable.insert(name).second) continue;
      make(volume, root_ino, name);
    }
    DirStreamImpl stream(*opened.core, root_ino);
    Reader reader(stream, 1 + seed % 37);
    std::multiset<std::string> seen;
    for (bool more = true; more;) {
      more = reader.read(seen);
      for (std::uint64_t change = rng() % 8; change > 0; --change) {
        const std::string name = "n" + std::to_string(rng() % 1000);
        if (stable.contains(name)) continue;
        if (passing.erase(name) != 0) {
          REQUIRE(volume.unlink(root_ino, name).has_value());
        } else {
          make(volume, root_ino, name);
          passing.insert(name);
        }
      }
    }
    CHECK(seen.count(".") == 1);
    CHECK(seen.count("..") == 1);
    for (const std::string& name : stable) CHECK(seen.count(name) == 1);
  }
}

TEST_CASE("T2: rm -rf in any batch size leaves nothing behind", "[unit][vol]") {
  for (std::size_t batch = 1; batch < 70; batch += 3) {
    CAPTURE(batch);
    const Opened opened = open_both();
    Volume& volume = *opened.facade;
    for (int i = 0; i < 150; ++i) make(volume, root_ino, "file" + std::to_string(i * 7919));
    DirStreamImpl stream(*opened.core, root_ino);
    Reader reader(stream, batch);
    for (bool more = true; more;) {
      std::multiset<std::string> seen;
      more = reader.read(seen);
      for (const std::string& name : seen) {
        if (name != "." && name != "..") REQUIRE(volume.unlink(root_ino, name).has_value());
      }
    }
    CHECK(volume.getattr(root_ino)->nlink == 2);
    std::multiset<std::string> left;
    DirStreamImpl again(*opened.core, root_ino);
    (void)Reader(again, 1000).read(left);
    CHECK(left.size() == 2);
  }
}

TEST_CASE("dir stream: offsets mean the same in another stream, and go back in this one",
          "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  for (int i = 0; i < 300; ++i) make(volume, root_ino, "e" + std::to_string(i));
  std::vector<std::pair<std::string, std::int64_t>> order;
  DirStreamImpl stream(*opened.core, root_ino, name_offset, 50);
  for (;;) {
    const auto entry = stream.next();
    REQUIRE(entry.has_value());
    if (*entry == nullptr) break;
    order.emplace_back((*entry)->name, (*entry)->offset);
  }
  REQUIRE(order.size() == 302);
  CHECK(order[0].second == DirStreamImpl::after_dot);
  CHECK(order[1].second == DirStreamImpl::after_dotdot);
  // Within the window, behind it, and in a stream that has seen nothing.
  for (const std::size_t at : {0UL, 1UL, 2UL, 100UL, 290UL, 300UL}) {
    CAPTURE(at);
    DirStreamImpl fresh(*opened.core, root_ino);
    for (DirStreamImpl* each : {&stream, &fresh}) {
      REQUIRE(each->seek(order[at].second).has_value());
      const auto entry = each->next();
      REQUIRE(entry.has_value());
      REQUIRE(*entry != nullptr);
      CHECK((*entry)->name == order[at + 1].first);
    }
  }
  REQUIRE(stream.seek(order.back().second).has_value());
  CHECK(*stream.next() == nullptr);
}

TEST_CASE("dir stream: an entry removed since still marks its place", "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  for (const char* name : {"a", "b", "c", "d"}) make(volume, root_ino, name);
  DirStreamImpl stream(*opened.core, root_ino);
  std::map<std::string, std::int64_t> offsets;
  while (const DirEntry* entry = *stream.next()) offsets[std::string(entry->name)] = entry->offset;
  REQUIRE(volume.unlink(root_ino, "b").has_value());
  REQUIRE(stream.seek(offsets["b"]).has_value());
  CHECK((*stream.next())->name == "c");
}

// Everything collides: offsets tell nothing but the current position and the window do.
std::int64_t one_hash(std::string_view) noexcept {
  return 7;
}

std::int64_t few_hashes(std::string_view name) noexcept {
  return 3 + name.back() % 4;
}

TEST_CASE("dir stream: names whose hashes collide are all returned once", "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.insert("e" + std::to_string(i));
    make(volume, root_ino, "e" + std::to_string(i));
  }
  for (const auto hash : {one_hash, few_hashes}) {
    for (std::size_t batch = 1; batch < 40; ++batch) {
      CAPTURE(batch);
      DirStreamImpl stream(*opened.core, root_ino, hash);
      Reader reader(stream, batch);
      std::multiset<std::string> seen;
      while (reader.read(seen)) {
      }
      REQUIRE(seen.size() == names.size() + 2);
      for (const std::string& name : names) CHECK(seen.count(name) == 1);
    }
  }
}

TEST_CASE("dir stream: offsets are never those of the dots", "[unit][vol]") {
  for (int i = 0; i < 1000; ++i)
    CHECK(name_offset(std::to_string(i)) > DirStreamImpl::after_dotdot);
}

TEST_CASE("dir stream: only directories can be opened, and '..' is the parent", "[unit][vol]") {
  const auto volume = volume_in_memory();
  make(*volume, root_ino, "file");
  const Ino file = volume->lookup(root_ino, "file")->ino;
  CHECK(volume->open_dir(file).error().code == Errc::not_a_directory);
  CHECK(volume->open_dir(Ino{999999}).error().code == Errc::inode_not_found);
  const Ino dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
  const auto stream = volume->open_dir(dir);
  REQUIRE(stream.has_value());
  const DirEntry dot = **(*stream)->next();
  CHECK(dot.ino == dir);
  const DirEntry dotdot = **(*stream)->next();
  CHECK(dotdot.ino == root_ino);
  CHECK(*(*stream)->next() == nullptr);
}

}  // namespace
}  // namespace artfs::vol
