// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "format/dirent.hpp"
#include "format/key.hpp"
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

// Reads as a kernel does: seek, take what fits, step back over what does not; with attributes, without them, or
// now so and now so.
class Reader {
 public:
  Reader(DirStreamImpl& stream, std::size_t batch) : stream_(stream), batch_(batch) {}

  // False at the end.
  bool read(std::multiset<std::string>& seen) {
    REQUIRE(stream_.seek(offset_).has_value());
    stream_.forget_attributes();
    const bool is_plus = batch_ % 3 == 1 || (batch_ % 3 == 2 && ++requests_ % 2 == 0);
    for (std::size_t i = 0;; ++i) {
      const auto entry = is_plus ? stream_.next_with_attributes() : stream_.next();
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
  std::size_t requests_ = 0;
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

struct Listed {
  std::string name;
  std::int64_t offset;
};

std::vector<Listed> list_from(DirStreamImpl& stream, std::int64_t offset) {
  std::vector<Listed> out;
  REQUIRE(stream.seek(offset).has_value());
  for (;;) {
    const auto entry = stream.next();
    REQUIRE(entry.has_value());
    if (*entry == nullptr) return out;
    out.push_back({std::string((*entry)->name), (*entry)->offset});
  }
}

TEST_CASE("dir stream: offsets mean the same in another stream, and go back in this one",
          "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  for (int i = 0; i < 300; ++i) make(volume, root_ino, "e" + std::to_string(i));
  DirStreamImpl stream(*opened.core, root_ino);
  const std::vector<Listed> order = list_from(stream, 0);
  REQUIRE(order.size() == 302);
  CHECK(order[0].offset == DirStreamImpl::after_dot);
  CHECK(order[1].offset == DirStreamImpl::after_dotdot);
  for (const std::size_t at : {0UL, 1UL, 2UL, 100UL, 290UL, 300UL}) {
    CAPTURE(at);
    DirStreamImpl fresh(*opened.core, root_ino);
    for (DirStreamImpl* each : {&stream, &fresh}) {
      REQUIRE(each->seek(order[at].offset).has_value());
      const auto entry = each->next();
      REQUIRE(entry.has_value());
      REQUIRE(*entry != nullptr);
      CHECK((*entry)->name == order[at + 1].name);
    }
  }
  REQUIRE(stream.seek(order.back().offset).has_value());
  CHECK(*stream.next() == nullptr);
  CHECK(stream.seek(-1).error().code == Errc::invalid_argument);
}

// Changes a directory at random but leaves `stable` alone: also names that are replaced or exchanged stay.
class Churn {
 public:
  Churn(Volume& volume, std::uint64_t seed) : volume_(volume), rng_(seed) {
    other_ = volume.mkdir(root_ino, "other", 0755, {})->ino;
    dir = volume.mkdir(root_ino, "dir", 0755, {})->ino;
    for (std::uint64_t i = below(150); i > 0; --i) {
      const std::string name = "stable" + std::to_string(i * 7919 % 1000);
      if (!stable.insert(name).second) continue;
      make(volume, dir, name);
    }
  }

  void step() {
    const std::string name = "n" + std::to_string(below(60));
    const bool there = volume_.lookup(dir, name).has_value();
    switch (below(9)) {
      case 0:
        return void(volume_.unlink(dir, name));
      case 1:
        return void(volume_.rename({dir, name}, {dir, "m" + name}, {}));
      case 2:
        return void(volume_.rename({dir, "m" + name}, {other_, name}, {}));
      case 3:
        return void(volume_.rename({other_, name}, {dir, "b" + name}, {}));
      case 4:  // a name that stays becomes another file
        if (there && !stable.empty()) REQUIRE(volume_.rename({dir, name}, {dir, some()}, {}));
        return;
      case 5:
        if (there && !stable.empty()) {
          REQUIRE(volume_.rename({dir, name}, {dir, some()}, {.exchange = true}));
        }
        return;
      case 6:  // a name that stays becomes a whiteout
        if (stable.empty()) return;
        REQUIRE(volume_.rename({dir, some()}, {dir, name}, {.whiteout = true}));
        return;
      case 7:
        if (!stable.empty() && !there) {
          REQUIRE(volume_.link(volume_.lookup(dir, some())->ino, dir, name));
        }
        return;
      default:
        if (!there) make(volume_, dir, name);
    }
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }

  Ino dir;
  std::set<std::string> stable;

 private:
  const std::string& some() {
    return *std::next(stable.begin(), static_cast<std::ptrdiff_t>(below(stable.size())));
  }

  Volume& volume_;
  std::mt19937_64 rng_;
  Ino other_;
};

TEST_CASE(
    "T2: names that are replaced, exchanged or whited out beside a listing are in it exactly once",
    "[unit][vol]") {
  const std::uint64_t seeds = test::scaled(300);
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + seeds; ++seed) {
    CAPTURE(seed);
    const Opened opened = open_both();
    Churn churn(*opened.facade, seed);
    DirStreamImpl stream(*opened.core, churn.dir);
    Reader reader(stream, 1 + seed % 37);
    std::multiset<std::string> seen;
    for (bool more = true; more;) {
      more = reader.read(seen);
      for (std::uint64_t change = churn.below(8); change > 0; --change) churn.step();
    }
    for (const std::string& name : churn.stable) CHECK(seen.count(name) == 1);
    test::require_clean(*opened.facade);
  }
}

TEST_CASE(
    "dir stream: a seek to any offset there ever was continues with what followed it then and "
    "stays, also when the entry is gone, in another stream, and after a reopen",
    "[unit][vol]") {
  const std::uint64_t seeds = test::scaled(60);
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + seeds; ++seed) {
    CAPTURE(seed);
    io::MemoryDirectory disk;
    test::must_format(disk);
    auto volume = test::must_open_volume(disk, test::small_volume_options());
    Churn churn(*volume, seed);
    for (int i = 0; i < 100; ++i) churn.step();
    // Every position the directory had: by offset, the stable names that follow it.
    std::map<std::int64_t, std::multiset<std::string>> positions;
    const auto note = [&] {
      std::multiset<std::string> behind;
      const auto stream = *volume->open_dir(churn.dir);
      std::vector<Listed> listed;
      while (const DirEntry* entry = *stream->next()) {
        listed.push_back({std::string(entry->name), entry->offset});
      }
      for (auto each = listed.rbegin(); each != listed.rend(); ++each) {
        const auto [at, is_new] = positions.emplace(each->offset, behind);
        CHECK(at->second == behind);  // and they are the same each time
        if (churn.stable.contains(each->name)) behind.insert(each->name);
      }
    };
    const auto verify = [&](bool in_one_stream) {
      auto stream = *volume->open_dir(churn.dir);
      for (const auto& [offset, wanted] : positions) {
        if (!in_one_stream) stream = *volume->open_dir(churn.dir);
        REQUIRE(stream->seek(offset).has_value());
        std::multiset<std::string> got;
        while (const DirEntry* entry = *stream->next()) {
          if (churn.stable.contains(std::string(entry->name))) got.emplace(entry->name);
        }
        CHECK(got == wanted);
      }
    };
    for (int round = 0; round < 4; ++round) {
      note();
      for (int i = 0; i < 40; ++i) churn.step();
    }
    verify(true);
    REQUIRE(volume->close().has_value());
    volume = test::must_open_volume(disk, test::small_volume_options());
    verify(false);
    note();
    test::require_clean(*volume);
  }
}

TEST_CASE("dir stream: a listing ends although each entry that is seen makes another one",
          "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  for (int i = 0; i < 100; ++i) make(volume, root_ino, "e" + std::to_string(i));
  DirStreamImpl stream(*opened.core, root_ino);
  std::size_t seen = 0;
  while (const DirEntry* entry = *stream.next()) {
    REQUIRE(++seen < 300);
    make(volume, root_ino, "copy of " + std::string(entry->name));
  }
  CHECK(seen >= 102);
  // Rewound, it sees them all, and renaming what is seen makes nothing come again.
  std::size_t renamed = 0;
  REQUIRE(stream.seek(0).has_value());
  while (const DirEntry* entry = *stream.next()) {
    const std::string name(entry->name);
    if (name == "." || name == "..") continue;
    REQUIRE(++renamed < 1000);
    REQUIRE(volume.rename({root_ino, name}, {root_ino, "z" + name}, {}).has_value());
  }
  CHECK(renamed == volume.getattr(root_ino)->nlink - 2 + list_from(stream, 0).size() - 2);
}

TEST_CASE("dir stream: entries come in the order of their inodes", "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  std::mt19937_64 rng(7);
  for (int i = 0; i < 1000; ++i) make(volume, root_ino, std::to_string(rng()));
  DirStreamImpl stream(*opened.core, root_ino);
  std::uint64_t before = 0;
  while (const DirEntry* entry = *stream.next()) {
    if (entry->name == "." || entry->name == "..") continue;
    CHECK(entry->ino.raw > before);
    CHECK(entry->offset == static_cast<std::int64_t>(entry->ino.raw));
    before = entry->ino.raw;
  }
}

TEST_CASE("dir stream: an entry that cannot be read fails each time, and is not passed over",
          "[unit][vol]") {
  const Opened opened = open_both();
  Volume& volume = *opened.facade;
  for (const char* name : {"a", "b", "c"}) make(volume, root_ino, name);
  const Ino b = volume.lookup(root_ino, "b")->ino;
  REQUIRE(opened.core->tree.put(format::number_key(root_ino, b.raw), "").has_value());
  DirStreamImpl stream(*opened.core, root_ino);
  for (int i = 0; i < 3; ++i) REQUIRE(stream.next().has_value());
  for (int i = 0; i < 3; ++i) CHECK(stream.next().error().code == Errc::record_corrupt);
  REQUIRE(stream.seek(static_cast<std::int64_t>(b.raw)).has_value());
  CHECK((**stream.next()).name == "c");
}

// A volume as version 1 left it: no entries by number.
void make_old(io::Directory& disk) {
  const auto store = test::must_open(disk, test::small_options());
  const Tree tree = *store->open_tree(format::volume_tree_name);
  Txn txn;
  Scan scan = tree.scan({.prefix = format::numbers_class, .keys_only = true});
  while (*scan.next()) txn.erase(tree, scan.entry().key);
  Scan names = tree.scan({.prefix = format::dirents_class});
  while (*names.next()) txn.put(tree, names.entry().key, names.entry().value.substr(0, 9));
  std::string settings = tree.get(format::volume_settings_key)->value;
  settings[0] = 1;
  settings.replace(0x0c, 4, 4, '\0');
  txn.put(tree, format::volume_settings_key, settings);
  REQUIRE(store->commit(txn).has_value());
  REQUIRE(store->close().has_value());
}

TEST_CASE(
    "dir stream: a volume of version 1 is listed read-only, and numbered once it may be written",
    "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::multiset<std::string> wanted = {".", ".."};
  Ino dir;
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    dir = volume->mkdir(root_ino, "dir", 0755, {})->ino;
    for (int i = 0; i < 2500; ++i) {
      wanted.insert("e" + std::to_string(i));
      make(*volume, dir, "e" + std::to_string(i));
    }
    const Ino twice = volume->lookup(dir, "e7")->ino;
    REQUIRE(volume->link(twice, dir, "link"));
    REQUIRE(volume->link(twice, root_ino, "e0"));
    wanted.insert("link");
    REQUIRE(volume->close().has_value());
  }
  make_old(disk);
  const auto listed = [&](Volume& volume, std::size_t batch) {
    std::multiset<std::string> names;
    std::int64_t offset = 0;
    for (bool more = true; more;) {
      const auto stream = *volume.open_dir(dir);  // each part by a stream that has seen nothing
      REQUIRE(stream->seek(offset).has_value());
      for (std::size_t i = 0; i < batch; ++i) {
        const DirEntry* entry = *stream->next();
        more = entry != nullptr;
        if (!more) break;
        names.emplace(entry->name);
        offset = entry->offset;
      }
    }
    return names;
  };
  {
    VolumeOptions options = test::small_volume_options();
    options.store.read_only = true;
    const auto volume = test::must_open_volume(disk, options);
    CHECK(listed(*volume, 100) == wanted);
    std::multiset<std::string> walked = {".", ".."};
    CHECK(*volume->walk(dir, {}, [&](const WalkEntry& entry) {
      CHECK_FALSE(entry.error.has_value());
      if (entry.depth == 1) walked.emplace(entry.name);
      return true;
    }));
    CHECK(walked == wanted);
    const auto stream = *volume->open_dir(dir);
    std::multiset<std::string> shown;
    while (const DirEntry* entry = *stream->next_with_attributes()) {
      if (stream->attributes() != nullptr) CHECK(stream->attributes()->ino == entry->ino);
      shown.emplace(entry->name);
    }
    CHECK(shown == wanted);
    test::require_clean(*volume);
  }
  for (int life = 0; life < 2; ++life) {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    CHECK(listed(*volume, 100) == wanted);
    test::require_clean(*volume);
    // Numbers are unique over all directories: moving both names of one file together is no collision.
    if (life == 0) REQUIRE(volume->rename({root_ino, "e0"}, {dir, "moved"}, {}));
    if (life == 0) wanted.insert("moved");
    REQUIRE(volume->close().has_value());
  }
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
