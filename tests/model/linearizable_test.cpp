// SPDX-License-Identifier: Apache-2.0
// Eight threads on few keys: gets, puts, compare_and_put, erases, renames, transactions, read transactions
// and scans, beside checkpoints, evictions, spills and merges. Every answer is that of one copy. R11, P4, P10.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "support/engine_store.hpp"
#include "support/linearizability.hpp"
#include "support/random_keys.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

using test::Event;
using test::Seen;
using Guard = Event::Effect::Guard;

constexpr std::uint32_t keys_count = 48;
constexpr int threads_count = 8;

std::string key_of(std::uint32_t key) {
  return "shared/" + std::to_string(key % 6) + "/k" + std::to_string(key);
}

std::uint64_t hash_of(std::string_view value) {
  return base::xxh3_64(base::as_bytes(value)) | 1;
}

// Who and when, then bytes that follow from it: a mixture of two values is none.
std::string value_of(std::uint64_t writer, std::uint64_t number, std::size_t length) {
  std::string value = std::to_string(writer) + ":" + std::to_string(number) + ":";
  std::uint64_t word = writer * 1000003 + number;
  while (value.size() < length) {
    word = word * 6364136223846793005U + 1442695040888963407U;
    value.push_back(static_cast<char>(word >> 56U));
  }
  return value;
}

// One thread and what it was told.
class Client {
 public:
  Client(Store& store, Tree tree, std::uint64_t seed, std::uint64_t number)
      : store_(store), tree_(tree), random_(seed * 64 + number, 1), number_(number) {}

  void run(std::uint64_t operations) {
    for (std::uint64_t done = 0; done < operations && failure_.empty(); ++done) step();
  }

  [[nodiscard]] std::vector<Event> take_events() { return std::exchange(events_, {}); }

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  void step() {
    const std::uint64_t kind = random_.below(100);
    if (kind < 40) return get();
    if (kind < 60) return put();
    if (kind < 66) return put_if_absent();
    if (kind < 74) return compare_and_put();
    if (kind < 82) return erase();
    if (kind < 86) return rename();
    if (kind < 92) return transaction();
    if (kind < 97) return read_both();
    scan();
  }

  std::uint32_t some_key() { return static_cast<std::uint32_t>(random_.below(keys_count)); }

  std::string next_value() {
    return value_of(number_, ++written_, random_.chance(90) ? random_.below(200) : 3000);
  }

  void fail(std::string_view what, Error error) {
    failure_ = std::string(what) + ": " + to_text(error);
  }

  Event begin(Event::Kind kind, std::uint32_t key) {
    Event event;
    event.kind = kind;
    event.key = key;
    event.called_ns = base::now_ns();
    return event;
  }

  void end(Event event) {
    event.returned_ns = base::now_ns();
    events_.push_back(std::move(event));
  }

  // The result of a change: an effect with its version, or one of the refusals that tell something.
  void end_change(Event event, const Result<Version>& version, std::string_view what) {
    event.returned_ns = base::now_ns();
    if (version) {
      event.kind = Event::Kind::change;
      event.version = version->raw;
    } else if (version.error().code == Errc::key_exists) {
      event.kind = Event::Kind::saw_present;
    } else if (version.error().code == Errc::version_mismatch) {
      event.kind = Event::Kind::saw_other_than;
    } else if (version.error().code == Errc::key_not_found) {
      event.kind = Event::Kind::saw;
      event.seen = {};
    } else {
      return fail(what, version.error());
    }
    events_.push_back(std::move(event));
  }

  std::optional<Seen> get_key(std::uint32_t key) {
    Event event = begin(Event::Kind::saw, key);
    const Result<Record> record = tree_.get(key_of(key));
    if (record) event.seen = {record->version.raw, hash_of(record->value)};
    if (!record && record.error().code != Errc::key_not_found) fail("get", record.error());
    const Seen seen = event.seen;
    end(std::move(event));
    if (record) return seen;
    return std::nullopt;
  }

  void get() { static_cast<void>(get_key(some_key())); }

