// SPDX-License-Identifier: Apache-2.0
// Power cuts under a volume: what was synced is there, everything else is as some moment left it.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::must_open_volume;

// Contents that say what they are: every byte depends on file, generation and position.
std::string contents_of(std::uint64_t file, std::uint64_t generation, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>('a' + (file * 7 + generation * 13 + i / 61 + i) % 26);
  }
  return out;
}

struct File {
  std::string synced;  // what an fsync or sync covered last
  bool synced_there = false;
  std::vector<std::string> since;  // what it was after each change since; "" with `removed` below
  bool may_be_absent = true;
};

class Life {
 public:
  Life(std::uint64_t seed, std::map<std::string, File>& files) : rng_(seed), files_(files) {}

  // Works until the disk fails.
  void work(Volume& volume) {
    for (int step = 0; step < 150; ++step) {
      if (!one(volume)) return;
    }
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }

  bool one(Volume& volume) {
    const std::string name = "f" + std::to_string(below(8));
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return write_whole(volume, name, "").has_value();
      case 4:
      case 5:
        return replace(volume, name);
      case 6:
        return remove(volume, name);
      default:
        return sync(volume, name);
    }
  }

  std::string fresh(const std::string& name) {
    const std::size_t size = below(3) == 0 ? 1 + below(200000) : 1 + below(3000);
    return contents_of(static_cast<std::uint64_t>(name.back()), ++generation_, size);
  }

  // A file of that name (with a prefix) gets new contents of one write; it may be new.
  Result<Ino> write_whole(Volume& volume, const std::string& name, const std::string& prefix) {
    const std::string data = fresh(name);
    Result<Attr> attr = volume.lookup(root_ino, prefix + name);
    File& file = files_[prefix + name];
    if (attr) {
      // Contents change in place: anything between the old and the new is possible in between.
      SetAttr cut;
      cut.size = 0;
      file.since.emplace_back();
      if (const auto done = volume.setattr(attr->ino, cut, {}); !done) return fail(done.error());
    } else {
      file.since.emplace_back();
      attr = volume.mknod(root_ino, prefix + name, 0100644, 0, {});
      if (!attr) return fail(attr.error());
    }
    file.since.push_back(data);
    if (const auto done = test::write_at(volume, attr->ino, 0, data); !done) {
      return fail(done.error());
    }
    return attr->ino;
  }

  // Write beside, rename over: the way editors and package managers save. Never an empty file.
  bool replace(Volume& volume, const std::string& name) {
    const Result<Ino> ino = write_whole(volume, name, "new-");
    if (!ino) return false;
    File& beside = files_["new-" + name];
    const std::string data = beside.since.back();
    const bool over = volume.lookup(root_ino, name).has_value();
    File& file = files_[name];
    file.since.push_back(data);
    if (!over) file.since.emplace_back();  // no order is promised where nothing is replaced
    beside.may_be_absent = true;
    return volume.rename({root_ino, "new-" + name}, {root_ino, name}, {}).has_value();
  }

  bool remove(Volume& volume, const std::string& name) {
    if (!volume.lookup(root_ino, name)) return true;
    files_[name].may_be_absent = true;
    return volume.unlink(root_ino, name).has_value();
  }

  bool sync(Volume& volume, const std::string& name) {
    const Result<Attr> attr = volume.lookup(root_ino, name);
    const bool all = !attr || below(2) == 0;
    const Result<void> done = all ? volume.sync() : volume.fsync(attr->ino);
    if (!done) return false;
    // Both are barriers: everything acknowledged is durable now, exactly as it is.
    for (auto& [path, file] : files_) {
      const Result<Attr> now = volume.lookup(root_ino, path);
      file.synced_there = now.has_value();
      file.may_be_absent = !now;
      file.synced = now ? test::read_all(volume, now->ino) : std::string{};
      file.since.clear();
    }
    return true;
  }

  std::mt19937_64 rng_;
  std::map<std::string, File>& files_;
  std::uint64_t generation_ = 0;
};

