// SPDX-License-Identifier: Apache-2.0
// SIGKILL of a real process on real files: what it acknowledged as synced is there, whole; what it had
// put without a sync is there when it is older than the log's write interval. R1, P6.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <random>
#include <vector>

#include "base/clock.hpp"
#include "support/engine_store.hpp"
#include "support/figure.hpp"
#include "support/scale.hpp"

namespace artfs {

namespace {

enum class Kind : std::uint64_t { put, synced };

// What the child says through the pipe; small enough to be written whole or not at all.
struct Message {
  Kind kind;
  std::uint64_t number;
  std::uint64_t at_ns;
};

std::string value_of(std::uint64_t number) {
  std::string value;
  for (std::uint64_t word = 0; word < 1 + number % 40; ++word) {
    value += std::to_string(number * 1000003 + word) + ",";
  }
  return value;
}

std::string key_of(std::uint64_t number) {
  return "bucket-" + std::to_string(number % 7) + "/file-" + std::to_string(number);
}

void say(int pipe, const Message& message) {
  if (::write(pipe, &message, sizeof(message)) != sizeof(message)) ::_exit(3);
}

StoreOptions kill_options(std::uint64_t seed) {
  StoreOptions options = test::small_options();
  options.commit_interval = std::chrono::milliseconds(seed % 2 == 0 ? 20 : 60000);
  options.checkpoint_interval = std::chrono::milliseconds(100);
  options.lock_wait = std::chrono::milliseconds(5000);
  return options;
}

// Numbers go up from `first`; each is one transaction of a record and its number in "last".
[[noreturn]] void child(const std::string& path, std::uint64_t first, std::uint64_t seed,
                        int pipe) {
  auto store = Store::open(path, kill_options(seed));
  if (!store) ::_exit(1);
  const auto tree = (*store)->open_tree("t");
  if (!tree) ::_exit(2);
  std::mt19937_64 random(seed);
  Txn txn;
  for (std::uint64_t number = first;; ++number) {
    txn.clear();
    txn.put(*tree, key_of(number), value_of(number)).put(*tree, "last", std::to_string(number));
    if (number > 50) txn.erase(*tree, key_of(number - 50));
    if (!(*store)->commit(txn)) ::_exit(4);
    say(pipe, {Kind::put, number, base::now_ns()});
    if (random() % 50 == 0) {
      if (!(*store)->sync()) ::_exit(5);
      say(pipe, {Kind::synced, number, base::now_ns()});
    }
    if (random() % 2000 == 0 && !(*store)->checkpoint()) ::_exit(6);
    if (random() % 100 == 0) ::usleep(static_cast<useconds_t>(random() % 3000));
  }
}

struct Killed {
  std::uint64_t put = 0;      // last number put
  std::uint64_t old_put = 0;  // last one put long enough before the kill
  std::uint64_t synced = 0;
  int exit_status = 0;
};

// Ten times the write interval, for a busy machine.
constexpr std::uint64_t settled_ns = 100'000'000;

Killed run_and_kill(const std::string& path, std::uint64_t first, std::uint64_t seed) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    child(path, first, seed, ends[1]);
  }
  ::close(ends[1]);
  std::vector<Message> messages;
  Message message{};
  const std::uint64_t lifetime_ns =
      10'000'000 + seed * 7919 % (seed % 4 == 0 ? 250 : 60) * 1'000'000;
  std::uint64_t end_ns = ~std::uint64_t{0};
  bool killed = false;
  std::uint64_t killed_ns = 0;
  while (::read(ends[0], &message, sizeof(message)) == sizeof(message)) {
    messages.push_back(message);
    const std::uint64_t now_ns = base::now_ns();
    end_ns = std::min(end_ns, now_ns + lifetime_ns);
    if (!killed && now_ns >= end_ns) {
      killed_ns = now_ns;
      ::kill(pid, SIGKILL);
      killed = true;
    }
  }
  ::close(ends[0]);
  Killed result;
  ::waitpid(pid, &result.exit_status, 0);
  for (const Message& said : messages) {
    if (said.kind == Kind::synced) result.synced = said.number;
    if (said.kind == Kind::put) result.put = said.number;
    if (said.kind == Kind::put && said.at_ns + settled_ns < killed_ns) result.old_put = said.number;
  }
  return result;
}

// Exactly the records of the last fifty numbers up to `last`.
void require_state(Tree tree, std::uint64_t last) {
  Scan scan = tree.scan({.prefix = "bucket-"});
  std::uint64_t count = 0;
  while (*scan.next()) {
    const std::string key(scan.entry().key);
    const std::uint64_t number = std::stoull(key.substr(key.find("file-") + 5));
    REQUIRE(number <= last);
    REQUIRE(number + 50 > last);
    REQUIRE(scan.entry().value == value_of(number));
    ++count;
  }
  REQUIRE(count == std::min<std::uint64_t>(last, 50));
}

TEST_CASE("P6: kill: acknowledged syncs and settled puts survive SIGKILL, round after round",
          "[crash][engine]") {
  const test::TemporaryDirectory directory;
  REQUIRE(Store::create(directory.path("store"), {}).has_value());
  {
    const auto store = Store::open(directory.path("store"), kill_options(0));
    REQUIRE(store.has_value());
    REQUIRE((*store)->create_tree("t").has_value());
  }
  std::uint64_t last = 0;
  test::silence_log();
  const std::uint64_t rounds = test::rounds({.normal = 100, .in_long_mode = 2000});
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    CAPTURE(round, last);
    const Killed killed = run_and_kill(directory.path("store"), last + 1, round);
    REQUIRE(WIFSIGNALED(killed.exit_status));
    const auto store = Store::open(directory.path("store"), kill_options(round));
    if (!store) FAIL(to_text(store.error()));
    const Tree tree = *(*store)->open_tree("t");
    const auto record = tree.get("last");
    const std::uint64_t found = record ? std::stoull(record->value) : 0;
    CAPTURE(found, killed.put, killed.old_put, killed.synced);
    REQUIRE(found >= killed.synced);
    REQUIRE(found >= killed.old_put);
    // One more than it said: killed between the commit and the message.
    REQUIRE(found <= std::max(killed.put, last) + 1);
    require_state(tree, found);
    test::require_clean(**store);
    last = found;
  }
  test::figure("kills of a process with a store", rounds);
}

TEST_CASE("kill: a second opener is refused and told who holds the store", "[crash][engine]") {
  const test::TemporaryDirectory directory;
  REQUIRE(Store::create(directory.path("store"), {}).has_value());
  StoreOptions options = test::small_options();
  const auto first = Store::open(directory.path("store"), options);
  REQUIRE(first.has_value());
  const auto second = Store::open(directory.path("store"), options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::store_locked);
  CHECK(second.error().detail == static_cast<std::uint64_t>(::getpid()));
  options.read_only = true;
  CHECK_FALSE(Store::open(directory.path("store"), options).has_value());
}

}  // namespace

}  // namespace artfs
