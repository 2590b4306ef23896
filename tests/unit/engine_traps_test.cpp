// SPDX-License-Identifier: Apache-2.0
// What broke in other engines of this design, at the level of the store.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::must_create;
using test::must_open;
using test::small_options;
using Repeat = io::MemoryDirectory::Repeat;

StoreOptions quiet_options() {
  StoreOptions options = small_options();
  options.commit_interval = std::chrono::milliseconds(60000);
  return options;
}

std::string numbered(const char* prefix, std::uint64_t number) {
  std::string digits = std::to_string(number);
  return prefix + std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits;
}

// About 12 MiB: half as much again as the smallest cache.
void fill(Tree tree, std::uint64_t records) {
  const std::string value(1000, 'v');
  for (std::uint64_t number = 0; number < records; ++number) {
    if (!tree.put(numbered("file-", number), value)) FAIL("put " << number);
  }
}

TEST_CASE("P1: any byte is legal in keys, through checkpoint and reopen", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const std::vector<std::string> keys = {
      "a",    std::string("a\0b", 3), std::string("a\0", 2), std::string(1, '\0'), "", "\xff",
      "a\xff"};
  {
    const auto store = must_open(disk, small_options());
    const Tree tree = *store->create_tree("t");
    for (const std::string& key : keys) REQUIRE(tree.put(key, key + "=").has_value());
    REQUIRE(store->checkpoint().has_value());
  }
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->open_tree("t");
  for (const std::string& key : keys) CHECK(tree.get(key)->value == key + "=");
}

TEST_CASE("P2: tiny records fill many frames, checkpoint and reopen", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  constexpr std::uint64_t records = 60000;
  {
    const auto store = must_open(disk, small_options());
    const Tree tree = *store->create_tree("t");
    for (std::uint64_t number = 0; number < records; ++number) {
      if (!tree.put(std::to_string(number * 7919 % 1000003), "v")) FAIL("put");
    }
    REQUIRE(store->checkpoint().has_value());
    test::require_clean(*store);
  }
  const auto store = must_open(disk, small_options());
  CHECK(store->verify()->keys == records);
}

TEST_CASE("P3: a sync returns only when its own record is on the device", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, quiet_options());
  const Tree tree = *store->create_tree("t");
  disk.set_sync_delay(std::chrono::microseconds(500));
  std::vector<std::thread> writers;
  std::atomic<int> lost{0};
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      for (int number = 0; number < 40; ++number) {
        const std::string key = std::to_string(writer) + "/" + std::to_string(number);
        const auto version = tree.put(key, "v");
        if (!version || !store->sync_to(*version) || !store->is_durable(*version)) ++lost;
        if (number % 10 != 9) continue;
        const auto durable = disk.clone_durable();
        const auto copy = test::open_on(*durable, small_options());
        if (!copy || !(*(*copy)->open_tree("t")).get(key)) ++lost;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(lost == 0);
}

TEST_CASE("P4: readers see whole values while a writer replaces them", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = *store->create_tree("t");
  constexpr std::uint64_t keys = 16;
  const auto value_of = [](std::uint64_t round) {
    return std::string(1 + round % 700, static_cast<char>('a' + round % 26));
  };
  for (std::uint64_t key = 0; key < keys; ++key) REQUIRE(tree.put(numbered("k", key), "a"));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> mixed{0};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&] {
      std::string value;
      for (std::uint64_t index = 0; !stop; ++index) {
        if (!tree.get_into(numbered("k", index % keys), value) ||
            value.find_first_not_of(value.front()) != std::string::npos) {
          ++mixed;
        }
        ++reads;
      }
    });
  }
  for (std::uint64_t round = 0; round < 30000; ++round) {
    if (!tree.put(numbered("k", round % keys), value_of(round))) FAIL("put");
  }
  while (reads == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(mixed == 0);
}

TEST_CASE("P6: what was put reaches the file within the write interval, and at close",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, quiet_options());
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("idle", "1").has_value());
  bool found = false;
  for (int wait = 0; wait < 100 && !found; ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto killed = disk.clone_current();
    const auto copy = must_open(*killed, quiet_options());
    const auto there = copy->open_tree("t");
    found = there && *there->contains("idle");
  }
  CHECK(found);
  REQUIRE(tree.put("closed", "1").has_value());
  REQUIRE(store->close().has_value());
  const auto durable = disk.clone_durable();
  const auto copy = must_open(*durable, quiet_options());
  CHECK(*copy->open_tree("t")->contains("closed"));
}

