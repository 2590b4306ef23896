// SPDX-License-Identifier: Apache-2.0
// What the public C++ interface promises beside its operations: options, ranges, overlooked errors.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "support/death.hpp"
#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::small_options;

static_assert(std::input_iterator<Scan::Iterator>);
static_assert(std::ranges::input_range<Scan>);

Tree make_tree(Store& store) {
  const Tree tree = *store.create_tree("t");
  for (const char* key : {"a", "b/1", "b/2", "c"}) REQUIRE(tree.put(key, key).has_value());
  return tree;
}

TEST_CASE("options: the error names the one that is out of its range", "[unit][engine]") {
  const auto complaint = [](const StoreOptions& options) {
    const Result<void> checked = check(options);
    return checked ? std::string() : to_text(checked.error());
  };
  using namespace std::chrono_literals;
  CHECK(complaint({}).empty());
  CHECK(complaint({.cache_bytes = mib}).starts_with("option_invalid (cache_bytes: 8 MiB"));
  CHECK(complaint({.commit_interval = 1ms}).find("commit_interval: 10 ms") != std::string::npos);
  CHECK(complaint({.checkpoint_log_bytes = gib}).find("checkpoint_log_bytes") != std::string::npos);
  CHECK(complaint({.checkpoint_interval = 1ms}).find("checkpoint_interval") != std::string::npos);
  CHECK(complaint({.lock_wait = -1ms}).find("lock_wait") != std::string::npos);
  CHECK(complaint({.durability = static_cast<Durability>(9)}).find("relaxed") != std::string::npos);
}

TEST_CASE("scan: a range visits each entry once and says how it ended", "[unit][engine]") {
  const auto store = *Store::open_in_memory(small_options());
  const Tree tree = make_tree(*store);
  Scan scan = tree.scan();
  std::string seen;
  for (const Entry& entry : scan) seen.append(entry.key).append(" ");
  CHECK(seen == "a b/1 b/2 c ");
  CHECK(scan.status().has_value());

  seen.clear();
  Scan below = tree.scan({.prefix = "b/"});
  for (const Entry& entry : below) {
    seen = entry.key;
    break;
  }
  CHECK(seen == "b/1");
  std::size_t rollups = 0;
  CHECK(tree.for_each({.delimiter = '/'}, [&](const Entry& entry) { rollups += entry.is_rollup; })
            .has_value());
  CHECK(rollups == 1);
  const Result<void> stopped = tree.for_each(
      {}, [](const Entry&) -> Result<void> { return fail(Errc::invalid_argument, 7); });
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error() == Error{Errc::invalid_argument, 7});
}

// Accounts in two trees whose sums are moved by transactions, while a prefix of one tree is renamed to and fro.
class Bank {
 public:
  static constexpr int accounts = 4;
  static constexpr long total = 200 * accounts;

  Bank() {
    test::must_create(disk_);
    store_ = test::must_open(disk_, small_options());
    left_ = *store_->create_tree("left");
    right_ = *store_->create_tree("right");
    // Large records between them: the accounts stand in several frames, of more than the cache has.
    for (int i = 0; i < accounts; ++i) {
      for (const Tree tree : {left_, right_}) {
        REQUIRE(tree.put(name(0, i), "100").has_value());
        for (int n = 0; n < 30; ++n) {
          const std::string filler = name(0, i) + "x" + std::to_string(n);
          REQUIRE(tree.put(filler, std::string(60000, 'x')).has_value());
        }
      }
    }
  }

  [[nodiscard]] Store& store() { return *store_; }

  void pay(std::uint64_t n) {
    const std::string from = name(side_, static_cast<int>(n % accounts));
    const std::string to = name(0, static_cast<int>((n * 5 + 1) % accounts));
    const auto rich = left_.get(from);
    const auto poor = right_.get(to);
    if (!rich || !poor) return;
    Txn txn;
    txn.assert_version(left_, from, rich->version).assert_version(right_, to, poor->version);
    txn.put(left_, from, std::to_string(std::stol(rich->value) - 1));
    txn.put(right_, to, std::to_string(std::stol(poor->value) + 1));
    static_cast<void>(store_->commit(txn));
  }

  void move() {
    const bool is_a = side_ == 0;
    if (left_.rename_prefix(is_a ? "a/" : "b/", is_a ? "b/" : "a/")) side_ = is_a ? 1 : 0;
  }

  // Every account once; those of the right tree by a listing when `lists`.
  Result<long> sum(ReadView& view, bool lists) const {
    long sum = 0;
    for (int i = 0; i < accounts; ++i) {
      for (const int side : {0, 1}) {
        const Result<Record> record = view.get(left_, name(side, i));
        if (record) sum += std::stol(record->value);
        if (!record && record.error().code != Errc::key_not_found) return fail(record.error());
      }
      if (lists && i == 0) continue;
      const Record record = ARTFS_TRY(view.get(right_, name(0, i)));
      sum += std::stol(record.value);
    }
    if (!lists) return sum;
    const auto listed = ARTFS_TRY(view.list(right_, {.prefix = name(0, 0), .limit = 20}));
    for (const ReadView::Item& item : listed) {
      if (item.key == name(0, 0)) sum += std::stol(item.value);
    }
    return sum;
  }

  Result<void> list_without_limit(ReadView& view) const {
    if (auto listed = view.list(left_, {}); !listed) return fail(listed.error());
    return {};
  }

 private:
  static std::string name(int side, int i) {
    return (side == 0 ? "a/account-" : "b/account-") + std::to_string(i);
  }

  io::MemoryDirectory disk_;
  std::unique_ptr<Store> store_;
  Tree left_;
  Tree right_;
  std::atomic<int> side_{0};
};

TEST_CASE("read: all of a transaction is seen, or nothing, also with evictions and moved prefixes",
          "[unit][engine]") {
  Bank bank;
  std::atomic<bool> stop{false};
  std::thread payer([&] {
    for (std::uint64_t n = 0; !stop; ++n) bank.pay(n);
  });
  std::thread mover([&] {
    for (; !stop; std::this_thread::sleep_for(std::chrono::milliseconds(1))) bank.move();
  });
  int wrong = 0;
  for (int round = 0; round < 150; ++round) {
    long sum = 0;
    const Result<void> read = bank.store().read([&](ReadView& view) -> Result<void> {
      sum = ARTFS_TRY(bank.sum(view, round % 10 == 9));
      return {};
    });
    if (!read) FAIL(to_text(read.error()));
    if (sum != Bank::total) ++wrong;
  }
  stop = true;
  payer.join();
  mover.join();
  CHECK(wrong == 0);
  const Result<void> refused =
      bank.store().read([&](ReadView& view) { return bank.list_without_limit(view); });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::invalid_argument);
  test::require_clean(bank.store());
}

TEST_CASE("scan: an error that nobody asked for ends the process", "[unit][engine]") {
  // A tree of no store: the first step fails.
  Scan asked = Tree().scan();
  for (const Entry& entry : asked) FAIL(entry.key);
  REQUIRE_FALSE(asked.status().has_value());
  CHECK(asked.status().error().code == Errc::tree_not_found);
  CHECK(test::aborts([] {
    Scan overlooked = Tree().scan();
    for (const Entry& entry : overlooked) static_cast<void>(entry);
  }));
}

}  // namespace

}  // namespace artfs
