// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/memory_tree.hpp"

namespace artfs::test {

namespace {

using namespace std::string_literals;

std::string get(MemoryTree& tree, std::string_view key) {
  const Result<art::Found> found = art::find(tree.view(), key);
  return found ? std::string(found->value) : "(" + std::string(name_of(found.error().code)) + ")";
}

std::vector<std::string> list(MemoryTree& tree, const art::ScanRequest& request) {
  art::ScanBatch batch;
  REQUIRE(art::scan(tree.view(), request, 100000, 64 * mib, batch));
  REQUIRE(batch.at_end);
  std::vector<std::string> keys;
  for (const art::ScanItem& item : batch.items) {
    keys.push_back(batch.bytes.substr(item.key_off, item.key_bytes));
  }
  return keys;
}

void check_sound(MemoryTree& tree, std::uint64_t keys) {
  const TreeFacts facts = tree.verify();
  for (const std::string& problem : facts.problems) UNSCOPED_INFO(problem);
  CHECK(facts.problems.empty());
  CHECK(facts.keys == keys);
}

}  // namespace

TEST_CASE("P1: zero bytes, empty keys and keys that are prefixes of others live side by side",
          "[unit][art]") {
  MemoryTree tree;
  const std::vector<std::string> keys{""s,   "a"s,    "a\0"s,     "a\0b"s, "ab"s,
                                      "\0"s, "\xff"s, "abc\0\0"s, "abc"s};
  for (const std::string& key : keys) tree.put(key, "value of " + key);
  for (const std::string& key : keys) CHECK(get(tree, key) == "value of " + key);
  CHECK(get(tree, "a\0\0"s) == "(key_not_found)");
  check_sound(tree, keys.size());
  CHECK(list(tree, {}) == std::vector<std::string>{""s, "\0"s, "a"s, "a\0"s, "a\0b"s, "ab"s, "abc"s,
                                                   "abc\0\0"s, "\xff"s});
  for (const std::string& key : keys) CHECK(tree.erase(key));
  CHECK_FALSE(tree.erase("a"));
  check_sound(tree, 0);
}

TEST_CASE("P15: a node with all 256 edges keeps its count, and shrinks again", "[unit][art]") {
  MemoryTree tree;
  for (int byte = 0; byte < 256; ++byte)
    tree.put("k" + std::string(1, static_cast<char>(byte)), "v");
  check_sound(tree, 256);
  CHECK(list(tree, {}).size() == 256);
  for (int byte = 0; byte < 256; ++byte) {
    CHECK(tree.erase("k" + std::string(1, static_cast<char>(byte))));
    check_sound(tree, static_cast<std::uint64_t>(255 - byte));
  }
}

TEST_CASE("P2: tiny records fill frames by bytes, not by a number of slots", "[unit][art]") {
  MemoryTree tree;
  for (std::uint32_t i = 0; i < 120000; ++i) {
    const std::string key{static_cast<char>(i >> 16U), static_cast<char>(i >> 8U),
                          static_cast<char>(i)};
    tree.put(key, "");
  }
  check_sound(tree, 120000);
  CHECK(tree.verify().frames > 3);
}

TEST_CASE("tree: values of every size up to the limit replace each other", "[unit][art]") {
  MemoryTree tree;
  for (std::size_t i = 0; i < 40; ++i)
    tree.put("key" + std::to_string(i), std::string(64 * kib, 'x'));
  for (const std::size_t bytes : {0U, 1U, 7U, 8U, 65536U, 9U, 40000U, 65535U, 100U}) {
    for (std::size_t i = 0; i < 40; ++i)
      tree.put("key" + std::to_string(i), std::string(bytes, 'y'));
    for (std::size_t i = 0; i < 40; ++i)
      CHECK(get(tree, "key" + std::to_string(i)).size() == bytes);
    check_sound(tree, 40);
  }
}

TEST_CASE("tree: every prefix of a key of 4,096 bytes is a key", "[unit][art]") {
  MemoryTree tree;
  const std::string spine(key_bytes_max, 's');
  for (std::size_t bytes = 0; bytes <= key_bytes_max; ++bytes)
    tree.put(spine.substr(0, bytes), "value");
  check_sound(tree, key_bytes_max + 1);
  CHECK(art::longest_prefix(tree.view(), spine).value() == key_bytes_max);
  CHECK(list(tree, {}).size() == key_bytes_max + 1);
  for (std::size_t bytes = 0; bytes <= key_bytes_max; ++bytes)
    REQUIRE(tree.erase(spine.substr(0, bytes)));
  check_sound(tree, 0);
  CHECK(tree.verify().frames == 1);
}

TEST_CASE("tree: a chain of nodes that each carry the largest value spills and shrinks",
          "[unit][art]") {
  MemoryTree tree;
  const std::string spine(key_bytes_max, 's');
  const std::string value(value_bytes_max, 'v');
  for (std::size_t bytes = 0; bytes < key_bytes_max; bytes += 64) {
    tree.put(spine.substr(0, bytes), value);
    tree.put(spine.substr(0, bytes) + "t", value);
  }
  check_sound(tree, 128);
  for (std::size_t bytes = 0; bytes < key_bytes_max; bytes += 64) {
    REQUIRE(tree.erase(spine.substr(0, bytes)));
    REQUIRE(tree.erase(spine.substr(0, bytes) + "t"));
  }
  CHECK(tree.verify().frames == 1);
}

TEST_CASE("tree: a fan of crossings below one node comes and goes", "[unit][art]") {
  MemoryTree tree;
  const std::string value(3000, 'v');
  // 256 edges with 8 KiB below each: the root ends as a node256 of crossings.
  const auto each_key = [](auto&& call) {
    for (int byte = 0; byte < 256; ++byte) {
      for (int i = 0; i < 16; ++i)
        call(std::string(1, static_cast<char>(byte)) + std::to_string(i));
    }
  };
  each_key([&](const std::string& key) { tree.put(key, value); });
  check_sound(tree, 4096);
  const std::uint64_t frames = tree.verify().frames;
  CHECK(frames > 20);
  each_key([&](const std::string& key) { CHECK(get(tree, key) == value); });
  each_key([&](const std::string& key) { REQUIRE(tree.erase(key)); });
  check_sound(tree, 0);
  CHECK(tree.verify().frames == 1);
}

TEST_CASE("plan: a plan of many puts creates no more frames than it said (AP)", "[unit][art]") {
  MemoryTree tree;
  std::uint64_t number = 0;
  for (int round = 0; round < 60; ++round) {
    art::WritePlan plan;
    std::vector<std::string> keys;
    const std::size_t value_bytes = round % 3 == 0 ? 60000 : 200;
    keys.reserve(1500);  // the plan holds views of them
    for (int i = 0; i < (round % 3 == 0 ? 20 : 1500); ++i) {
      keys.push_back("dir" + std::to_string(number % 7) + "/" +
                     std::to_string(number * 7919 % 100003));
      ++number;
      REQUIRE(plan.add_put(tree.view(), keys.back(), value_bytes));
    }
    frame::FrameReserve reserve = tree.cache().reserve(plan.frames_needed()).value();
    const std::string value(value_bytes, 'v');
    REQUIRE(plan.latch());
    for (std::size_t i = 0; i < keys.size(); ++i) plan.put(value, Lsn{number}, reserve);
  }
  CHECK(tree.verify().problems.empty());
  CHECK(tree.verify().frames > 20);
}

TEST_CASE("plan: keys and values over the limits are refused", "[unit][art]") {
  MemoryTree tree;
  art::WritePlan plan;
  CHECK(plan.add_put(tree.view(), std::string(key_bytes_max + 1, 'k'), 0).error().code ==
        Errc::key_too_long);
  CHECK(plan.add_put(tree.view(), "k", value_bytes_max + 1).error().code == Errc::value_too_large);
  CHECK(plan.frames_needed() == 0);
}

TEST_CASE("tree: frames of a full tree carry the newest version below them as page LSN",
          "[unit][art]") {
  MemoryTree tree;
  const Lsn first = tree.put("a", "1");
  const Lsn second = tree.put("b", "2");
  CHECK(art::find(tree.view(), "a")->version == first);
  const frame::Pin root = tree.cache().pin(tree.view().root).value();
  CHECK(frame::View(root.bytes()).header().page_lsn == second.raw);
  CHECK(tree.erase("a"));
  CHECK(frame::View(root.bytes()).header().page_lsn == second.raw + 1);
}

TEST_CASE("scan: a roll-up passes a directory in another frame without touching it",
          "[unit][art]") {
  MemoryTree tree;
  const std::string value(500, 'v');
  for (const std::string name : {"bucket/alpha", "bucket/beta", "bucket/gamma", "bucket/zeta"}) {
    for (int i = 0; i < 2500; ++i) tree.put(name + "/file-" + std::to_string(i), value);
  }
  REQUIRE(tree.verify().frames > 8);
  const std::uint64_t pins_before = tree.cache().stats().hits;
  art::ScanRequest request;
  request.prefix = "bucket/";
  request.delimiter = '/';
  CHECK(list(tree, request) ==
        std::vector<std::string>{"bucket/alpha/", "bucket/beta/", "bucket/gamma/", "bucket/zeta/"});
  CHECK(tree.cache().stats().hits == pins_before + 1);
}

TEST_CASE("node search: the wide compare finds what its scalar twin finds", "[unit][art]") {
  const std::array<std::uint8_t, 16> keys{0,   1,   7,   9,   47,  48,  57,  97,
                                          122, 127, 128, 129, 200, 253, 254, 255};
  for (std::size_t count = 0; count <= keys.size(); ++count) {
    for (int byte = 0; byte < 256; ++byte) {
      const auto wanted = static_cast<std::uint8_t>(byte);
      REQUIRE(art::place_of(keys, count, wanted) == art::place_of_scalar(keys, count, wanted));
    }
  }
}

TEST_CASE("dump: a frame as text shows labels, values and crossings", "[unit][art]") {
  MemoryTree tree;
  tree.put("dir/a\0"s, "one");
  tree.put("dir/b", "two");
  const frame::Pin root = tree.cache().pin(tree.view().root).value();
  const std::string text = art::frame_to_text(root.bytes(), true);
  CHECK(text.find("node4 \"dir/\" edges 2") != std::string::npos);
  CHECK(text.find("leaf \"\\x00\" version 1 value 3 bytes \"one\"") != std::string::npos);
}

}  // namespace artfs::test
