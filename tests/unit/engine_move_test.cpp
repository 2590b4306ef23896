// SPDX-License-Identifier: Apache-2.0
// rename_prefix and counts: what they promise, beyond what the model test compares.
#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::require_clean;
using test::small_options;

std::string key_of(const std::string& prefix, int number) {
  return fmt::format("{}dir-{:03}/file-{:06}", prefix, number / 500, number);
}

void fill(Tree tree, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    REQUIRE(tree.put(key_of(prefix, i), fmt::format("value {}", i)).has_value());
  }
}

Errc code_of(const auto& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().code;
}

TEST_CASE("rename_prefix: a hundred thousand keys move with one small record, versions kept",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = small_options();
  options.cache_bytes = 64 * mib;
  auto store = must_open(disk, options);
  const Tree tree = *store->create_tree("t");
  constexpr int keys = 100000;
  fill(tree, "old/", keys);
  fill(tree, "other/", 100);
  const Version version = tree.get(key_of("old/", 77))->version;
  const std::uint64_t logged = store->stats().log.appended_bytes;
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(tree.rename_prefix("old/", "new/").has_value());
  const auto took = std::chrono::steady_clock::now() - began;
  WARN("rename_prefix of 100,000 keys took "
       << std::chrono::duration_cast<std::chrono::microseconds>(took).count() << " us");
  CHECK(store->stats().log.appended_bytes - logged < 200);
  CHECK(*tree.prefix_empty("old/"));
  CHECK(*tree.count("new/") == keys);
  CHECK(*tree.count("") == keys + 100);
  CHECK(tree.get(key_of("new/", 77))->version == version);
  require_clean(*store);
  // And back to a longer name, after a reopen that does not know how long the keys are.
  store.reset();
  store = must_open(disk, options);
  const Tree again = *store->open_tree("t");
  REQUIRE(again.rename_prefix("new/", "somewhere/else/").has_value());
  CHECK(*again.count("somewhere/else/") == keys);
  CHECK(again.get(key_of("somewhere/else/", 99999))->value == "value 99999");
  require_clean(*store);
}

TEST_CASE("rename_prefix: refusals change nothing", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = *store->create_tree("t");
  fill(tree, "a/", 10);
  REQUIRE(tree.put("b/1", "x").has_value());
  CHECK(code_of(tree.rename_prefix("none/", "c/")) == Errc::key_not_found);
  CHECK(code_of(tree.rename_prefix("a/", "b/")) == Errc::prefix_not_empty);
  CHECK(code_of(tree.rename_prefix("a/", "a/b/")) == Errc::invalid_argument);
  CHECK(code_of(tree.rename_prefix("a/d", "a/")) == Errc::prefix_not_empty);
  CHECK(code_of(tree.rename_prefix("", "x")) == Errc::invalid_argument);
  CHECK(code_of(tree.rename_prefix("a/", std::string(key_bytes_max, 'x'))) == Errc::key_too_long);
  CHECK(code_of(tree.rename_prefix(std::string(5000, 'x'), "y")) == Errc::key_too_long);
  CHECK(*tree.count("a/") == 10);
  // The longest that fits.
  const std::size_t rest = key_of("", 0).size();
  const std::string longest(key_bytes_max - rest, 'x');
  CHECK(code_of(tree.rename_prefix("a/", longest + "x")) == Errc::key_too_long);
  REQUIRE(tree.rename_prefix("a/", longest).has_value());
  CHECK(*tree.count(longest) == 10);
  require_clean(*store);
}

TEST_CASE("rename_prefix: one key, a key that is the prefix, and a whole tree", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("only", "1").has_value());
  REQUIRE(tree.rename_prefix("on", "x").has_value());
  CHECK(tree.get("xly")->value == "1");
  REQUIRE(tree.put("x", "2").has_value());
  REQUIRE(tree.rename_prefix("x", "prefix").has_value());
  CHECK(tree.get("prefix")->value == "2");
  CHECK(tree.get("prefixly")->value == "1");
  CHECK(*tree.count("") == 2);
  require_clean(*store);
}

// TRAPS P7: rename, a new record at the old name, a checkpoint, a crash: nothing is moved twice.
TEST_CASE("P7: a moved prefix is moved once, whatever is put in its old place", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  Tree tree = *store->create_tree("t");
  fill(tree, "a/", 3000);
  REQUIRE(tree.rename_prefix("a/", "b/").has_value());
  fill(tree, "a/", 10);
  REQUIRE(store->checkpoint().has_value());
  REQUIRE(tree.rename_prefix("a/", "c/").has_value());
  fill(tree, "a/", 5);
  REQUIRE(store->sync().has_value());
  const auto cut = disk.clone_durable();
  store = must_open(*cut, small_options());
  tree = *store->open_tree("t");
  CHECK(*tree.count("a/") == 5);
  CHECK(*tree.count("b/") == 3000);
  CHECK(*tree.count("c/") == 10);
  require_clean(*store);
  store.reset();
}

TEST_CASE("rename_prefix: readers see a record at one of its two names, writers go on",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory({.cache_bytes = 64 * mib});
  const Tree tree = *store->create_tree("t");
  constexpr int keys = 20000;
  fill(tree, "left/", keys);
  fill(tree, "still/", keys);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::uint64_t> reads{0};
  std::thread reader([&] {
    for (int i = 0; !stop.load(); i = (i + 7919) % keys) {
      if (!tree.contains(key_of("still/", i)).value_or(false)) ++lost;
      const auto value = tree.get(key_of(i % 2 == 0 ? "left/" : "right/", i));
      if (value && value->value != fmt::format("value {}", i)) ++lost;
      ++reads;
    }
  });
  std::thread writer([&] {
    for (int i = 0; !stop.load(); ++i) {
      if (!tree.put(key_of("written/", i % keys), "x")) ++lost;
    }
  });
  for (int round = 0; round < 40; ++round) {
    const bool is_there = round % 2 == 0;
    CHECK(tree.rename_prefix(is_there ? "left/" : "right/", is_there ? "right/" : "left/")
              .has_value());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  while (reads == 0) std::this_thread::yield();
  stop = true;
  reader.join();
  writer.join();
  CHECK(lost == 0);
  CHECK(*tree.count("left/") == keys);
  require_clean(*store);
}

TEST_CASE("count: an estimate says what it knows", "[unit][engine]") {
  const auto store = *Store::open_in_memory({.cache_bytes = 64 * mib});
  const Tree tree = *store->create_tree("t");
  fill(tree, "a/", 100000);
  const Result<CountEstimate> rough = tree.estimate_count("a/", 3);
  REQUIRE(rough.has_value());
  CHECK_FALSE(rough->is_exact);
  CHECK(rough->keys_min < 100000);
  CHECK(rough->keys >= rough->keys_min);
  CHECK(rough->keys > 30000);
  CHECK(rough->keys < 300000);
  CHECK(tree.estimate_count("a/dir-007/", 3)->keys == 500);
  CHECK(tree.count("nothing") == std::uint64_t{0});
  CHECK(code_of(Tree().count("")) == Errc::tree_not_found);
}

}  // namespace

}  // namespace artfs
