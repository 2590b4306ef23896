// SPDX-License-Identifier: Apache-2.0
// Suite `ops`: nanoseconds per operation, warm, and memory afterwards.
#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "bench/harness.hpp"
#include "bench/operations.hpp"

namespace artfs::bench {
namespace {

// A change that waits for a disk takes a tenth of a millisecond or more.
constexpr std::uint64_t sync_operations = 2'000;
constexpr std::uint64_t steps_between_clock_reads = 16;

// All start together; each stops at its count or at the time limit.
class Team {
 public:
  Team(const BenchOptions& options, Engine& engine, const Cell& cell, const Operation& operation)
      : options_(options), engine_(engine), cell_(cell), operation_(operation) {}

  double ns_per_op(std::uint64_t threads) {
    threads_ = threads;
    const std::uint64_t usual =
        cell_.mode == Mode::sync ? std::min(sync_operations, operation_.count) : operation_.count;
    const double longer = std::max(1.0, options_.seconds_max);
    const auto all = static_cast<std::uint64_t>(static_cast<double>(usual) * longer);
    steps_each_ = std::max<std::uint64_t>(1, all / threads);
    std::vector<std::thread> team;
    for (std::uint64_t thread = 0; thread < threads; ++thread) {
      team.emplace_back([this, thread] { work(thread); });
    }
    while (ready_ < threads) std::this_thread::yield();
    const std::uint64_t start = base::now_ns();
    const std::uint64_t processor_start = elapsed_ns(options_);
    deadline_ns_ = start + static_cast<std::uint64_t>(options_.seconds_max * 1e9);
    go_ = true;
    go_.notify_all();
    for (std::thread& member : team) member.join();
    const std::uint64_t elapsed =
        options_.processor_time ? elapsed_ns(options_) - processor_start : finished_ns_ - start;
    return static_cast<double>(elapsed) /
           static_cast<double>(steps_done_ * operation_.operations_per_step);
  }

 private:
  void work(std::uint64_t thread) {
    const std::unique_ptr<Session> session = engine_.session();
    Worker worker(*session, cell_.workload, options_.seed * 0x10001 + thread + 1);
    worker.thread = thread;
    worker.threads = threads_;
    ++ready_;
    go_.wait(false);
    while (worker.round < steps_each_) {
      operation_.step(worker);
      ++worker.round;
      if (worker.round % steps_between_clock_reads == 0 && base::now_ns() > deadline_ns_) break;
    }
    const std::uint64_t now = base::now_ns();
    std::uint64_t latest = finished_ns_;
    while (latest < now && !finished_ns_.compare_exchange_weak(latest, now)) {
    }
    steps_done_ += worker.round;
  }

  const BenchOptions& options_;
  Engine& engine_;
  const Cell& cell_;
  const Operation& operation_;
  std::uint64_t threads_ = 1;
  std::uint64_t steps_each_ = 1;
  std::uint64_t deadline_ns_ = 0;
  std::atomic<std::uint64_t> ready_ = 0;
  std::atomic<bool> go_ = false;
  std::atomic<std::uint64_t> steps_done_ = 0;
  std::atomic<std::uint64_t> finished_ns_ = 0;
};

bool measured(const BenchOptions& options, const Cell& cell, const Operation& operation,
              std::uint64_t threads) {
  return wanted(options, "ops", cell, operation.name) &&
         (operation.writes || cell.mode != Mode::sync) && (operation.parallel || threads == 1);
}

bool any_measured(const BenchOptions& options, const Cell& cell) {
  const auto all = operations();
  return wanted(options, "ops", cell, "load") || wanted(options, "ops", cell, "load_sorted") ||
         std::any_of(all.begin(), all.end(), [&](const Operation& operation) {
           return measured(options, cell, operation, 1);
         });
}

void run_loaded(const BenchOptions& options, const Cell& cell, Engine& engine) {
  for (const std::uint64_t threads : options.threads) {
    for (const Operation& operation : operations()) {
      if (!measured(options, cell, operation, threads)) continue;
      Team team(options, engine, cell, operation);
      print_op(cell, threads, operation.name, team.ns_per_op(threads));
    }
  }
}

void run_cell(const BenchOptions& options, const Cell& cell) {
  const StoreDirectory directory(options, cell);
  EngineOptions opened = engine_options(options, cell, directory);
  // Loading for `sync` does not wait for the disk key by key.
  if (cell.mode == Mode::sync) opened.mode = Mode::wal;
  std::unique_ptr<Engine> engine = cell.engine.open(opened);
  const double load_ns = load_random(options, *engine, cell.workload);
  if (cell.mode == Mode::sync) {
    engine.reset();
    opened.mode = Mode::sync;
    engine = cell.engine.open(opened);
  } else if (wanted(options, "ops", cell, "load")) {
    print_op(cell, 1, "load", load_ns);
  }
  engine->settle();
  run_loaded(options, cell, *engine);
  if (cell.mode != Mode::sync && wanted(options, "memory", cell, "resident")) {
    const auto bytes = static_cast<double>(resident_bytes());
    print_fact(cell, {.suite = "memory", .op = "resident", .value = bytes / mib, .unit = "MiB"});
  }
}

void run_sorted(const BenchOptions& options, const Cell& cell) {
  const StoreDirectory directory(options, cell);
  const std::unique_ptr<Engine> engine = cell.engine.open(engine_options(options, cell, directory));
  print_op(cell, 1, "load_sorted", load_sorted(options, *engine, cell.workload));
}

void run_engines(const BenchOptions& options, Cell cell) {
  for (const EngineKind& engine : engines_of(options, "ops")) {
    cell.engine = engine;
    if (any_measured(options, cell)) in_child([&] { run_cell(options, cell); });
    if (cell.mode != Mode::sync && wanted(options, "ops", cell, "load_sorted")) {
      in_child([&] { run_sorted(options, cell); });
    }
  }
}

}  // namespace

void suite_ops(const BenchOptions& options) {
  for (const std::string& name : options.workloads) {
    for (const std::uint64_t keys : options.sizes) {
      for (const std::string& mode : options.modes) {
        for (std::uint64_t run = 1; run <= options.runs; ++run) {
          run_engines(options, {.engine = {},
                                .mode = mode_named(mode),
                                .workload = Workload(*workload_named(name), keys),
                                .run = run});
        }
      }
    }
  }
}

}  // namespace artfs::bench
