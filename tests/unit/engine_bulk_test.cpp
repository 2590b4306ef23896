// SPDX-License-Identifier: Apache-2.0
// Bulk loading: what is loaded is there, whole or not at all, whatever the keys look like and whatever fails.
#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "support/engine_store.hpp"
#include "support/random_keys.hpp"

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::require_clean;
using test::small_options;

using Map = std::map<std::string, std::string>;

Errc code_of(const auto& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().code;
}

Map contents(Tree tree) {
  Map found;
  const Result<void> read = tree.for_each({}, [&](const Entry& entry) {
    found.emplace(std::string(entry.key), std::string(entry.value));
  });
  REQUIRE(read.has_value());
  return found;
}

Map files(std::size_t count) {
  Map map;
  for (std::size_t i = 0; i < count; ++i) {
    map[fmt::format("/usr/local/share/category-{}/file-{:06}", i % 16, i)] =
        fmt::format("a value of 32 bytes {:012}", i);
  }
  return map;
}

// Shapes that break trees: each key a prefix of the next, all bytes, long keys, large values, few and many.
Map strange(std::uint64_t seed) {
  test::RandomKeys random(seed, 3000);
  Map map;
  const std::uint64_t kind = seed % 6;
  const std::size_t count = kind == 5 ? 3 : 200 + random.below(4000);
  for (std::size_t i = 0; i < count; ++i) {
    std::string key = random.key();
    if (kind == 1) key = std::string(random.below(300), 'a');
    if (kind == 2) key = random.letters(random.below(12));
    if (kind == 3) key += std::string(random.below(2000), '/');
    std::string value = random.value();
    if (kind == 4) value.resize(random.below(value_bytes_max + 1));
    if (kind == 4 && i > 200) break;
    key.resize(std::min(key.size(), key_bytes_max));
    map[key] = value;
  }
  return map;
}

TEST_CASE("bulk: any sorted set of keys is loaded whole, in memory and on disk", "[unit][engine]") {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    CAPTURE(seed);
    const Map map = strange(seed);
    const bool is_on_disk = seed % 2 == 0;
    io::MemoryDirectory disk;
    must_create(disk);
    auto store =
        is_on_disk ? must_open(disk, small_options()) : *Store::open_in_memory(small_options());
    Tree tree = *store->create_tree("t");
    const unsigned fill_percent = 50 + static_cast<unsigned>(seed % 46);
    const Result<LoadReport> report = tree.load_sorted(map, {.fill_percent = fill_percent});
    if (!report) FAIL(to_text(report.error()));
    CHECK(report->records == map.size());
    require_clean(*store);
    REQUIRE(contents(tree) == map);
    CHECK(*tree.count("") == map.size());
    if (!map.empty()) CHECK(tree.get(map.begin()->first)->version == report->version);
    // The tree is one like any other.
    REQUIRE(tree.put("and one more", "x").has_value());
    for (const auto& [key, value] : map) {
      if (key.size() % 3 == 0 && key != "and one more") REQUIRE(tree.erase(key).has_value());
    }
    require_clean(*store);
    if (!is_on_disk) continue;
    const Map after = contents(tree);
    store.reset();
    store = must_open(disk, small_options());
    tree = *store->open_tree("t");
    REQUIRE(contents(tree) == after);
    require_clean(*store);
  }
}

TEST_CASE("bulk: frames are dense, directories roll up, memory stays small", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  const Map map = files(200000);
  const Result<LoadReport> report = tree.load_sorted(map);
  REQUIRE(report.has_value());
  const VerifyReport verified = *store->verify();
  CHECK(verified.problems.empty());
  CHECK(verified.keys == map.size());
  const double fill =
      static_cast<double>(verified.bytes_live) / (static_cast<double>(verified.frames) * 512 * kib);
  WARN(fmt::format("{} keys in {} frames, {:.2f} full", map.size(), verified.frames, fill));
  CHECK(fill > 0.65);
  CHECK(store->stats().cache.resident_bytes <= 8 * mib);
  std::size_t directories = 0;
  CHECK(tree.for_each({.prefix = "/usr/local/share/", .delimiter = '/'},
                      [&](const Entry& entry) { directories += entry.is_rollup ? 1 : 0; })
            .has_value());
  CHECK(directories == 16);
}

