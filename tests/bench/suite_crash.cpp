// SPDX-License-Identifier: Apache-2.0
// Suites `reopen` and `crash`: opening a store that was closed, and one whose process was killed.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <span>
#include <thread>

#include "base/clock.hpp"
#include "bench/harness.hpp"

namespace artfs::bench {
namespace {

constexpr std::uint64_t reopen_log_bytes = 256 * mib;
constexpr std::uint64_t reopen_least_bytes = 185 * mib;
constexpr std::uint64_t quick_divisor = 8;
constexpr std::uint64_t puts_between_checks = 1000;
constexpr std::uint64_t puts_without_log = 100'000;  // of an engine that has none
constexpr std::uint64_t window_ns = 10'000'000;
constexpr std::uint64_t acknowledged_max = 4'000'000;
constexpr std::uint64_t puts_between_syncs = 20'000;
constexpr std::uint64_t rounds = 10;
constexpr std::uint64_t quick_rounds = 3;

void put_random(Session& session, const Workload& workload, Random& random, std::uint64_t round) {
  std::string key;
  std::string value;
  const std::uint64_t index = random.below(workload.keys());
  workload.key(index, key);
  workload.value(index, round, value);
  session.put(key, value);
}

// Puts until that much log is there, or until the engine folds it home before that for the second
// time; then kills this process.
[[noreturn]] void grow_log_and_die(const BenchOptions& options, const Cell& cell, Engine& engine) {
  const std::uint64_t wished = options.quick ? reopen_log_bytes / quick_divisor : reopen_log_bytes;
  const std::uint64_t least =
      options.quick ? reopen_least_bytes / quick_divisor : reopen_least_bytes;
  const std::unique_ptr<Session> session = engine.session();
  Random random(options.seed * 0x40007);
  std::uint64_t peak = 0;
  bool folded = false;
  for (std::uint64_t i = 1; i < wished / 64; ++i) {
    put_random(*session, cell.workload, random, i);
    if (i % puts_between_checks != 0) continue;
    const std::uint64_t now = engine.log_bytes();
    folded = folded || now + mib < peak;
    peak = std::max(peak, now);
    if (now >= wished || (folded && now >= least)) break;
    if (now == 0 && i >= puts_without_log) break;
  }
  print_fact(cell, {.suite = "reopen",
                    .op = "log_at_kill",
                    .value = static_cast<double>(engine.log_bytes()) / mib,
                    .unit = "MiB"});
  static_cast<void>(::kill(::getpid(), SIGKILL));
  fatal("kill", "came back");
}

void measure_open(const Cell& cell, const EngineOptions& opened, std::string_view op) {
  const std::uint64_t start = base::now_ns();
  const std::unique_ptr<Engine> engine = cell.engine.open(opened);
  const std::unique_ptr<Session> session = engine->session();
  std::string key;
  std::string value;
  cell.workload.key(0, key);
  require(session->get(key, value), "get after open", key);
  const auto elapsed = static_cast<double>(base::now_ns() - start);
  print_fact(cell, {.suite = "reopen", .op = op, .value = elapsed / 1e6, .unit = "ms"});
}

void measure_reopen(const BenchOptions& options, const Cell& cell) {
  const StoreDirectory directory(options, cell);
  EngineOptions opened = engine_options(options, cell, directory);
  in_child([&] {
    const std::unique_ptr<Engine> engine = cell.engine.open(opened);
    load_random(options, *engine, cell.workload);
  });
  directory.drop_caches();
  in_child([&] { measure_open(cell, opened, "after_clean_close"); });
  opened.keep_log = true;
  const int child = start_child([&] {
    const std::unique_ptr<Engine> engine = cell.engine.open(opened);
    grow_log_and_die(options, cell, *engine);
  });
  static_cast<void>(wait_child(child));
  directory.drop_caches();
  in_child([&] { measure_open(cell, opened, "after_kill"); });
}

struct Losses {
  std::uint64_t acknowledged = 0;
  std::uint64_t lost = 0;
  std::uint64_t beyond_window = 0;
  std::uint64_t after_sync = 0;
  std::uint64_t oldest_ns = 0;  // age at the kill of the oldest one lost
};

// What the process to be killed has been promised, and what the next one found, in memory that
// outlives both.
struct Promises {
  Losses losses;
  std::atomic<std::uint64_t> acknowledged;
  std::atomic<std::uint64_t> synced;
  std::uint64_t times_ns[acknowledged_max];
};

class SharedPromises {
 public:
  SharedPromises() {
    void* const address = ::mmap(nullptr, sizeof(Promises), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(address != MAP_FAILED, "mmap");
    promises_ = static_cast<Promises*>(address);
  }

  SharedPromises(const SharedPromises&) = delete;
  SharedPromises& operator=(const SharedPromises&) = delete;

  ~SharedPromises() { ::munmap(promises_, sizeof(Promises)); }

  Promises& operator*() const noexcept { return *promises_; }

 private:
  Promises* promises_;
};

std::string crash_key(std::uint64_t index) {
  return fmt::format("/acknowledged/{:04}/{:08}", index / 1000, index);
}

[[noreturn]] void create_until_killed(Engine& engine, Promises& promises) {
  const std::unique_ptr<Session> session = engine.session();
  for (std::uint64_t i = 0; i < acknowledged_max; ++i) {
    session->create(crash_key(i), "acknowledged");
    promises.times_ns[i] = base::now_ns();
    promises.acknowledged = i + 1;
    if ((i + 1) % puts_between_syncs == 0) {
      engine.sync();
      promises.synced = i + 1;
    }
  }
  // Faster than anybody thought: wait to be killed.
  for (;;) ::pause();
}

void count_losses(Engine& engine, Promises& promises, std::uint64_t killed_ns) {
  const std::unique_ptr<Session> session = engine.session();
  Losses& losses = promises.losses;
  std::string value;
  for (std::uint64_t i = 0; i < promises.acknowledged; ++i) {
    ++losses.acknowledged;
    if (session->get(crash_key(i), value)) continue;
    ++losses.lost;
    const std::uint64_t age_ns = killed_ns - std::min(killed_ns, promises.times_ns[i]);
    losses.beyond_window += age_ns > window_ns ? 1 : 0;
    losses.oldest_ns = std::max(losses.oldest_ns, age_ns);
    losses.after_sync += i < promises.synced ? 1U : 0U;
  }
}

void crash_once(const BenchOptions& options, const Cell& cell, Random& random, Losses& losses) {
  const StoreDirectory directory(options, cell);
  const EngineOptions opened = engine_options(options, cell, directory);
  const SharedPromises promises;
  const int child = start_child([&] {
    const std::unique_ptr<Engine> engine = cell.engine.open(opened);
    create_until_killed(*engine, *promises);
  });
  while ((*promises).acknowledged == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50 + random.below(150)));
  const std::uint64_t killed_ns = base::now_ns();
  require(::kill(child, SIGKILL) == 0, "kill");
  static_cast<void>(wait_child(child));
  in_child([&] {
    const std::unique_ptr<Engine> engine = cell.engine.open(opened);
    count_losses(*engine, *promises, killed_ns);
  });
  const Losses& found = (*promises).losses;
  losses.acknowledged += found.acknowledged;
  losses.lost += found.lost;
  losses.beyond_window += found.beyond_window;
  losses.after_sync += found.after_sync;
  losses.oldest_ns = std::max(losses.oldest_ns, found.oldest_ns);
}

void measure_crash(const BenchOptions& options, const Cell& cell) {
  Losses losses;
  Random random(options.seed * 0x50009 + cell.run);
  const std::uint64_t count = options.quick ? quick_rounds : rounds;
  for (std::uint64_t round = 0; round < count; ++round) crash_once(options, cell, random, losses);
  const auto print = [&](std::string_view op, std::uint64_t value, std::string_view unit) {
    print_fact(cell,
               {.suite = "crash", .op = op, .value = static_cast<double>(value), .unit = unit});
  };
  print("acknowledged", losses.acknowledged, "operations");
  print("lost", losses.lost, "operations");
  print("lost_beyond_10ms", losses.beyond_window, "operations");
  print("lost_after_sync", losses.after_sync, "operations");
  print("oldest_lost", losses.oldest_ns / 1000, "us");
}

template <typename Measure>
void for_engines(const BenchOptions& options, std::string_view suite, std::uint64_t keys,
                 const Measure& measure) {
  for (std::uint64_t run = 1; run <= options.runs; ++run) {
    for (const EngineKind& engine : engines_of(options, suite)) {
      const Cell cell{.engine = engine,
                      .mode = Mode::wal,
                      .workload = Workload(WorkloadKind::fs, keys),
                      .run = run};
      if (wanted(options, suite, cell, "")) measure(cell);
    }
  }
}

}  // namespace

void suite_reopen(const BenchOptions& options) {
  const std::uint64_t keys =
      options.sizes.front() / (options.quick && !options.sizes_given ? quick_divisor : 1);
  for_engines(options, "reopen", keys, [&](const Cell& cell) { measure_reopen(options, cell); });
}

void suite_crash(const BenchOptions& options) {
  for_engines(options, "crash", 1, [&](const Cell& cell) { measure_crash(options, cell); });
}

}  // namespace artfs::bench