TEST_CASE("P7: a rename is not replayed onto its own result, wherever the checkpoint dies",
          "[unit][engine]") {
  for (std::uint64_t call = 1; call < 40; ++call) {
    CAPTURE(call);
    io::MemoryDirectory disk;
    must_create(disk);
    const auto store = must_open(disk, quiet_options());
    const Tree tree = *store->create_tree("t");
    REQUIRE(tree.put("a", "old").has_value());
    REQUIRE(store->checkpoint().has_value());
    REQUIRE(tree.rename("a", "b", RenameMode::no_replace).has_value());
    REQUIRE(tree.put("a", "new").has_value());
    REQUIRE(store->sync().has_value());
    disk.fail_call(call, Errc::io_failed, Repeat::for_ever);
    const bool survived = store->checkpoint().has_value();
    for (const auto& crashed : {disk.clone_current(), disk.clone_durable()}) {
      const auto copy = must_open(*crashed, quiet_options());
      const Tree there = *copy->open_tree("t");
      CHECK(there.get("b")->value == "old");
      CHECK(there.get("a")->value == "new");
    }
    if (survived) break;
  }
}

// I2: it is cut there and nowhere else.
TEST_CASE("P8: the log is cut at every checkpoint while writers go on", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = small_options();
  options.checkpoint_log_bytes = 2 * mib;
  const auto store = must_open(disk, options);
  const Tree tree = *store->create_tree("t");
  const std::string value(2000, 'v');
  std::uint64_t segments_most = 0;
  for (std::uint64_t number = 0; number < 60000; ++number) {
    if (!tree.put(numbered("k", number % 500), value)) FAIL("put");
    if (number % 1000 == 0) segments_most = std::max(segments_most, store->stats().log.segments);
  }
  const StoreStats stats = store->stats();
  CHECK(stats.log.end_lsn > 100 * mib);
  CHECK(stats.checkpoint.completed >= 3);
  CHECK(stats.log.end_lsn - stats.log.cut_lsn < 100 * mib);
  CHECK(segments_most <= 8);
}

TEST_CASE("P9: versions grow across restarts", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  Version before;
  for (int life = 0; life < 4; ++life) {
    const auto store = must_open(disk, small_options());
    const Tree tree = life == 0 ? *store->create_tree("t") : *store->open_tree("t");
    if (life > 0) {
      CHECK(tree.get("a")->version == before);
      CHECK_FALSE(tree.compare_and_put("a", Version{1}, "x").has_value());
    }
    const auto version = tree.put("a", std::to_string(life));
    REQUIRE(version.has_value());
    CHECK(*version > before);
    before = *version;
    if (life == 1) REQUIRE(store->checkpoint().has_value());
  }
}

TEST_CASE("P10: an acknowledged put is in the next listing, whoever writes beside it",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = *store->create_tree("t");
  std::atomic<std::uint64_t> missing{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, prefix = "dir/" + std::to_string(writer) + "-"] {
      for (std::uint64_t number = 0; number < 2000; ++number) {
        const std::string key = numbered(prefix.c_str(), number);
        bool listed = tree.put(key, "v").has_value();
        Scan scan = tree.scan({.prefix = key, .limit = 1});
        listed = listed && scan.next().value_or(false) && scan.entry().key == key;
        if (!listed) ++missing;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(missing == 0);
}

TEST_CASE("P13: a read error in the middle of a transaction leaves nothing of it",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, quiet_options());
  const Tree tree = *store->create_tree("t");
  fill(tree, 12000);
  REQUIRE(store->checkpoint().has_value());
  std::uint64_t failed = 0;
  for (std::uint64_t read = 1; read < 12; ++read) {
    CAPTURE(read);
    Txn txn;
    for (std::uint64_t part = 0; part < 10; ++part) {
      txn.put(tree, numbered("file-", part * 1200 + read), "changed");
    }
    txn.add(tree, 1, 1);
    const std::int64_t before = tree.counter(1);
    disk.fail_read(read, Errc::io_failed);
    const auto version = store->commit(txn);
    disk.fail_read(0, Errc::io_failed);
    if (version) continue;
    ++failed;
    CHECK(tree.counter(1) == before);
    for (std::uint64_t part = 0; part < 10; ++part) {
      CHECK(tree.get(numbered("file-", part * 1200 + read))->value.size() == 1000);
    }
  }
  CHECK(failed > 0);
  CHECK_FALSE(store->stats().stopped);  // a read error is no reason to stop
}

TEST_CASE("P16: a failed log sync stops the store at once, is not retried, and reads go on",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, quiet_options());
  const Tree tree = *store->create_tree("t");
  REQUIRE(tree.put("a", "1").has_value());
  REQUIRE(store->sync().has_value());
  const auto version = tree.put("a", "2");
  REQUIRE(version.has_value());
  disk.fail_call(1, Errc::io_failed, Repeat::once);
  CHECK_FALSE(store->sync().has_value());
  CHECK_FALSE(store->sync().has_value());
  CHECK_FALSE(store->is_durable(*version));
  CHECK(store->stats().stopped);
  CHECK(tree.put("b", "3").error().code == Errc::store_stopped);
  CHECK(tree.get("a").has_value());
  CHECK_FALSE(store->checkpoint().has_value());
  CHECK_FALSE(store->close().has_value());
}

