// SPDX-License-Identifier: Apache-2.0
#include "support/engine_store.hpp"

#include <catch2/catch.hpp>

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::small_options;

std::unique_ptr<Store> memory_store() {
  auto store = Store::open_in_memory(small_options());
  REQUIRE(store.has_value());
  return *std::move(store);
}

Errc code_of(const auto& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().code;
}

TEST_CASE("store: what is put is found, replaced and erased", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  CHECK(code_of(tree.get("a")) == Errc::key_not_found);
  const Version first = *tree.put("a", "1");
  CHECK(tree.get("a")->value == "1");
  CHECK(tree.get("a")->version == first);
  const Version second = *tree.put("a", "22");
  CHECK(second > first);
  CHECK(tree.get("a")->value == "22");
  CHECK(*tree.contains("a"));
  CHECK(tree.erase("a").has_value());
  CHECK(code_of(tree.erase("a")) == Errc::key_not_found);
  CHECK_FALSE(*tree.contains("a"));
}

TEST_CASE("store: the empty key and the empty value are like any other", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("", "").has_value());
  CHECK(tree.get("")->value.empty());
  CHECK_FALSE(*tree.prefix_empty(""));
  CHECK(*tree.longest_prefix("anything") == "");
}

TEST_CASE("store: put_if_absent and compare_and_put change nothing when the guard fails",
          "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  const Version first = *tree.put_if_absent("a", "1");
  CHECK(code_of(tree.put_if_absent("a", "2")) == Errc::key_exists);
  CHECK(tree.get("a")->value == "1");
  CHECK(code_of(tree.compare_and_put("b", first, "x")) == Errc::version_mismatch);
  const Version second = *tree.compare_and_put("a", first, "2");
  CHECK(code_of(tree.compare_and_put("a", first, "3")) == Errc::version_mismatch);
  CHECK(tree.get("a")->version == second);
}

TEST_CASE("store: rename replaces, refuses or exchanges as asked", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  CHECK(code_of(tree.rename("a", "b", RenameMode::replace)) == Errc::key_not_found);
  REQUIRE(tree.put("a", "1").has_value());
  REQUIRE(tree.put("b", "2").has_value());
  CHECK(code_of(tree.rename("a", "b", RenameMode::no_replace)) == Errc::key_exists);
  const Version swapped = *tree.rename("a", "b", RenameMode::exchange);
  CHECK(tree.get("a")->value == "2");
  CHECK(tree.get("b")->value == "1");
  CHECK(tree.get("a")->version == swapped);
  CHECK(tree.get("b")->version == swapped);
  REQUIRE(tree.rename("a", "b", RenameMode::replace).has_value());
  CHECK_FALSE(*tree.contains("a"));
  CHECK(tree.get("b")->value == "2");
  CHECK(code_of(tree.rename("b", "c", RenameMode::exchange)) == Errc::key_not_found);
  REQUIRE(tree.rename("b", "c", RenameMode::no_replace).has_value());
  CHECK(*tree.rename("c", "c", RenameMode::no_replace) == tree.get("c")->version);
  CHECK(code_of(tree.rename("x", "x", RenameMode::replace)) == Errc::key_not_found);
}

TEST_CASE("store: sizes are refused before anything happens", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  const std::string long_key(key_bytes_max + 1, 'k');
  const std::string large_value(value_bytes_max + 1, 'v');
  CHECK(code_of(tree.put(long_key, "")) == Errc::key_too_long);
  CHECK(code_of(tree.put("k", large_value)) == Errc::value_too_large);
  CHECK(code_of(tree.get(long_key)) == Errc::key_too_long);
  CHECK(code_of(tree.erase(long_key)) == Errc::key_too_long);
  CHECK(code_of(tree.rename("k", long_key, RenameMode::replace)) == Errc::key_too_long);
  REQUIRE(tree.put(std::string(key_bytes_max, 'k'), std::string(value_bytes_max, 'v')).has_value());
  CHECK(tree.get(std::string(key_bytes_max, 'k'))->value.size() == value_bytes_max);
  Txn txn;
  txn.put(tree, "a", "1").put(tree, long_key, "2");
  CHECK(code_of(store->commit(txn)) == Errc::key_too_long);
  CHECK_FALSE(*tree.contains("a"));
  txn.clear();
  const std::string value(value_bytes_max, 'v');
  for (int index = 0; index < 65; ++index) txn.put(tree, std::to_string(index), value);
  CHECK(code_of(store->commit(txn)) == Errc::transaction_too_large);
  CHECK(*tree.prefix_empty("0"));
  Txn outside;
  outside.add(tree, tree_counters_max, 1);
  CHECK(code_of(store->commit(outside)) == Errc::invalid_argument);
}

TEST_CASE("store: a transaction over two trees happens whole or not at all", "[unit][engine]") {
  const auto store = memory_store();
  const Tree left = *store->create_tree("left");
  const Tree right = *store->create_tree("right");
  Txn txn;
  txn.assert_absent(right, "b").put(right, "b", "2").put(left, "a", "1").add(left, 3, 5);
  const Version version = *store->commit(txn);
  CHECK(left.get("a")->version == version);
  CHECK(right.get("b")->version == version);
  CHECK(left.counter(3) == 5);
  CHECK(code_of(store->commit(txn)) == Errc::key_exists);
  CHECK(left.counter(3) == 5);
  txn.clear();
  CHECK(txn.empty());
  txn.assert_version(right, "b", version).erase(right, "b").erase(left, "none").add(left, 3, -7);
  REQUIRE(store->commit(txn).has_value());
  CHECK(left.counter(3) == -2);
  CHECK(code_of(store->commit(txn)) == Errc::version_mismatch);
  txn.clear();
  txn.assert_prefix_empty(left, "a").put(left, "z", "");
  CHECK(code_of(store->commit(txn)) == Errc::prefix_not_empty);
  CHECK_FALSE(*left.contains("z"));
}

