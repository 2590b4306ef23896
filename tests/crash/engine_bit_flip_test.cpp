// SPDX-License-Identifier: Apache-2.0
// Single flipped bits anywhere in the store's files: detected or harmless, never other bytes, never an
// end of the process. R5, P11.
#include <catch2/catch.hpp>
#include <random>

#include "support/engine_store.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

constexpr std::uint64_t records = 4000;

std::string key_of(std::uint64_t number) {
  return "d" + std::to_string(number % 31) + "/file-" + std::to_string(number);
}

std::string value_of(std::uint64_t number) {
  std::string value = std::to_string(number) + ":";
  while (value.size() < 40 + number % 500)
    value += std::to_string(number * 2654435761U + value.size());
  return value;
}

// Most records in the frames, some only in the log, as after a kill.
std::unique_ptr<io::MemoryDirectory> make_store() {
  io::MemoryDirectory disk;
  test::must_create(disk);
  const auto store = test::must_open(disk, test::small_options());
  const Tree tree = *store->create_tree("t");
  for (std::uint64_t number = 0; number < records; ++number) {
    if (number == records / 2 || number == records * 3 / 4) {
      REQUIRE(store->checkpoint().has_value());
    }
    if (!tree.put(key_of(number), value_of(number))) FAIL("put");
  }
  REQUIRE(store->sync().has_value());
  return disk.clone_current();
}

bool is_detection(Errc code) {
  return code == Errc::superblock_corrupt || code == Errc::manifest_corrupt ||
         code == Errc::frame_corrupt || code == Errc::log_corrupt ||
         code == Errc::checkpoint_corrupt || code == Errc::store_foreign ||
         code == Errc::store_newer || code == Errc::io_failed;
}

// True when something was noticed: an error, or records that are gone.
bool read_all(Store& store) {
  const Result<Tree> tree = store.open_tree("t");
  if (!tree) return true;
  bool noticed = false;
  for (std::uint64_t number = 0; number < records; ++number) {
    const Result<Record> record = tree->get(key_of(number));
    if (record) {
      if (record->value != value_of(number)) FAIL("other bytes for record " << number);
    } else if (record.error().code == Errc::key_not_found) {
      noticed = true;  // only behind a damaged end of the log, checked by the caller
    } else {
      if (!is_detection(record.error().code)) FAIL(to_text(record.error()));
      noticed = true;
    }
  }
  return noticed;
}

TEST_CASE("P11: bit flips: every one is detected or harmless", "[crash][engine]") {
  const auto original = make_store();
  std::mt19937_64 random(11);
  const std::vector<std::string> names = *original->list();
  const std::uint64_t flips = test::scaled(250);
  std::uint64_t detected = 0;
  for (std::uint64_t flip = 0; flip < flips; ++flip) {
    const std::string& name = names[random() % names.size()];
    const auto disk = original->clone_current();
    const auto file = disk->open(name, {.read_only = true});
    REQUIRE(file.has_value());
    const std::uint64_t size = *(*file)->size();
    if (size == 0) continue;
    // Half of the flips near the start, where most of what is used lies.
    const std::uint64_t range = random() % 2 == 0 ? size : std::min<std::uint64_t>(size, 64 * kib);
    const std::uint64_t bit = random() % (range * 8);
    CAPTURE(flip, name, bit);
    REQUIRE(disk->flip_bit(name, bit));
    const auto store = test::open_on(*disk, test::small_options());
    if (!store) {
      INFO(to_text(store.error()));
      REQUIRE(is_detection(store.error().code));
      ++detected;
      continue;
    }
    if (read_all(**store)) ++detected;
    const Result<VerifyReport> report = (*store)->verify();
    REQUIRE(report.has_value());
  }
  CHECK(detected > 0);
}

}  // namespace

}  // namespace artfs
