// SPDX-License-Identifier: Apache-2.0
// A device without space: what erases goes on, checkpoints have their room, the next life can begin.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/engine_store.hpp"

namespace artfs {
namespace {

using test::must_create;
using test::must_open;
using test::small_options;

std::string key_of(std::uint64_t number) {
  return "directory-" + std::to_string(number % 31) + "/" + std::to_string(number);
}

// Puts until the device has no more; how many it took.
std::uint64_t fill_up(Tree tree, std::uint64_t from) {
  const std::string value(4000, 'f');
  for (std::uint64_t number = from;; ++number) {
    const auto put = tree.put(key_of(number), value);
    if (put) continue;
    REQUIRE(put.error().code == Errc::no_space);
    return number;
  }
}

// Others take what is left of the device.
void take_the_rest(io::MemoryDirectory& disk, std::uint64_t capacity) {
  disk.set_capacity(capacity - disk.free_bytes().value());
}

}  // namespace

TEST_CASE("full device: every record can be erased, and the checkpoint that frees the log is made",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  constexpr std::uint64_t capacity = 88 * mib;
  disk.set_capacity(capacity);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  const std::uint64_t keys = fill_up(tree, 0);
  REQUIRE(keys > 1000);
  take_the_rest(disk, capacity);
  REQUIRE(store->checkpoint().has_value());
  for (std::uint64_t number = 0; number < keys; ++number) {
    const auto erased = tree.erase(key_of(number));
    if (!erased) FAIL("erase " << number << ": " << to_text(erased.error()));
  }
  REQUIRE(store->checkpoint().has_value());
  CHECK(tree.prefix_empty("").value());
  CHECK_FALSE(store->stats().stopped);
  // What was freed is there for others to use.
  CHECK(fill_up(tree, 0) > keys / 2);
  test::require_clean(*store);
}

TEST_CASE("full device: the store opens after each of many crashes", "[unit][engine]") {
  auto disk = std::make_unique<io::MemoryDirectory>();
  must_create(*disk);
  constexpr std::uint64_t capacity = 88 * mib;
  disk->set_capacity(capacity);
  std::uint64_t keys = 0;
  for (int life = 0; life < 12; ++life) {
    auto store = must_open(*disk, small_options());
    const Tree tree = life == 0 ? *store->create_tree("t") : *store->open_tree("t");
    if (life == 0) {
      keys = fill_up(tree, 0);
      take_the_rest(*disk, capacity);
    }
    // Some lives change a little, some change nothing before they end.
    for (int change = 0; change < life % 3; ++change) {
      REQUIRE(tree.erase(key_of(--keys)).has_value());
    }
    REQUIRE(store->sync().has_value());
    auto next = disk->clone_durable();
    store.reset();
    disk = std::move(next);
  }
  const auto store = must_open(*disk, small_options());
  const Tree tree = *store->open_tree("t");
  CHECK(tree.contains(key_of(keys - 1)).value());
  CHECK_FALSE(tree.contains(key_of(keys)).value());
  test::require_clean(*store);
}

}  // namespace artfs