TEST_CASE("store: operations of a transaction apply in their order, guards see the state before",
          "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  Txn txn;
  txn.put(tree, "a", "1").assert_absent(tree, "a").erase(tree, "a").put(tree, "a", "2");
  REQUIRE(store->commit(txn).has_value());
  CHECK(tree.get("a")->value == "2");
}

TEST_CASE("store: a transaction without changes checks its guards", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  Txn txn;
  CHECK(store->commit(txn).has_value());
  txn.assert_absent(tree, "a");
  CHECK(store->commit(txn).has_value());
  REQUIRE(tree.put("a", "").has_value());
  CHECK(code_of(store->commit(txn)) == Errc::key_exists);
}

TEST_CASE("store: trees have names of 1 to 255 bytes and are found again", "[unit][engine]") {
  const auto store = memory_store();
  CHECK(code_of(store->create_tree("")) == Errc::tree_name_invalid);
  CHECK(code_of(store->create_tree(std::string(256, 'n'))) == Errc::tree_name_invalid);
  REQUIRE(store->create_tree(std::string(255, 'n')).has_value());
  const Tree tree = *store->create_tree("t");
  CHECK(code_of(store->create_tree("t")) == Errc::tree_exists);
  CHECK(store->open_tree("t")->id() == tree.id());
  CHECK(code_of(store->open_tree("u")) == Errc::tree_not_found);
  CHECK(store->tree_names() == std::vector<std::string>{std::string(255, 'n'), "t"});
  CHECK(code_of(Tree().get("a")) == Errc::tree_not_found);
}

TEST_CASE("store: scans go by prefix, position, delimiter and limit", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  for (int directory = 0; directory < 40; ++directory) {
    for (int file = 0; file < 50; ++file) {
      const std::string key =
          "d" + std::to_string(100 + directory) + "/f" + std::to_string(1000 + file);
      REQUIRE(tree.put(key, key + "!").has_value());
    }
  }
  Scan all = tree.scan({});
  std::string before;
  std::size_t count = 0;
  while (*all.next()) {
    CHECK(all.entry().key > before);
    CHECK(all.entry().value == std::string(all.entry().key) + "!");
    before = all.entry().key;
    ++count;
  }
  CHECK(count == 2000);

  Scan rolled = tree.scan({.prefix = "d", .start_after = "d110/", .delimiter = '/', .limit = 5});
  for (int directory = 11; directory < 16; ++directory) {
    REQUIRE(*rolled.next());
    CHECK(rolled.entry().is_rollup);
    CHECK(rolled.entry().key == "d" + std::to_string(100 + directory) + "/");
  }
  CHECK_FALSE(*rolled.next());

  Scan keys = tree.scan({.prefix = "d105/", .start_after = "d105/f1047", .keys_only = true});
  REQUIRE(*keys.next());
  CHECK(keys.entry().key == "d105/f1048");
  CHECK(keys.entry().value.empty());
  REQUIRE(*keys.next());
  CHECK_FALSE(*keys.next());
}

TEST_CASE("store: everything survives close and open, checkpointed or not", "[unit][engine]") {
  const bool checkpoint_before = GENERATE(false, true);
  io::MemoryDirectory disk;
  must_create(disk);
  {
    const auto store = must_open(disk, small_options());
    const Tree tree = *store->create_tree("t");
    Txn txn;
    txn.put(tree, "a", "1").add(tree, 0, 42);
    REQUIRE(store->commit(txn).has_value());
    if (checkpoint_before) REQUIRE(store->checkpoint().has_value());
    REQUIRE(tree.put("b", "2").has_value());
    REQUIRE(store->close().has_value());
    REQUIRE(store->close().has_value());
    CHECK(code_of(tree.put("c", "3")) == Errc::store_stopped);
  }
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->open_tree("t");
  CHECK(tree.get("a")->value == "1");
  CHECK(tree.get("b")->value == "2");
  CHECK(tree.counter(0) == 42);
  test::require_clean(*store);
}

TEST_CASE("store: a memory store keeps the same promises without files", "[unit][engine]") {
  const auto store = memory_store();
  const Tree tree = *store->create_tree("t");
  const Version version = *tree.put("a", "1");
  CHECK(store->is_durable(version));
  int calls = 0;
  store->impl().set_before_log_sync([&]() -> Result<void> {
    ++calls;
    return {};
  });
  CHECK(store->sync().has_value());
  CHECK(calls == 1);
  CHECK(store->sync_to(version).has_value());
  CHECK(store->checkpoint().has_value());
  CHECK(store->impl().directory().open("blocks.dat", {.create = true}).has_value());
  test::require_clean(*store);
}

TEST_CASE("store: stats name every figure, as text and as JSON", "[unit][engine]") {
  const auto store = memory_store();
  REQUIRE(store->create_tree("t").has_value());
  const StoreStats stats = store->stats();
  CHECK(stats.trees == 1);
  CHECK(to_text(stats).find("cache.hits") != std::string::npos);
  CHECK(!stats.io.empty());
  const std::string json = to_json(stats);
  CHECK(json.find("\"checkpoint\":{\"generation\":0") != std::string::npos);
  VolumeStats volume;
  volume.store = stats;
  volume.inodes = 7;
  CHECK(to_json(volume).find("\"inodes\":7") != std::string::npos);
  CHECK(to_text(volume).find("store.log.end_lsn") != std::string::npos);
}

}  // namespace

}  // namespace artfs