  void put() {
    const std::uint32_t key = some_key();
    const std::string value = next_value();
    Event event = begin(Event::Kind::change, key);
    event.effects = {{.key = key, .hash = hash_of(value)}};
    end_change(std::move(event), tree_.put(key_of(key), value), "put");
  }

  void put_if_absent() {
    const std::uint32_t key = some_key();
    const std::string value = next_value();
    Event event = begin(Event::Kind::change, key);
    event.effects = {{.key = key, .hash = hash_of(value), .guard = Guard::absent}};
    end_change(std::move(event), tree_.put_if_absent(key_of(key), value), "put_if_absent");
  }

  void compare_and_put() {
    const std::uint32_t key = some_key();
    const std::optional<Seen> seen = get_key(key);
    if (!seen) return;
    const std::string value = next_value();
    Event event = begin(Event::Kind::change, key);
    event.seen.version = seen->version;
    event.effects = {{.key = key,
                      .hash = hash_of(value),
                      .guard = Guard::version,
                      .guarded_version = seen->version}};
    end_change(std::move(event), tree_.compare_and_put(key_of(key), Version{seen->version}, value),
               "compare_and_put");
  }

  void erase() {
    const std::uint32_t key = some_key();
    Event event = begin(Event::Kind::change, key);
    event.effects = {{.key = key, .guard = Guard::present}};
    end_change(std::move(event), tree_.erase(key_of(key)), "erase");
  }

  void rename() {
    const std::uint32_t from = some_key();
    const std::uint32_t to = some_key();
    if (from == to) return;
    const auto mode = static_cast<RenameMode>(random_.below(3));
    Event event = begin(Event::Kind::change, from);
    event.effects = {{.key = from, .guard = Guard::present}, {.key = to, .moved_from = from}};
    if (mode == RenameMode::no_replace) event.effects[1].guard = Guard::absent;
    if (mode == RenameMode::exchange) {
      event.effects[0].moved_from = to;
      event.effects[1].guard = Guard::present;
    }
    const Result<Version> version = tree_.rename(key_of(from), key_of(to), mode);
    // Which of the two keys is missing is not said.
    if (!version && version.error().code == Errc::key_not_found && mode == RenameMode::exchange) {
      return;
    }
    if (!version && version.error().code == Errc::key_exists) event.key = to;
    end_change(std::move(event), version, "rename");
  }

  // Two keys at once, of the same number, one in four guarded by what was read before.
  void transaction() {
    const std::uint32_t first = some_key();
    const std::uint32_t second = some_key();
    if (first == second) return;
    Txn txn;
    std::vector<Event::Effect> effects = {{.key = first}, {.key = second}};
    std::optional<Seen> guard;
    if (random_.chance(50)) guard = get_key(first);
    if (guard) {
      txn.assert_version(tree_, key_of(first), Version{guard->version});
      effects[0].guard = Guard::version;
      effects[0].guarded_version = guard->version;
    }
    const std::string value = next_value();
    for (Event::Effect& effect : effects) {
      if (random_.chance(20)) {
        txn.erase(tree_, key_of(effect.key));
      } else {
        effect.hash = hash_of(value);
        txn.put(tree_, key_of(effect.key), value);
      }
    }
    Event event = begin(Event::Kind::change, first);
    event.effects = std::move(effects);
    if (guard) event.seen.version = guard->version;
    end_change(std::move(event), store_.commit(txn), "transaction");
  }

  // Gets of two keys, confirmed together by a transaction of guards alone.
  void read_both() {
    const std::uint32_t first = some_key();
    const std::uint32_t second = some_key();
    if (first == second) return;
    Event event = begin(Event::Kind::saw_both, first);
    const std::optional<Seen> seen = get_key(first);
    const std::optional<Seen> second_seen = get_key(second);
    if (!seen || !second_seen) return;
    Txn txn;
    txn.assert_version(tree_, key_of(first), Version{seen->version});
    txn.assert_version(tree_, key_of(second), Version{second_seen->version});
    event.called_ns = base::now_ns();
    const Result<Version> version = store_.commit(txn);
    if (!version) {
      if (version.error().code != Errc::version_mismatch) fail("read transaction", version.error());
      return;
    }
    event.seen = *seen;
    event.second = second;
    event.second_seen = *second_seen;
    end(std::move(event));
  }

