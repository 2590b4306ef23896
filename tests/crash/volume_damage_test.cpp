// SPDX-License-Identifier: Apache-2.0
// Damage below a volume: flipped bits, reads that fail, a disk that fills up. A file reads right or with EIO, never
// wrong; whatever else there is works; scrub names what is damaged.
#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <random>
#include <string>

#include "support/figure.hpp"
#include "support/file_history.hpp"
#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using Files = std::map<std::string, std::string>;  // path -> bytes

std::string bytes_of(std::mt19937_64& rng, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng());
  return out;
}

// Directories and files of all sizes, closed.
std::unique_ptr<io::MemoryDirectory> disk_with(Files& files) {
  io::MemoryDirectory disk;
  test::must_create_small(disk);
  {
    const auto store = test::must_open(disk, test::small_options());
    FormatOptions format;
    format.block_bytes = 16384;
    REQUIRE(vol::VolumeImpl::format_store(*store, format).has_value());
    REQUIRE(store->close().has_value());
  }
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  std::mt19937_64 rng(1);
  for (int dir = 0; dir < 5; ++dir) {
    const std::string top = "/d" + std::to_string(dir);
    const Ino ino = volume->mkdir(root_ino, top.substr(1), 0755, {})->ino;
    for (int number = 0; number < 100; ++number) {
      const std::string name = "file " + std::to_string(number);
      const Ino file = volume->mknod(ino, name, 0100644, 0, {})->ino;
      std::string& data = files[top + "/" + name];
      data = bytes_of(rng, number % 10 == 0 ? 40000 : 1 + rng() % 1500);
      REQUIRE(test::write_at(*volume, file, 0, data).has_value());
    }
  }
  REQUIRE(volume->close().has_value());
  return disk.clone_current();
}

// The bytes of a file, or why they cannot be had.
Result<std::string> read(Volume& volume, const std::string& path) {
  const Ino ino = ARTFS_TRY(test::find(volume, path));
  const Attr attr = ARTFS_TRY(volume.getattr(ino));
  std::string out(attr.size, '\0');
  const auto bytes = std::as_writable_bytes(std::span(out.data(), out.size()));
  out.resize(ARTFS_TRY(volume.read(ino, 0, bytes)));
  return out;
}

// How many cannot be read.
std::size_t read_all_files(Volume& volume, const Files& files) {
  std::size_t damaged = 0;
  for (const auto& [path, data] : files) {
    const Result<std::string> found = read(volume, path);
    if (found) {
      if (*found != data) FAIL(path << " reads as something else");
      continue;
    }
    ++damaged;
    CAPTURE(path, to_text(found.error()));
    REQUIRE(test::errno_of(found) == EIO);
  }
  return damaged;
}

struct Target {
  const char* name;
  std::uint64_t bytes;
};

TEST_CASE("damage: with a flipped bit a file reads right or not at all, and scrub names it",
          "[crash][vol]") {
  test::silence_log();
  Files files;
  const auto sound = disk_with(files);
  std::vector<Target> targets;
  for (const char* const name : {"blocks.dat", "frames.dat"}) {
    const auto file = sound->open(name, {.read_only = true});
    REQUIRE(file.has_value());
    targets.push_back({name, *(*file)->size()});
  }
  const std::uint64_t flips = test::rounds({.normal = 300, .in_long_mode = 50000});
  std::uint64_t felt = 0;
  std::mt19937_64 rng(test::first_seed());
  for (std::uint64_t round = 0; round < flips; ++round) {
    const Target target = targets[round % targets.size()];
    const std::uint64_t bit = rng() % (target.bytes * 8);
    CAPTURE(round, target.name, bit, test::first_seed());
    const auto disk = sound->clone_current();
    REQUIRE(disk->flip_bit(target.name, bit));
    const auto volume = test::open_volume(*disk, test::small_volume_options());
    if (!volume) {
      CHECK(to_errno(volume.error()) == EIO);
      ++felt;
      continue;
    }
    const std::size_t damaged = read_all_files(**volume, files);
    const Result<ScrubReport> scrubbed =
        (*volume)->scrub({.bytes_per_second = 0, .on_progress = {}});
    if (damaged != 0) {
      ++felt;
      if (scrubbed) CHECK_FALSE(scrubbed->problems.empty());
    }
    // A bit in blocks.dat is one block of one file.
    if (target.name == std::string_view("blocks.dat")) {
      CHECK(damaged <= 1);
      REQUIRE(scrubbed.has_value());
      CHECK(scrubbed->problems.size() == damaged);
      for (const std::string& line : scrubbed->problems) CHECK(line.find("(/d") != line.npos);
    }
  }
  CHECK(felt > flips / 50);
  test::figure("bit flips below a volume", flips);
  test::figure("bit flips below a volume that a reader met", felt);
}