TEST_CASE("bulk: what is out of order or too much leaves the tree empty", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  const auto load = [&](std::vector<std::pair<std::string, std::string>> pairs) {
    return tree.load_sorted(pairs);
  };
  const Result<LoadReport> unsorted = load({{"a", "1"}, {"c", "2"}, {"b", "3"}});
  CHECK(code_of(unsorted) == Errc::keys_not_sorted);
  CHECK(unsorted.error().detail == 3);
  CHECK(code_of(load({{"a", "1"}, {"a", "2"}})) == Errc::keys_not_sorted);
  CHECK(code_of(load({{"ab", "1"}, {"a", "2"}})) == Errc::keys_not_sorted);
  CHECK(code_of(load({{std::string(5000, 'k'), "1"}})) == Errc::key_too_long);
  CHECK(code_of(load({{"k", std::string(value_bytes_max + 1, 'v')}})) == Errc::value_too_large);
  CHECK(code_of(tree.load_sorted(Map{}, {.fill_percent = 99})) == Errc::option_invalid);
  CHECK(contents(tree).empty());
  {
    // Given up after frames were written.
    SortedLoad abandoned = *tree.begin_sorted_load();
    for (const auto& [key, value] : files(50000)) REQUIRE(abandoned.add(key, value).has_value());
  }
  CHECK(contents(tree).empty());
  require_clean(*store);
  REQUIRE(load({{"\x7f", "1"}, {"\x80", "2"}, {"\xff", "3"}}).has_value());  // bytes, not signed
  CHECK(contents(tree).size() == 3);
  CHECK(code_of(load({{"a", "1"}})) == Errc::tree_not_empty);
  CHECK(contents(tree).size() == 3);
  require_clean(*store);
}

TEST_CASE("bulk: a change that comes first wins, one that comes late waits", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree early = *store->create_tree("early");
  SortedLoad load = *early.begin_sorted_load();
  for (const auto& [key, value] : files(20000)) REQUIRE(load.add(key, value).has_value());
  REQUIRE(early.put("first", "x").has_value());
  CHECK(code_of(load.finish()) == Errc::tree_not_empty);
  CHECK(contents(early).size() == 1);

  disk.set_sync_delay(std::chrono::microseconds(20000));
  for (int round = 0; round < 5; ++round) {
    const Tree tree = *store->create_tree(fmt::format("late {}", round));
    const Map map = files(20000);
    std::atomic<bool> stop{false};
    std::atomic<bool> has_begun{false};
    std::size_t put = 0;
    std::thread writer([&] {
      while (!has_begun) std::this_thread::yield();
      // Only replaces what it finds: so it never comes first.
      while (!stop) {
        const auto known = tree.get(map.begin()->first);
        if (!known) continue;
        if (tree.compare_and_put(map.begin()->first, known->version, "changed")) ++put;
        return;
      }
    });
    SortedLoad late = *tree.begin_sorted_load();
    for (const auto& [key, value] : map) REQUIRE(late.add(key, value).has_value());
    has_begun = true;
    const Result<LoadReport> report = late.finish();
    REQUIRE(report.has_value());
    stop = true;
    writer.join();
    CHECK(contents(tree).size() == map.size());
    CHECK(tree.get(map.begin()->first)->value == (put > 0 ? "changed" : map.begin()->second));
  }
  disk.set_sync_delay(std::chrono::microseconds(0));
  require_clean(*store);
}

// Every call of the disk that a load makes fails once, for good; then the power goes.
TEST_CASE("bulk: a load that fails or is cut off leaves all of it or nothing", "[unit][engine]") {
  const Map map = files(30000);
  bool has_succeeded = false;
  std::size_t absent = 0;
  for (std::uint64_t call = 1; !has_succeeded; ++call) {
    CAPTURE(call);
    REQUIRE(call < 500);
    io::MemoryDirectory disk;
    must_create(disk);
    {
      const auto store = must_open(disk, small_options());
      const Tree tree = *store->create_tree("t");
      const Tree other = *store->create_tree("other");
      REQUIRE(other.put("before", "x").has_value());
      REQUIRE(store->sync().has_value());
      disk.fail_call(call, Errc::io_failed, io::MemoryDirectory::Repeat::for_ever);
      const Result<LoadReport> report = tree.load_sorted(map);
      has_succeeded = report.has_value();
      if (!report) CHECK(contents(tree).empty());
    }
    const auto after = disk.clone_after_power_cut(call);
    const auto store = must_open(*after, small_options());
    const Map found = contents(*store->open_tree("t"));
    if (has_succeeded) CHECK(found == map);
    if (found.empty()) ++absent;
    if (!found.empty()) CHECK(found == map);
    CHECK(store->open_tree("other")->get("before")->value == "x");
    require_clean(*store);
  }
  CHECK(absent > 3);
}

}  // namespace

}  // namespace artfs
