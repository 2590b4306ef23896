// SPDX-License-Identifier: Apache-2.0
// Writers beside each other, beside scans, checkpoints and the merging of frames. Progress is counted, not timed.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "engine/store_impl.hpp"
#include "support/engine_store.hpp"
#include "support/faults.hpp"
#include "support/random_keys.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::Faults;
using test::must_create;
using test::must_open;
using test::small_options;

std::string name_of(std::string_view directory, std::uint64_t number) {
  return std::string(directory) + "/" + std::to_string(1000000 + number);
}

// Directories of this many keys of 2 KiB fill several frames each.
constexpr std::uint64_t directory_keys = 600;

void fill(const Tree& tree, std::string_view directory) {
  const std::string value(2 * kib, 'v');
  for (std::uint64_t number = 0; number < directory_keys; ++number) {
    REQUIRE(tree.put(name_of(directory, number), value).has_value());
  }
}

// The frame that holds the key.
frame::Pin frame_of(engine::StoreImpl& store, const Tree& tree, std::string_view key) {
  const art::TreeView view{store.cache(), store.find_tree(tree.id())->root};
  auto end = art::walk(view, key, art::Goal::whole_key, nullptr);
  REQUIRE(end.has_value());
  return end->look.pin();
}

void run_all(std::vector<std::function<void()>> jobs) {
  std::vector<std::thread> threads;
  threads.reserve(jobs.size());
  for (auto& job : jobs) threads.emplace_back(std::move(job));
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("writers: changes of other frames proceed while one frame is latched", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  engine::StoreImpl& inner = store->impl();
  const Tree tree = *store->create_tree("t");
  fill(tree, "left");
  fill(tree, "right");
  const std::string held_key = name_of("left", 7);
  const std::string free_key = name_of("right", 7);
  std::atomic<bool> is_put{false};
  std::thread waiting;
  {
    const frame::Pin held = frame_of(inner, tree, held_key);
    REQUIRE(held.id() != frame_of(inner, tree, free_key).id());
    const sync::ExclusiveGuard guard(held.latch());
    waiting = std::thread([&] {
      if (!tree.put(held_key, "late")) std::abort();
      is_put = true;
    });
    std::thread free([&] {
      for (int round = 0; round < 1000; ++round) {
        if (!tree.put(free_key, std::to_string(round))) std::abort();
      }
    });
    free.join();
    CHECK_FALSE(is_put);
  }
  waiting.join();
  CHECK(tree.get(held_key)->value == "late");
  CHECK(tree.get(free_key)->value == "999");
  test::require_clean(*store);
}

TEST_CASE("writers: transactions over frames in any order neither deadlock nor lose money",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const std::array<Tree, 2> trees{*store->create_tree("a"), *store->create_tree("b")};
  fill(trees[0], "x");
  fill(trees[1], "x");
  constexpr std::uint64_t accounts = 6;
  constexpr int start = 1000;
  const auto key_of = [](std::uint64_t account) { return name_of("x", account * 97); };
  const auto tree_of = [&](std::uint64_t account) { return trees[account % 2]; };
  for (std::uint64_t account = 0; account < accounts; ++account) {
    REQUIRE(tree_of(account).put(key_of(account), std::to_string(start)).has_value());
  }
  Faults faults;
  std::atomic<std::uint64_t> done{0};
  const std::uint64_t transfers = test::scaled(4000);
  const auto transfer = [&](std::uint64_t seed) {
    test::RandomKeys random(seed, 1);
    while (done < transfers) {
      const std::uint64_t from = random.below(accounts);
      const std::uint64_t to = (from + 1 + random.below(accounts - 1)) % accounts;
      const auto before_from = tree_of(from).get(key_of(from));
      const auto before_to = tree_of(to).get(key_of(to));
      if (!before_from || !before_to) return faults.check(false);
      Txn txn;
      txn.assert_version(tree_of(from), key_of(from), before_from->version)
          .assert_version(tree_of(to), key_of(to), before_to->version)
          .put(tree_of(from), key_of(from), std::to_string(std::stoi(before_from->value) - 1))
          .put(tree_of(to), key_of(to), std::to_string(std::stoi(before_to->value) + 1))
          .add(tree_of(to), 0, 1);
      const auto committed = store->commit(txn);
      faults.check(committed || committed.error().code == Errc::version_mismatch);
      if (committed) ++done;
    }
  };
  run_all({[&] { transfer(1); }, [&] { transfer(2); }, [&] { transfer(3); }});
  CHECK(faults.count() == 0);
  int sum = 0;
  for (std::uint64_t account = 0; account < accounts; ++account) {
    sum += std::stoi(tree_of(account).get(key_of(account))->value);
  }
  CHECK(sum == start * static_cast<int>(accounts));
  CHECK(trees[0].counter(0) + trees[1].counter(0) == static_cast<std::int64_t>(done.load()));
  test::require_clean(*store);
}

TEST_CASE("writers: a record that is renamed and put at the same time is neither lost nor doubled",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = *store->create_tree("t");
  fill(tree, "d");
  fill(tree, "e");
  const std::array<std::string, 3> names{name_of("d", 5) + "!", name_of("d", 590) + "!",
                                         name_of("e", 300) + "!"};
  REQUIRE(tree.put(names[0], "0").has_value());
  Faults faults;
  std::atomic<int> increments{0};
  std::atomic<int> renames{0};
  const int wanted = static_cast<int>(test::scaled(1500));
  const auto is_expected = [](Errc code) {
    return code == Errc::key_not_found || code == Errc::key_exists ||
           code == Errc::version_mismatch;
  };
  const auto move = [&](std::uint64_t seed) {
    test::RandomKeys random(seed, 1);
    while (increments < wanted || renames < wanted) {
      const std::uint64_t from = random.below(names.size());
      const std::uint64_t to = (from + 1 + random.below(names.size() - 1)) % names.size();
      const auto moved = tree.rename(names[from], names[to], RenameMode::no_replace);
      faults.check(moved || is_expected(moved.error().code));
      if (moved) ++renames;
    }
  };
  const auto increment = [&] {
    while (increments < wanted || renames < wanted) {
      for (const std::string& name : names) {
        const auto now = tree.get(name);
        if (!now) continue;
        const auto put =
            tree.compare_and_put(name, now->version, std::to_string(std::stoi(now->value) + 1));
        faults.check(put || is_expected(put.error().code));
        if (put) ++increments;
      }
    }
  };
  run_all({[&] { move(1); }, [&] { move(2); }, increment});
  CHECK(faults.count() == 0);
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (const auto record = tree.get(name)) found.push_back(record->value);
  }
  CHECK(found == std::vector<std::string>{std::to_string(increments)});
  test::require_clean(*store);
}

