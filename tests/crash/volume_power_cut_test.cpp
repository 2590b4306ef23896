// SPDX-License-Identifier: Apache-2.0
// Power cuts under a volume: what was synced is there, everything else is as some moment left it.
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <random>

#include "support/figure.hpp"
#include "support/file_operations.hpp"
#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::FileHistory;
using test::FileOperations;
using test::must_open_volume;

// One life of a volume: operations at random on few names, so that they meet.
class Life {
 public:
  Life(std::uint64_t seed, FileOperations& files) : rng_(seed), files_(files) {}

  // Until the device fails, or long enough.
  void work(int steps) {
    for (int step = 0; step < steps && !files_.has_failed(); ++step) static_cast<void>(one());
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }

  std::string directory() {
    static constexpr std::array<const char*, 4> directories = {"", "/a", "/b", "/a/c"};
    return directories[below(directories.size())];
  }

  std::string name() { return directory() + "/f" + std::to_string(below(4)); }

  // Every byte depends on its position and on which data it is.
  std::string data() {
    const std::size_t size = below(3) == 0 ? 1 + below(200000) : 1 + below(3000);
    const std::uint64_t number = ++generation_;
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
      out[i] = static_cast<char>('a' + (number * 13 + i / 61 + i) % 26);
    }
    return out;
  }

  bool one() {
    switch (below(11)) {
      case 8:
      case 9:
      case 10:
        return write_and_fsync();
      case 0:
        return make();
      case 1:
        return move();
      case 2:
      case 3:
      case 4:
        return change_bytes();
      case 5:
        return change_attributes();
      case 6:
        return replace(name());
      default:
        break;
    }
    if (below(3) != 0) return true;
    const std::uint64_t how = below(3);
    return how == 0 ? files_.sync() : files_.fsync(how == 1 ? name() : directory());
  }

  bool make() {
    switch (below(8)) {
      case 0:
        return files_.mkdir(below(2) == 0 ? "/a" : "/b");
      case 1:
        return files_.mkdir("/a/c");
      case 2:
        return files_.symlink(name(), "some/target");
      case 3:
        return files_.link(name(), name());
      case 4:
        return files_.create_unnamed_and_link(name(), data());
      default:
        return files_.create(name());
    }
  }

  bool move() {
    switch (below(8)) {
      case 0:
        return files_.exchange(name(), name());
      case 1:
        return files_.exchange("/a", "/b");
      case 2:
        return files_.rename("/a/c", "/b/c") && files_.rename("/b/c", "/a/c");
      case 3:
        return files_.unlink(name());
      case 4:
        return files_.unlink_while_open(name(), data());
      case 5:
        return files_.rmdir(directory());
      default:
        return files_.rename(name(), name());
    }
  }

  // What a database does: small, synced, over and over the same bytes.
  bool write_and_fsync() {
    const std::string path = name();
    if (!files_.is_file(path) && !files_.create(path)) return false;
    if (!files_.is_file(path)) return true;  // another kind of file, or no directory
    const std::size_t size = files_.size_of(path);
    for (std::uint64_t i = below(4); i < 4; ++i) {
      const std::size_t at = below(3) == 0 ? size : below(size + 1);
      std::string bytes = data();
      bytes.resize(std::min<std::size_t>(bytes.size(), 1 + below(9000)));
      if (!files_.write(path, at, bytes) || !files_.fsync(path)) return false;
    }
    return true;
  }

  bool change_bytes() {
    const std::string path = name();
    if (!files_.is_file(path)) return files_.create(path) && files_.append(path, data());
    const std::size_t size = files_.size_of(path);
    switch (below(8)) {
      case 0:
        return files_.truncate(path, below(size + 1));
      case 1:
        return files_.truncate(path, size + below(5000));
      case 2:
        return files_.fallocate(path, below(size + 1), 1 + below(50000), below(2) == 0);
      case 3:
        return files_.clear(path, below(size + 1), 1 + below(50000), below(2) == 0);
      case 4:
      case 5:
        return files_.write(path, below(size + 1), data());
      default:
        return size > 400000 ? files_.truncate(path, 0) : files_.append(path, data());
    }
  }

  bool change_attributes() {
    const std::string path = name();
    switch (below(4)) {
      case 0:
        return files_.chmod(path, 0600 | static_cast<std::uint32_t>(below(64)));
      case 1:
        return files_.chown(path, static_cast<std::uint32_t>(below(9)), 7);
      case 2:
        return files_.remove_xattr(path, "user.one");
      default:
        return files_.set_xattr(path, "user.one", std::string(below(2) == 0 ? 9 : 5000, 'x'));
    }
  }

  // Write beside, rename over: the way editors and package managers save.
  bool replace(const std::string& path) {
    const std::string beside = path + ".new";
    if (!files_.create(beside) || !files_.truncate(beside, 0)) return false;
    return files_.write(beside, 0, data()) && files_.rename(beside, path);
  }

  std::mt19937_64 rng_;
  FileOperations& files_;
  std::uint64_t generation_ = 0;
};