TEST_CASE("P18: a transaction that is refused does not stand in the way of others",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  Txn bad;
  bad.put(tree, std::string(key_bytes_max + 1, 'k'), "").put(tree, "x", "");
  CHECK_FALSE(store->commit(bad).has_value());
  REQUIRE(tree.put("a", "1").has_value());
  REQUIRE(store->checkpoint().has_value());
  CHECK_FALSE(*tree.contains("x"));
}

TEST_CASE("P19: writers go on while a checkpoint waits for the device, open reads no frames",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions options = quiet_options();
  options.cache_bytes = 64 * mib;
  options.checkpoint_log_bytes = 64 * mib;
  {
    const auto store = must_open(disk, options);
    const Tree tree = *store->create_tree("t");
    fill(tree, 20000);
    disk.set_sync_delay(std::chrono::milliseconds(100));
    const std::uint64_t syncs_before = disk.counters().file_syncs;
    std::atomic<bool> done{false};
    bool written = false;
    std::thread checkpointer([&] {
      written = store->checkpoint().has_value();
      done = true;
    });
    // The first sync follows the freeze. A gate held any longer would let no put through before the last.
    while (disk.counters().file_syncs == syncs_before && !done) std::this_thread::yield();
    std::vector<std::uint64_t> syncs_at_put;
    while (!done) {
      if (!tree.put(numbered("beside-", syncs_at_put.size() % 100), "v")) break;
      syncs_at_put.push_back(disk.counters().file_syncs);
    }
    checkpointer.join();
    CHECK(written);
    const std::uint64_t syncs = disk.counters().file_syncs;
    CHECK(std::count_if(syncs_at_put.begin(), syncs_at_put.end(),
                        [&](std::uint64_t seen) { return seen < syncs; }) > 1);
    CHECK(store->stats().checkpoint.pages_written > 4000);
    disk.set_sync_delay(std::chrono::milliseconds(0));
    REQUIRE(store->close().has_value());
  }
  const auto store = must_open(disk, options);
  CHECK(store->stats().cache.frames == 0);
  CHECK(store->stats().cache.misses == 0);
}

TEST_CASE("group 2: what replay changed is dirty, and the next checkpoint keeps it",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, quiet_options());
  const Tree tree = *store->create_tree("t");
  fill(tree, 3000);
  REQUIRE(store->sync().has_value());
  const auto killed = disk.clone_current();
  const auto replayed = must_open(*killed, quiet_options());
  CHECK(replayed->stats().replayed_records > 0);
  REQUIRE(replayed->checkpoint().has_value());
  CHECK(replayed->stats().checkpoint.pages_written > 0);
  const auto durable = killed->clone_durable();
  const auto copy = must_open(*durable, quiet_options());
  CHECK(copy->stats().replayed_records == 0);
  CHECK(copy->verify()->keys == 3000);
  test::require_clean(*copy);
}

TEST_CASE("group 2: a replay larger than the cache makes checkpoints on its way",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  StoreOptions large = quiet_options();
  large.cache_bytes = 64 * mib;
  large.checkpoint_log_bytes = 64 * mib;
  const auto store = must_open(disk, large);
  const Tree tree = *store->create_tree("t");
  fill(tree, 20000);
  REQUIRE(store->sync().has_value());
  const auto killed = disk.clone_current();
  const auto copy = must_open(*killed, quiet_options());
  CHECK(copy->stats().replayed_records == 20001);
  CHECK(copy->stats().checkpoint.completed > 0);
  CHECK(copy->verify()->keys == 20000);
  test::require_clean(*copy);

  // The same without changing a byte on disk.
  const auto untouched = disk.clone_current();
  const std::uint64_t changes = untouched->counters().changes;
  StoreOptions read_only = quiet_options();
  read_only.read_only = true;
  const auto reader = must_open(*untouched, read_only);
  CHECK(reader->verify()->keys == 20000);
  test::require_clean(*reader);
  CHECK(reader->open_tree("t")->put("a", "").error().code == Errc::store_read_only);
  CHECK(reader->checkpoint().error().code == Errc::store_read_only);
  REQUIRE(reader->close().has_value());
  CHECK(untouched->counters().changes == changes);
}

TEST_CASE("group 2: one directory has one live opener, readers share it", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  REQUIRE_FALSE(test::open_on(disk, small_options()).has_value());
  REQUIRE(store->close().has_value());
  StoreOptions read_only = small_options();
  read_only.read_only = true;
  const auto first = must_open(disk, read_only);
  const auto second = must_open(disk, read_only);
  const auto writer = test::open_on(disk, small_options());
  REQUIRE_FALSE(writer.has_value());
  CHECK(writer.error().code == Errc::store_locked);
}

}  // namespace

}  // namespace artfs