TEST_CASE("writers: frames are emptied by erases while others insert into them", "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  constexpr std::uint64_t writers = 3;
  const std::uint64_t rounds = test::scaled(12);
  const std::string value(2 * kib, 'v');
  Faults faults;
  std::array<std::set<std::string>, writers> models;
  const auto churn = [&](std::uint64_t writer) {
    test::RandomKeys random(writer + 1, 1);
    std::set<std::string>& model = models.at(writer);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::string directory = "d" + std::to_string(round % 3);
      for (int i = 0; i < 200; ++i) {
        const std::string key = name_of(directory, random.below(directory_keys) * writers + writer);
        faults.check(tree.put(key, value).has_value());
        model.insert(key);
      }
      // Most of what it has, in one or several keys at a time.
      while (model.size() > 20) {
        Txn txn;
        const std::uint64_t count = 1 + random.below(8);
        for (std::uint64_t i = 0; i < count && !model.empty(); ++i) {
          auto place =
              model.lower_bound(name_of(directory, random.below(directory_keys) * writers));
          if (place == model.end()) place = model.begin();
          txn.erase(tree, *place);
          model.erase(place);
        }
        faults.check(store->commit(txn).has_value());
      }
    }
  };
  run_all({[&] { churn(0); }, [&] { churn(1); }, [&] { churn(2); }});
  REQUIRE(faults.count() == 0);
  test::require_clean(*store);
  std::set<std::string> whole;
  for (const auto& model : models) whole.insert(model.begin(), model.end());
  for (int life = 0; life < 2; ++life) {
    Scan scan = store->open_tree("t")->scan({});
    for (const std::string& key : whole) {
      if (!*scan.next() || scan.entry().key != key) FAIL(key);
    }
    REQUIRE_FALSE(*scan.next());
    REQUIRE(store->close().has_value());
    store = must_open(disk, small_options());
  }
}