  // Every key of a directory, seen or seen missing, some time during the scan.
  void scan() {
    const auto directory = static_cast<std::uint32_t>(random_.below(6));
    const std::string prefix = "shared/" + std::to_string(directory) + "/";
    std::vector<Event> seen;
    for (std::uint32_t key = directory; key < keys_count; key += 6) {
      seen.push_back(begin(Event::Kind::saw, key));
    }
    const std::uint64_t called_ns = base::now_ns();
    Scan scan = tree_.scan({.prefix = prefix});
    for (;;) {
      const Result<bool> more = scan.next();
      if (!more) return fail("scan", more.error());
      if (!*more) break;
      const auto key =
          static_cast<std::uint32_t>(std::stoul(std::string(scan.entry().key.substr(10))));
      seen[key / 6].seen = {scan.entry().version.raw, hash_of(scan.entry().value)};
    }
    for (Event& event : seen) {
      event.called_ns = called_ns;
      end(std::move(event));
    }
  }

  Store& store_;
  Tree tree_;
  test::RandomKeys random_;
  std::uint64_t number_;
  std::uint64_t written_ = 0;
  std::vector<Event> events_;
  std::string failure_;
};

// Frames come and go: keys of many frames are put, erased and read all the time, with checkpoints.
void churn(Store& store, Tree tree, const std::atomic<bool>& stop) {
  test::RandomKeys keys(99, 3000);
  keys.make_values_large(8 * kib);
  for (std::uint64_t round = 1; !stop; ++round) {
    const std::string key = keys.path(keys.below(3000));
    if (keys.chance(60)) {
      if (!tree.put(key, keys.value())) return;
    } else {
      static_cast<void>(tree.erase(key));
    }
    if (round % 400 == 0 && !store.checkpoint()) return;
  }
}

void run_clients(Store& store, std::uint64_t operations, bool with_churn) {
  const Tree tree = *store.create_tree("t");
  std::atomic<bool> stop{false};
  std::thread background;
  if (with_churn) background = std::thread([&] { churn(store, tree, stop); });
  // Rounds, so that the notes stay small; each begins with an empty directory.
  constexpr std::uint64_t round_operations = 8000;
  std::optional<std::string> wrong;
  for (std::uint64_t done = 0, round = 0; done < operations && !wrong; ++round) {
    for (std::uint32_t key = 0; key < keys_count; ++key) {
      static_cast<void>(tree.erase(key_of(key)));
    }
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<std::thread> threads;
    const std::uint64_t each = std::min(round_operations, (operations - done) / threads_count + 1);
    for (std::uint64_t number = 0; number < threads_count; ++number) {
      clients.push_back(std::make_unique<Client>(store, tree, test::first_seed() + round, number));
      threads.emplace_back([&client = *clients.back(), each] { client.run(each); });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::vector<Event>> events;
    for (const auto& client : clients) {
      if (!client->failure().empty()) wrong = client->failure();
      events.push_back(client->take_events());
    }
    done += each * threads_count;
    if (!wrong) wrong = test::Linearizability().check(events);
  }
  stop = true;
  if (background.joinable()) background.join();
  if (wrong) FAIL(*wrong);
  test::require_clean(store);
}

TEST_CASE("P4, P10: linearizability: eight threads in memory see one copy", "[model][engine]") {
  const auto store = Store::open_in_memory(test::small_options());
  REQUIRE(store.has_value());
  run_clients(**store, test::rounds({.normal = 500000, .in_long_mode = 5000000}), false);
}

TEST_CASE("P4, P10: linearizability: eight threads beside checkpoints and evictions see one copy",
          "[model][engine]") {
  test::silence_log();
  io::MemoryDirectory disk;
  test::must_create_small(disk);
  const auto store = test::must_open(disk, test::small_options());
  run_clients(*store, test::rounds({.normal = 500000, .in_long_mode = 5000000}), true);
}

}  // namespace

}  // namespace artfs
