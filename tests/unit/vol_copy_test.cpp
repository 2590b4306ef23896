// SPDX-License-Identifier: Apache-2.0
// copy_range: what is shared, what is copied, and that both sides read as after a copy by hand.
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <thread>

#include "format/content.hpp"
#include "format/volume.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::volume_in_memory;

constexpr std::uint64_t block = 65536;

std::string random_text(std::mt19937_64& random, std::size_t count) {
  std::string out(count, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

std::string read_all(Volume& volume, Ino ino) {
  std::string out(volume.getattr(ino)->size, '?');
  const auto got = volume.read(ino, 0, std::as_writable_bytes(std::span(out.data(), out.size())));
  REQUIRE(got.has_value());
  out.resize(*got);
  return out;
}

struct World {
  std::unique_ptr<Volume> volume;
  Ino from, to;
  std::mt19937_64 random{7};

  explicit World(const FormatOptions& format = {})
      : volume(volume_in_memory(test::small_volume_options(), format)) {
    from = volume->mknod(root_ino, "from", 0100644, 0, {})->ino;
    to = volume->mknod(root_ino, "to", 0100644, 0, {})->ino;
  }

  void write(Ino ino, std::uint64_t offset, const std::string& bytes) {
    REQUIRE(test::write_at(*volume, ino, offset, bytes).has_value());
  }

  // As often as it takes, as a program does.
  void copy(CopyRange range) {
    while (range.length > 0) {
      const Result<std::uint64_t> done = volume->copy_range(range, {});
      REQUIRE(done.has_value());
      if (*done == 0) return;
      range.from_offset += *done;
      range.to_offset += *done;
      range.length -= *done;
    }
  }
};

// What a copy by hand makes of `to`.
std::string expected(const std::string& from, std::string to, const CopyRange& range) {
  if (range.from_offset >= from.size()) return to;
  const std::string piece = from.substr(range.from_offset, range.length);
  if (piece.empty()) return to;
  if (to.size() < range.to_offset + piece.size()) to.resize(range.to_offset + piece.size());
  return to.replace(range.to_offset, piece.size(), piece);
}

TEST_CASE("copy: a whole file is copied by reference, its short end included", "[unit][vol]") {
  FormatOptions format;
  format.dedup = GENERATE(true, false);
  World world(format);
  const std::string bytes = random_text(world.random, 20 * block + 777);
  world.write(world.from, 0, bytes);
  const Result<std::uint64_t> done = world.volume->copy_range(
      {.from = world.from, .to = world.to, .length = std::uint64_t{1} << 40}, {});
  REQUIRE(done.has_value());
  CHECK(*done == bytes.size());
  CHECK(read_all(*world.volume, world.to) == bytes);
  CHECK(world.volume->stats().content_bytes_used == 20 * block + 4096);
  CHECK(world.volume->stats().content_bytes_saved == 20 * block + 4096);
  CHECK(world.volume->stats().blocks_shared == 21);
  CHECK(world.volume->getattr(world.to)->blocks_512 ==
        world.volume->getattr(world.from)->blocks_512);
  test::require_clean(*world.volume);
  world.write(world.to, 5 * block + 3, "changed");
  REQUIRE(world.volume->sync().has_value());
  CHECK(read_all(*world.volume, world.from) == bytes);
  REQUIRE(world.volume->unlink(root_ino, "from").has_value());
  REQUIRE(world.volume->sync().has_value());
  CHECK(read_all(*world.volume, world.to).substr(0, 5 * block) == bytes.substr(0, 5 * block));
  CHECK(world.volume->stats().content_bytes_saved == 0);
  test::require_clean(*world.volume);
}

TEST_CASE("copy: any range to any place reads as a copy by hand", "[unit][vol]") {
  FormatOptions format;
  format.block_bytes = 4096;
  World world(format);
  for (int step = 0; step < 60; ++step) {
    CAPTURE(step);
    const auto place = [&world](std::uint64_t blocks) {
      const std::uint64_t at = world.random() % (blocks * 4096);
      return world.random() % 2 == 0 ? at : at / 4096 * 4096;
    };
    for (const Ino ino : {world.from, world.to}) {
      if (world.random() % 2 == 0) world.write(ino, place(12), random_text(world.random, place(4)));
      if (world.random() % 3 == 0) {
        SetAttr cut;
        cut.size = place(12);
        REQUIRE(world.volume->setattr(ino, cut, {}).has_value());
      }
      if (world.random() % 4 == 0) {
        REQUIRE(world.volume->fallocate(ino, place(12), 1 + place(4), true).has_value());
      }
      if (world.random() % 3 == 0) REQUIRE(world.volume->sync().has_value());
    }
    const CopyRange range{.from = world.from,
                          .from_offset = place(12),
                          .to = world.to,
                          .to_offset = place(12),
                          .length = place(12)};
    const std::string from = read_all(*world.volume, world.from);
    const std::string wanted = expected(from, read_all(*world.volume, world.to), range);
    world.copy(range);
    REQUIRE(read_all(*world.volume, world.to) == wanted);
    REQUIRE(read_all(*world.volume, world.from) == from);
    if (step % 10 == 9) test::require_clean(*world.volume);
  }
  test::require_clean(*world.volume);
}

TEST_CASE("copy: within one file, apart from itself only", "[unit][vol]") {
  World world;
  const std::string bytes = random_text(world.random, 3 * block);
  world.write(world.from, 0, bytes);
  const auto copy = [&](std::uint64_t from, std::uint64_t to, std::uint64_t length) {
    return world.volume->copy_range({.from = world.from,
                                     .from_offset = from,
                                     .to = world.from,
                                     .to_offset = to,
                                     .length = length},
                                    {});
  };
  CHECK(copy(0, block, block + 1).error().code == Errc::invalid_argument);
  CHECK(copy(block, 0, block + 1).error().code == Errc::invalid_argument);
  CHECK(copy(0, 0, 1).error().code == Errc::invalid_argument);
  CHECK(*copy(0, 3 * block, 3 * block) == 3 * block);
  CHECK(read_all(*world.volume, world.from) == bytes + bytes);
  REQUIRE(world.volume->sync().has_value());
  CHECK(world.volume->stats().content_bytes_used == 3 * block);
  // At the end of the file the range is shorter than asked, and so does not overlap.
  CHECK(*copy(5 * block, 6 * block, 10 * block) == block);
  test::require_clean(*world.volume);
}

TEST_CASE("copy: holes stay holes, also where the target had bytes", "[unit][vol]") {
  World world;
  world.write(world.from, 2 * block, random_text(world.random, block));
  world.write(world.from, 10 * block, "end");
  const std::uint64_t shift = GENERATE(0UL, 1UL);  // by reference; byte by byte
  world.write(world.to, 0, random_text(world.random, 20 * block));
  world.copy({.from = world.from, .to = world.to, .to_offset = shift, .length = 20 * block});
  REQUIRE(world.volume->sync().has_value());
  const std::string from = read_all(*world.volume, world.from);
  CHECK(read_all(*world.volume, world.to).substr(shift, from.size()) == from);
  const Ino fresh = world.volume->mknod(root_ino, "fresh", 0100644, 0, {})->ino;
  world.copy({.from = world.from, .to = fresh, .to_offset = shift, .length = 20 * block});
  REQUIRE(world.volume->sync().has_value());
  CHECK(read_all(*world.volume, fresh).substr(shift) == from);
  CHECK(world.volume->getattr(fresh)->blocks_512 <= 4 * block / 512);
  test::require_clean(*world.volume);
}

TEST_CASE("copy: ends, wrong kinds and limits", "[unit][vol]") {
  World world;
  world.write(world.from, 0, "inline");
  const auto copy = [&](const CopyRange& range) { return world.volume->copy_range(range, {}); };
  CHECK(*copy({.from = world.from, .from_offset = 6, .to = world.to, .length = 9}) == 0);
  CHECK(*copy({.from = world.from, .to = world.to, .length = 0}) == 0);
  CHECK(*copy({.from = world.from, .from_offset = 2, .to = world.to, .length = 9}) == 4);
  CHECK(read_all(*world.volume, world.to) == "line");
  CHECK(copy({.from = root_ino, .to = world.to, .length = 1}).error().code == Errc::is_a_directory);
  CHECK(copy({.from = world.from, .to = root_ino, .length = 1}).error().code ==
        Errc::is_a_directory);
  CHECK(copy({.from = world.from,
              .to = world.to,
              .to_offset = (std::uint64_t{1} << 63) - 3,
              .length = 6})
            .error()
            .code == Errc::file_too_big);
}

TEST_CASE("copy: the target's times move, and privileges go as with a write", "[unit][vol]") {
  World world;
  world.write(world.from, 0, random_text(world.random, 2 * block));
  SetAttr mode;
  mode.mode = 06755;
  mode.mtime = Timestamp{.seconds = 5, .nanoseconds = 0};
  REQUIRE(world.volume->setattr(world.to, mode, {}).has_value());
  Caller caller;
  caller.has_cap_fsetid = false;
  REQUIRE(
      world.volume->copy_range({.from = world.from, .to = world.to, .length = 2 * block}, caller)
          .has_value());
  const Result<Attr> attr = world.volume->getattr(world.to);
  CHECK((attr->mode & 07777) == 0755);
  CHECK(attr->mtime.seconds > 5);
  CHECK(attr->size == 2 * block);
}

TEST_CASE("copy: in both directions at once, beside writers, nothing is lost or counted twice",
          "[unit][vol][threads]") {
  FormatOptions format;
  format.block_bytes = 4096;
  World world(format);
  world.write(world.from, 0, random_text(world.random, 64 * 4096));
  world.write(world.to, 0, random_text(world.random, 64 * 4096));
  std::atomic<int> failures{0};
  const auto work = [&](Ino from, Ino to, std::uint64_t seed) {
    std::mt19937_64 own(seed);
    for (int i = 0; i < 100; ++i) {
      const CopyRange range{.from = from,
                            .from_offset = own() % 32 * 4096,
                            .to = to,
                            .to_offset = own() % 32 * 4096,
                            .length = own() % 32 * 4096};
      if (!world.volume->copy_range(range, {})) ++failures;
      const std::string bytes(1 + own() % 9000, static_cast<char>(own()));
      if (!test::write_at(*world.volume, to, own() % (60 * 4096), bytes)) ++failures;
    }
  };
  std::thread one([&] { work(world.from, world.to, 1); });
  std::thread two([&] { work(world.to, world.from, 2); });
  std::thread three([&] { work(world.from, world.to, 3); });
  for (std::thread* thread : {&one, &two, &three}) thread->join();
  CHECK(failures == 0);
  REQUIRE(world.volume->sync().has_value());
  test::require_clean(*world.volume);
}

TEST_CASE("copy: a volume of version 1, without a block index, learns to share", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::mt19937_64 random(3);
  const std::string bytes = random_text(random, 3 * block);
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    const Ino ino = volume->mknod(root_ino, "old", 0100644, 0, {})->ino;
    REQUIRE(test::write_at(*volume, ino, 0, bytes).has_value());
    REQUIRE(volume->sync().has_value());
    // As version 1 left it: no entries.
    const Tree blocks = *volume->store().open_tree(format::blocks_tree_name);
    std::vector<std::string> keys;
    REQUIRE(blocks
                .for_each({.keys_only = true},
                          [&](const Entry& entry) { keys.emplace_back(entry.key); })
                .has_value());
    REQUIRE(keys.size() == 3);
    Txn txn;
    for (const std::string& key : keys) txn.erase(blocks, key);
    txn.add(blocks, format::blocks_counter_entries, -3);
    REQUIRE(volume->store().commit(txn).has_value());
  }
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  test::require_clean(*volume);
  const Ino old = volume->lookup(root_ino, "old")->ino;
  const Ino copy = volume->mknod(root_ino, "copy", 0100644, 0, {})->ino;
  CHECK(*volume->copy_range({.from = old, .to = copy, .length = 3 * block}, {}) == 3 * block);
  CHECK(volume->stats().content_bytes_used == 3 * block);
  test::require_clean(*volume);
  REQUIRE(volume->unlink(root_ino, "old").has_value());
  REQUIRE(volume->sync().has_value());
  CHECK(read_all(*volume, copy) == bytes);
  REQUIRE(volume->unlink(root_ino, "copy").has_value());
  REQUIRE(volume->sync().has_value());
  CHECK(volume->stats().content_bytes_used == 0);
  test::require_clean(*volume);
}

TEST_CASE("copy: a patched block is copied as bytes, the others by reference", "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  std::mt19937_64 random(4);
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  const Ino from = volume->mknod(root_ino, "from", 0100644, 0, {})->ino;
  const Ino to = volume->mknod(root_ino, "to", 0100644, 0, {})->ino;
  REQUIRE(test::write_at(*volume, from, 0, random_text(random, 4 * block)).has_value());
  REQUIRE(volume->sync().has_value());
  REQUIRE(test::write_at(*volume, from, 2 * block + 5000, "a patch").has_value());
  REQUIRE(volume->sync().has_value());
  const std::uint64_t used = volume->stats().content_bytes_used;
  CHECK(used == 4 * block + 4096);
  CHECK(*volume->copy_range({.from = from, .to = to, .length = 4 * block}, {}) == 4 * block);
  REQUIRE(volume->sync().has_value());
  CHECK(volume->stats().content_bytes_used == used + block);
  CHECK(read_all(*volume, to) == read_all(*volume, from));
  test::require_clean(*volume);
}

TEST_CASE("volume: one of version 2 is read as it is, and one of ours once it may be written",
          "[unit][vol]") {
  io::MemoryDirectory disk;
  test::must_format(disk);
  const auto version = [](Volume& volume) {
    const Tree tree = *volume.store().open_tree(format::volume_tree_name);
    return tree.get(format::volume_settings_key)->value.at(0);
  };
  const std::string bytes(3 * block, 'x');
  {
    const auto volume = test::must_open_volume(disk, test::small_volume_options());
    CHECK(version(*volume) == 3);
    const Ino ino = volume->mknod(root_ino, "old", 0100644, 0, {})->ino;
    REQUIRE(test::write_at(*volume, ino, 0, bytes).has_value());
    REQUIRE(volume->sync().has_value());
    const Tree tree = *volume->store().open_tree(format::volume_tree_name);
    std::string record = tree.get(format::volume_settings_key)->value;
    record[0] = 2;
    Txn txn;
    txn.put(tree, format::volume_settings_key, record);
    REQUIRE(volume->store().commit(txn).has_value());
  }
  {
    auto options = test::small_volume_options();
    options.store.read_only = true;
    const auto volume = test::must_open_volume(disk, options);
    CHECK(version(*volume) == 2);
    CHECK(read_all(*volume, volume->lookup(root_ino, "old")->ino) == bytes);
  }
  const auto volume = test::must_open_volume(disk, test::small_volume_options());
  CHECK(version(*volume) == 3);
  const Ino ino = volume->lookup(root_ino, "old")->ino;
  REQUIRE(test::write_at(*volume, ino, 9000, "patch").has_value());
  REQUIRE(volume->sync().has_value());
  CHECK(read_all(*volume, ino).substr(8999, 7) == "xpatchx");
  test::require_clean(*volume);
}

}  // namespace
}  // namespace artfs