void compare(Volume& volume, std::map<std::string, File>& files) {
  for (auto& [name, file] : files) {
    CAPTURE(name);
    const Result<Attr> attr = volume.lookup(root_ino, name);
    if (!attr) {
      CHECK(file.may_be_absent);
      file = {};
      continue;
    }
    const std::string found = test::read_all(volume, attr->ino);
    bool known = file.synced_there && found == file.synced;
    for (const std::string& state : file.since) known = known || found == state;
    INFO("size " << found.size() << ", synced " << file.synced_there << " " << file.synced.size());
    CHECK(known);
    file = {.synced = found, .synced_there = true, .since = {found}, .may_be_absent = false};
  }
}

VolumeOptions random_options(std::uint64_t seed) {
  VolumeOptions options = test::small_volume_options();
  options.store.commit_interval = std::chrono::milliseconds(seed % 2 == 0 ? 10 : 10000);
  options.write_buffer_bytes = seed % 3 == 0 ? mib : 8 * mib;
  return options;
}

TEST_CASE("power cut: synced files survive, files renamed over others are never empty",
          "[crash][vol]") {
  const std::uint64_t seeds = test::scaled(60);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng(seed);
    auto disk = std::make_unique<io::MemoryDirectory>();
    test::must_format(*disk);
    std::map<std::string, File> files;
    for (std::uint64_t life = 0; life < 3; ++life) {
      CAPTURE(life);
      {
        const auto volume = must_open_volume(*disk, random_options(seed + life));
        disk->fail_call(1 + rng() % 400, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
        Life(seed * 16 + life, files).work(*volume);
      }
      disk = disk->clone_after_power_cut(seed * 8 + life);
      const auto volume = must_open_volume(*disk, test::small_volume_options());
      test::require_clean(*volume);
      CHECK(volume->stats().orphans == 0);
      compare(*volume, files);
      REQUIRE(volume->close().has_value());
    }
  }
}

TEST_CASE("power cut: a file that was open and unlinked is reclaimed at the next open",
          "[crash][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::unique_ptr<io::MemoryDirectory> after;
  {
    VolumeOptions options = test::small_volume_options();
    options.reclaim_on_forget = true;
    const auto volume = must_open_volume(disk, options);
    const Result<Attr> file = volume->create(root_ino, "file", 0644, {});
    REQUIRE(file.has_value());
    REQUIRE(test::write_at(*volume, file->ino, 0, std::string(300000, 'x')).has_value());
    REQUIRE(volume->mkdir(root_ino, "dir", 0755, {}).has_value());
    REQUIRE(volume->sync().has_value());
    REQUIRE(volume->unlink(root_ino, "file").has_value());
    REQUIRE(volume->rmdir(root_ino, "dir").has_value());
    REQUIRE(volume->sync().has_value());
    CHECK(volume->stats().orphans == 2);
    CHECK(test::read_all(*volume, file->ino) == std::string(300000, 'x'));
    after = disk.clone_after_power_cut(1);
  }
  const auto volume = must_open_volume(*after, test::small_volume_options());
  CHECK(volume->stats().orphans == 0);
  CHECK(volume->stats().inodes == 1);
  CHECK(volume->stats().content_bytes_used == 0);
  test::require_clean(*volume);
}

TEST_CASE("power cut: inode numbers are not reused", "[crash][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::map<std::uint64_t, int> given;
  std::unique_ptr<io::MemoryDirectory> current = disk.clone_current();
  for (int life = 0; life < 5; ++life) {
    std::unique_ptr<io::MemoryDirectory> after;
    {
      const auto volume = must_open_volume(*current, test::small_volume_options());
      for (int i = 0; i < 100; ++i) {
        const std::string name = std::to_string(life) + "-" + std::to_string(i);
        const Result<Attr> made = volume->mknod(root_ino, name, 0100644, 0, {});
        REQUIRE(made.has_value());
        REQUIRE(given[made->ino.raw]++ == 0);
        if (i == 50) REQUIRE(volume->sync().has_value());
      }
      after = current->clone_after_power_cut(static_cast<std::uint64_t>(life));
    }
    current = std::move(after);
  }
}

}  // namespace
}  // namespace artfs
