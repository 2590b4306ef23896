// SPDX-License-Identifier: Apache-2.0
// How full the frames are, and how long the basic operations take (printed, not judged).
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "support/memory_tree.hpp"
#include "support/scale.hpp"

namespace artfs::test {

namespace {

// Time this thread ran: the machine has other things to do.
double cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// The `fs` workload: 16 directories, 32-byte values.
std::string fs_key(std::size_t index) {
  return fmt::format("/usr/local/share/category-{}/file-{:06}", index % 16, index / 16);
}

std::vector<std::string> fs_keys(std::size_t count) {
  std::vector<std::string> keys;
  keys.reserve(count);
  for (std::size_t i = 0; i < count; ++i) keys.push_back(fs_key(i));
  return keys;
}

constexpr std::size_t fs_value_bytes = 32;

template <typename Call>
double ns_each(const std::vector<std::string>& keys, Call&& call) {
  const double start = cpu_ns();
  for (const std::string& key : keys) call(key);
  return (cpu_ns() - start) / static_cast<double>(keys.size());
}

TreeFacts fill(MemoryTree& tree, const std::vector<std::string>& keys, std::string_view order) {
  const std::string value(fs_value_bytes, 'v');
  const double put_ns = ns_each(keys, [&](const std::string& key) { tree.put(key, value); });
  const TreeFacts facts = tree.verify();
  fmt::print("fill: {} keys, {}: {:.0f} ns/put, {} frames, fill {:.3f}, {:.1f} bytes/key\n",
             keys.size(), order, put_ns, facts.frames, facts.fill(),
             static_cast<double>(facts.bytes_live) / static_cast<double>(facts.keys));
  return facts;
}

void check(const TreeFacts& facts, std::size_t keys) {
  CHECK(facts.problems.empty());
  CHECK(facts.keys == keys);
  if (facts.frames > 10) CHECK(facts.fill() >= 0.55);
}

}  // namespace

TEST_CASE("fill: frames are at least 55 % full after random inserts", "[model][art]") {
  std::vector<std::string> keys = fs_keys(scaled(1000000));
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
  MemoryTree tree;
  check(fill(tree, keys, "random"), keys.size());
}

TEST_CASE("fill: frames are at least 55 % full after sorted inserts", "[model][art]") {
  std::vector<std::string> keys = fs_keys(scaled(1000000));
  SECTION("ascending") {
    std::sort(keys.begin(), keys.end());
    MemoryTree tree;
    check(fill(tree, keys, "ascending"), keys.size());
  }
  SECTION("descending") {
    std::sort(keys.rbegin(), keys.rend());
    MemoryTree tree;
    check(fill(tree, keys, "descending"), keys.size());
  }
  SECTION("ascending in 16 directories at a time") {
    MemoryTree tree;
    check(fill(tree, keys, "interleaved"), keys.size());
  }
}

TEST_CASE("timing: get, miss, put, erase on 500,000 keys", "[model][art]") {
  std::vector<std::string> keys = fs_keys(scaled(500000));
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
  const std::string value(fs_value_bytes, 'v');
  MemoryTree tree;
  for (const std::string& key : keys) tree.put(key, value);
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(2));
  std::size_t bytes = 0;
  const double hit = ns_each(
      keys, [&](const std::string& key) { bytes += art::find(tree.view(), key)->value.size(); });
  CHECK(bytes == keys.size() * fs_value_bytes);
  std::size_t found = 0;
  const double miss = ns_each(keys, [&](const std::string& key) {
    if (art::find(tree.view(), key + "x")) ++found;
  });
  CHECK(found == 0);
  const double put = ns_each(keys, [&](const std::string& key) { tree.put(key, value); });
  const double churn = ns_each(keys, [&](const std::string& key) {
    tree.erase(key);
    tree.put(key, value);
  });
  std::size_t listed = 0;
  const double list = ns_each({keys.begin(), keys.begin() + 10000}, [&](const std::string& key) {
    art::ScanBatch batch;
    art::ScanRequest request;
    request.after = key;
    request.after_valid = true;
    if (art::scan(tree.view(), request, 100, mib, batch)) listed += batch.items.size();
  });
  CHECK(listed > 900000);
  fmt::print(
      "time: get {:.0f} ns, miss {:.0f} ns, put {:.0f} ns, erase+put {:.0f} ns, list 100 {:.0f} "
      "ns\n",
      hit, miss, put, churn, list);
}

}  // namespace artfs::test
