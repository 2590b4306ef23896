// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "engine/superblock.hpp"
#include "format/superblock.hpp"
#include "io/memory_directory.hpp"

using namespace artfs;
using engine::create_superblock;
using engine::new_superblock;
using engine::read_superblock;
using format::SuperblockCopy;
using io::MemoryDirectory;

namespace {

template <typename Change>
void rewrite_copy(MemoryDirectory& directory, std::uint32_t index, Change change) {
  const auto file = directory.open("superblock", {});
  REQUIRE(file);
  SuperblockCopy copy;
  const std::uint64_t offset = std::uint64_t{index} * format::superblock_copy_bytes;
  REQUIRE((*file)->read_at(offset, base::object_bytes_mutable(copy)));
  change(copy);
  copy.checksum = base::xxh3_64(base::object_bytes(copy).first(offsetof(SuperblockCopy, checksum)));
  REQUIRE((*file)->write_at(offset, base::object_bytes(copy)));
}

}  // namespace

TEST_CASE("superblock: what was written is read back", "[unit][engine]") {
  MemoryDirectory directory;
  const auto written = new_superblock("a label");
  REQUIRE(create_superblock(directory, written));
  CHECK(create_superblock(directory, written).error().code == Errc::store_exists);
  const auto read = read_superblock(directory, false);
  REQUIRE(read);
  CHECK(read->uuid == written.uuid);
  CHECK(read->content_key == written.content_key);
  CHECK(read->label == "a label");
  CHECK(read->created_seconds == written.created_seconds);
  CHECK_FALSE(read->one_copy_damaged);
  CHECK(new_superblock("").uuid != written.uuid);
  CHECK(engine::uuid_to_text(written.uuid).size() == 36);
}

TEST_CASE("superblock: missing, foreign and lost are told apart", "[unit][engine]") {
  MemoryDirectory directory;
  CHECK(read_superblock(directory, true).error().code == Errc::store_missing);
  REQUIRE(directory.open("holiday.jpg", {.create = true}));
  CHECK(read_superblock(directory, true).error().code == Errc::store_foreign);
  REQUIRE(directory.open("manifest", {.create = true}));
  REQUIRE(directory.open("frames.dat", {.create = true}));
  CHECK(read_superblock(directory, true).error().code == Errc::superblock_corrupt);
  const auto file = directory.open("superblock", {.create = true});
  REQUIRE(file);
  CHECK(read_superblock(directory, true).error().code == Errc::store_foreign);
  const std::string text(10000, 'x');
  REQUIRE((*file)->write_at(0, base::as_bytes(text)));
  CHECK(read_superblock(directory, true).error().code == Errc::store_foreign);
}

TEST_CASE("superblock: one damaged copy is survived and repaired, two are an error",
          "[unit][engine]") {
  MemoryDirectory directory;
  const auto written = new_superblock("x");
  REQUIRE(create_superblock(directory, written));
  const std::uint64_t copy = GENERATE(as<std::uint64_t>{}, 0, 1);
  REQUIRE(directory.flip_bit("superblock", copy * 4096 * 8 + 0x100 * 8 + 3));
  auto read = read_superblock(directory, false);
  REQUIRE(read);
  CHECK(read->uuid == written.uuid);
  CHECK(read->one_copy_damaged);
  REQUIRE(engine::repair_superblock(directory, *read));
  read = read_superblock(directory, false);
  REQUIRE(read);
  CHECK_FALSE(read->one_copy_damaged);
  REQUIRE(directory.flip_bit("superblock", 0x20 * 8));
  REQUIRE(directory.flip_bit("superblock", 4096 * 8 + 0x80 * 8));
  CHECK(read_superblock(directory, false).error().code == Errc::superblock_corrupt);
}

TEST_CASE("superblock: a newer version and unknown features are refused by name",
          "[unit][engine]") {
  MemoryDirectory directory;
  REQUIRE(create_superblock(directory, new_superblock("x")));
  const auto change_both = [&](auto change) {
    rewrite_copy(directory, 0, change);
    rewrite_copy(directory, 1, change);
  };
  change_both([](SuperblockCopy& copy) { copy.features_compatible = 0x8000; });
  CHECK(read_superblock(directory, false));
  change_both([](SuperblockCopy& copy) { copy.features_read_only_compatible = 2; });
  CHECK(read_superblock(directory, true));
  CHECK(read_superblock(directory, false).error() == Error{Errc::store_newer, 2});
  change_both([](SuperblockCopy& copy) {
    copy.features_read_only_compatible = 0;
    copy.features_incompatible = 4;
  });
  CHECK(read_superblock(directory, true).error() == Error{Errc::store_newer, 4});
  change_both([](SuperblockCopy& copy) {
    copy.features_incompatible = 0;
    copy.version = 9;
  });
  CHECK(read_superblock(directory, true).error() == Error{Errc::store_newer, 9});
}

TEST_CASE("superblock: every bit of a copy is covered", "[unit][engine]") {
  MemoryDirectory directory;
  REQUIRE(create_superblock(directory, new_superblock("covered")));
  bool all_seen = true;
  for (std::uint64_t bit = 0; bit < 4096 * 8; bit += 7) {
    REQUIRE(directory.flip_bit("superblock", bit));
    const auto read = read_superblock(directory, false);
    all_seen = all_seen && read && read->one_copy_damaged;
    REQUIRE(directory.flip_bit("superblock", bit));
  }
  CHECK(all_seen);
}