TEST_CASE("maintenance: what erases leave is merged, also under load, and nothing is lost",
          "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  engine::StoreImpl& inner = store->impl();
  const Tree tree = *store->create_tree("t");
  constexpr std::uint64_t directories = 5;
  const auto directory = [](std::uint64_t number) { return "dir" + std::to_string(number); };
  for (std::uint64_t number = 0; number < directories; ++number) fill(tree, directory(number));
  const std::uint64_t frames_before = store->verify()->frames;
  REQUIRE(frames_before > 12);
  Faults faults;
  std::atomic<bool> is_done{false};
  const auto erase_most = [&](std::uint64_t first) {
    for (std::uint64_t number = first; number < directories; number += 2) {
      for (std::uint64_t key = 0; key < directory_keys; ++key) {
        if (key % 20 == 3) continue;
        faults.check(tree.erase(name_of(directory(number), key)).has_value());
      }
    }
  };
  const auto read = [&] {
    test::RandomKeys random(9, 1);
    while (!is_done) {
      const std::uint64_t key = random.below(directory_keys / 20) * 20 + 3;
      const auto value = tree.get(name_of(directory(random.below(directories)), key));
      faults.check(value && value->value.size() == 2 * kib);
    }
  };
  std::thread reader(read);
  run_all({[&] { erase_most(0); }, [&] { erase_most(1); }});
  is_done = true;
  reader.join();
  CHECK(faults.count() == 0);
  inner.maintenance()->wait_idle();
  const StoreStats stats = store->stats();
  CHECK(stats.maintenance.merged + stats.maintenance.joined > 0);
  CHECK(stats.maintenance.waiting == 0);
  const VerifyReport report = *store->verify();
  CHECK(report.problems.empty());
  CHECK(report.keys == directories * directory_keys / 20);
  CHECK(report.frames * 3 <= frames_before);
}

TEST_CASE("writers: a writer, scans and checkpoints all progress beside each other",
          "[unit][engine]") {
  io::MemoryDirectory disk;
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Tree tree = *store->create_tree("t");
  fill(tree, "d");
  Faults faults;
  // Each goes on until all have done their share: one that starves would keep the test from ending.
  std::array<std::atomic<std::uint64_t>, 3> done{};
  const std::array<std::uint64_t, 3> wanted{test::scaled(2000), test::scaled(40), 5};
  const auto all_done = [&] {
    for (std::size_t i = 0; i < done.size(); ++i) {
      if (done.at(i) < wanted.at(i)) return false;
    }
    return true;
  };
  const auto write = [&] {
    test::RandomKeys random(1, 1);
    while (!all_done()) {
      faults.check(tree.put(name_of("d", random.below(directory_keys)), std::string(2 * kib, 'w'))
                       .has_value());
      ++done[0];
    }
  };
  const auto scan = [&] {
    while (!all_done()) {
      Scan all = tree.scan({.prefix = "d/"});
      std::uint64_t keys = 0;
      while (*all.next()) ++keys;
      faults.check(keys == directory_keys);
      ++done[1];
    }
  };
  const auto checkpoint = [&] {
    while (!all_done()) {
      faults.check(store->checkpoint().has_value());
      ++done[2];
    }
  };
  run_all({write, scan, scan, checkpoint});
  CHECK(faults.count() == 0);
  test::require_clean(*store);
}

}  // namespace artfs