TEST_CASE("damage: a read that fails is EIO for who asked, and nothing stops", "[crash][vol]") {
  test::silence_log();
  Files files;
  const auto sound = disk_with(files);
  const std::uint64_t rounds = test::scaled(60);
  std::size_t failed = 0;
  for (std::uint64_t read = 1; read <= rounds; ++read) {
    CAPTURE(read);
    const auto disk = sound->clone_current();
    const auto volume = test::must_open_volume(*disk, test::small_volume_options());
    disk->fail_read(read, Errc::io_failed);
    failed += read_all_files(*volume, files);
    disk->fail_read(0, Errc::io_failed);
    CHECK(read_all_files(*volume, files) == 0);
    REQUIRE(volume->mkdir(root_ino, "new", 0755, {}).has_value());
    REQUIRE(volume->sync().has_value());
    REQUIRE(volume->close().has_value());
  }
  CHECK(failed > 0);
  test::figure("failing reads below a volume", rounds);
}

TEST_CASE(
    "damage: a full disk refuses what does not fit, unlink gives the space back, again and again",
    "[crash][vol]") {
  test::silence_log();
  io::MemoryDirectory disk;
  test::must_create_small(disk);
  {
    const auto store = test::must_open(disk, test::small_options());
    REQUIRE(vol::VolumeImpl::format_store(*store, {}).has_value());
    REQUIRE(store->close().has_value());
  }
  disk.set_capacity(48 * mib);
  const std::uint64_t rounds = test::rounds({.normal = 10, .in_long_mode = 500});
  std::mt19937_64 rng(test::first_seed());
  auto volume = test::must_open_volume(disk, test::small_volume_options());
  const Ino kept = volume->mknod(root_ino, "kept", 0100644, 0, {})->ino;
  const std::string precious = bytes_of(rng, 100000);
  REQUIRE(test::write_at(*volume, kept, 0, precious).has_value());
  REQUIRE(volume->sync().has_value());
  const std::uint64_t used = volume->stats().content_bytes_used;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    CAPTURE(round, test::first_seed());
    std::uint64_t accepted = 0;
    int made = 0;
    for (;; ++made) {
      const Result<Attr> file = volume->mknod(root_ino, "f" + std::to_string(made), 0100644, 0, {});
      if (!file) {
        REQUIRE(test::errno_of(file) == ENOSPC);
        break;
      }
      const std::string data = bytes_of(rng, 1 + rng() % 400000);
      const Result<void> written = test::write_at(*volume, file->ino, 0, data);
      if (!written) {
        REQUIRE(test::errno_of(written) == ENOSPC);
        ++made;
        break;
      }
      accepted += data.size();
    }
    CHECK(accepted > 8 * mib);
    REQUIRE(volume->sync().has_value());  // what was accepted has its space
    for (int i = 0; i < made; ++i) {
      REQUIRE(volume->unlink(root_ino, "f" + std::to_string(i)).has_value());
    }
    REQUIRE(volume->sync().has_value());
    CHECK(volume->stats().content_bytes_used == used);
    CHECK(test::read_all(*volume, kept) == precious);
    if (round % 5 == 4) {
      REQUIRE(volume->close().has_value());
      volume = test::must_open_volume(disk, test::small_volume_options());
    }
    test::require_clean(*volume);
  }
  test::figure("fill and delete rounds on a simulated full disk", rounds);
}

}  // namespace
}  // namespace artfs