VolumeOptions random_options(std::uint64_t seed) {
  VolumeOptions options = test::small_volume_options();
  options.store.commit_interval = std::chrono::milliseconds(seed % 2 == 0 ? 10 : 10000);
  options.write_buffer_bytes = seed % 3 == 0 ? mib : 8 * mib;
  options.reclaim_on_forget = seed % 5 == 0;
  return options;
}

FormatOptions random_format(std::uint64_t seed) {
  FormatOptions format;
  format.block_bytes = std::array<std::uint32_t, 3>{65536, 4096, 16384}[seed % 3];
  format.inline_bytes_max = seed % 4 == 0 ? 0 : 2048;
  return format;
}

std::unique_ptr<io::MemoryDirectory> empty_volume(const FormatOptions& format) {
  io::MemoryDirectory disk;
  test::must_create_small(disk);
  const auto store = test::must_open(disk, test::small_options());
  REQUIRE(vol::VolumeImpl::format_store(*store, format).has_value());
  REQUIRE(store->close().has_value());
  return disk.clone_current();
}

// DESIGN 10: reads go on, a store that stopped changes nothing, and a sync that still succeeds (nothing was waiting for the device) is true.
void check_failed(Volume& volume, FileHistory& history, std::uint64_t& refused) {
  history.verify_live(volume);
  if (volume.store().stats().stopped) {
    CHECK(test::errno_of(volume.mkdir(root_ino, "refused", 0755, {})) == EROFS);
  }
  const bool synced = volume.sync().has_value() || volume.fsync(root_ino).has_value();
  if (synced) history.barrier_but_for_last();
  refused += synced ? 0 : 1;
}

TEST_CASE(
    "power cut: files, names and attributes are as at one moment, and what was synced is there",
    "[crash][vol]") {
  test::silence_log();
  const std::uint64_t seeds = test::rounds({.normal = 60, .in_long_mode = 5000});
  std::uint64_t cuts = 0;
  std::uint64_t refused = 0;  // syncs after the device failed
  for (std::uint64_t seed = test::first_seed(); seed < test::first_seed() + seeds; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng(seed);
    auto disk = empty_volume(random_format(seed));
    FileHistory history;
    for (std::uint64_t life = 0; life < 3; ++life) {
      CAPTURE(life);
      std::unique_ptr<io::MemoryDirectory> after;  // taken before the volume closes
      {
        const auto volume = must_open_volume(*disk, random_options(seed + life));
        FileOperations files(*volume, history);
        // One life in four ends between two operations, the others in the middle of one.
        if (rng() % 4 != 0) {
          disk->fail_call(1 + rng() % 150, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
        }
        Life(seed * 16 + life, files).work(200);
        if (files.has_failed()) check_failed(*volume, history, refused);
        after = disk->clone_after_power_cut(seed * 8 + life);
      }
      disk = std::move(after);
      const auto volume = must_open_volume(*disk, test::small_volume_options());
      history.verify(*volume);
      REQUIRE(volume->close().has_value());
      ++cuts;
    }
  }
  CHECK(refused > cuts / 10);
  test::figure("of these with syncs refused since the device had failed", refused);
  test::figure("power cuts under random file operations", cuts);
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
