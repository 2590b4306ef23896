// SPDX-License-Identifier: Apache-2.0
// Suites `space`, `cold`, `amplification`: what a store takes from its disk.
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

constexpr std::uint64_t cold_gets = 10'000;
constexpr std::uint64_t cold_threads = 8;
constexpr std::uint64_t amplification_cache_mib = 64;
constexpr std::uint64_t amplification_keys =
    2'000'000;  // `deep`: 276 MB, over four times the cache
constexpr std::uint64_t amplification_ns_max = 60'000'000'000;
constexpr std::uint64_t quick_divisor = 4;
constexpr std::uint64_t quick_ns_divisor = 30;
constexpr std::uint64_t large_keys = 2'000'000;

double raw_bytes_per_key(const Workload& workload) {
  std::string key;
  std::string value;
  std::uint64_t bytes = 0;
  for (std::uint64_t index = 0; index < workload.keys(); ++index) {
    workload.key(index, key);
    workload.value(index, 0, value);
    bytes += key.size() + value.size();
  }
  return static_cast<double>(bytes) / static_cast<double>(workload.keys());
}

// Logs are told apart: their files are kept for the next records, whatever the number of keys.
void measure_space(const BenchOptions& options, const Cell& cell, bool sorted) {
  const StoreDirectory directory(options, cell);
  {
    const std::unique_ptr<Engine> engine =
        cell.engine.open(engine_options(options, cell, directory));
    static_cast<void>(sorted ? load_sorted(options, *engine, cell.workload)
                             : load_random(options, *engine, cell.workload));
    engine->settle();
    const std::optional<double> fill = engine->fill();
    if (fill) {
      print_fact(cell, {.suite = "space",
                        .op = sorted ? "frame_fill_sorted" : "frame_fill",
                        .value = *fill,
                        .unit = "of 1"});
    }
  }
  const double per_key = 1 / static_cast<double>(cell.workload.keys());
  const auto bytes = static_cast<double>(directory.disk_bytes());
  const auto log_bytes = static_cast<double>(directory.disk_bytes("log"));
  if (!sorted) {
    print_fact(
        cell,
        {.suite = "space", .op = "log_files_per_key", .value = log_bytes * per_key, .unit = "B"});
    print_fact(cell, {.suite = "space",
                      .op = "raw_bytes_per_key",
                      .value = raw_bytes_per_key(cell.workload),
                      .unit = "B"});
  }
  print_fact(cell, {.suite = "space",
                    .op = sorted ? "disk_bytes_per_key_sorted" : "disk_bytes_per_key",
                    .value = (bytes - log_bytes) * per_key,
                    .unit = "B"});
}

std::uint64_t default_keys(const BenchOptions& options, std::uint64_t usual) {
  if (options.sizes_given) return options.sizes.front();
  return options.quick ? usual / quick_divisor : usual;
}

// Gets of random keys by `threads`; returns nanoseconds per get.
double get_cold(const BenchOptions& options, Engine& engine, const Cell& cell,
                std::uint64_t threads) {
  std::vector<std::thread> team;
  const std::uint64_t start = base::now_ns();
  for (std::uint64_t thread = 0; thread < threads; ++thread) {
    team.emplace_back([&, thread] {
      const std::unique_ptr<Session> session = engine.session();
      Random random(options.seed * 0x20003 + thread);
      std::string key;
      std::string value;
      for (std::uint64_t i = 0; i < cold_gets / threads; ++i) {
        cell.workload.key(random.below(cell.workload.keys()), key);
        require(session->get(key, value), "cold get", key);
      }
    });
  }
  for (std::thread& member : team) member.join();
  return static_cast<double>(base::now_ns() - start) / static_cast<double>(cold_gets);
}

void measure_cold(const BenchOptions& options, const Cell& cell) {
  const StoreDirectory directory(options, cell);
  const EngineOptions opened = engine_options(options, cell, directory);
  in_child([&] {
    const std::unique_ptr<Engine> engine = cell.engine.open(opened);
    load_random(options, *engine, cell.workload);
    engine->settle();
  });
  for (const std::uint64_t threads : {std::uint64_t{1}, cold_threads}) {
    directory.drop_caches();
    in_child([&] {
      const std::unique_ptr<Engine> engine = cell.engine.open(opened);
      const std::uint64_t before = io_bytes().read;
      const double ns = get_cold(options, *engine, cell, threads);
      const auto bytes = static_cast<double>(io_bytes().read - before);
      print_fact(cell,
                 {.suite = "cold", .op = "get", .value = ns, .unit = "ns", .threads = threads});
      print_fact(cell, {.suite = "cold",
                        .op = "read_bytes_per_get",
                        .value = bytes / static_cast<double>(cold_gets),
                        .unit = "B",
                        .threads = threads});
    });
  }
}

void measure_amplification(const BenchOptions& options, const Cell& cell) {
  const StoreDirectory directory(options, cell);
  EngineOptions opened = engine_options(options, cell, directory);
  opened.cache_bytes = amplification_cache_mib / (options.quick ? quick_divisor : 1) * mib;
  const std::unique_ptr<Engine> engine = cell.engine.open(opened);
  static_cast<void>(load_sorted(options, *engine, cell.workload));
  engine->settle();
  const std::uint64_t written = io_bytes().written;
  const std::unique_ptr<Session> session = engine->session();
  Random random(options.seed * 0x30005);
  std::string key;
  std::string value;
  std::uint64_t changed_bytes = 0;
  const std::uint64_t start = base::now_ns();
  const std::uint64_t ns_max =
      options.quick ? amplification_ns_max / quick_ns_divisor : amplification_ns_max;
  std::uint64_t updates = 0;
  while (updates < cell.workload.keys() && base::now_ns() - start < ns_max) {
    ++updates;
    const std::uint64_t index = random.below(cell.workload.keys());
    cell.workload.key(index, key);
    cell.workload.value(index, updates, value);
    session->put(key, value);
    changed_bytes += key.size() + value.size();
  }
  engine->sync();
  const auto elapsed = static_cast<double>(base::now_ns() - start);
  engine->settle();
  const auto bytes = static_cast<double>(io_bytes().written - written);
  print_fact(cell, {.suite = "amplification",
                    .op = "written_per_changed_byte",
                    .value = bytes / static_cast<double>(changed_bytes),
                    .unit = "B/B"});
  print_fact(cell, {.suite = "amplification",
                    .op = "put",
                    .value = elapsed / static_cast<double>(updates),
                    .unit = "ns"});
}

// Runs it for every engine, on one workload.
template <typename Measure>
void for_engines(const BenchOptions& options, std::string_view suite, const Workload& workload,
                 const Measure& measure) {
  for (std::uint64_t run = 1; run <= options.runs; ++run) {
    for (const EngineKind& engine : engines_of(options, suite)) {
      const Cell cell{.engine = engine, .mode = Mode::wal, .workload = workload, .run = run};
      if (wanted(options, suite, cell, "")) measure(cell);
    }
  }
}

}  // namespace

void suite_space(const BenchOptions& options) {
  for (const WorkloadKind kind : {WorkloadKind::fs, WorkloadKind::objstore, WorkloadKind::deep}) {
    if (options.quick && kind != WorkloadKind::deep) continue;
    const Workload workload(kind, default_keys(options, options.sizes.front()));
    for_engines(options, "space", workload, [&](const Cell& cell) {
      in_child([&] { measure_space(options, cell, false); });
      if (!options.quick) in_child([&] { measure_space(options, cell, true); });
    });
  }
}

void suite_cold(const BenchOptions& options) {
  const Workload workload(WorkloadKind::fs, default_keys(options, large_keys));
  for_engines(options, "cold", workload, [&](const Cell& cell) { measure_cold(options, cell); });
}

void suite_amplification(const BenchOptions& options) {
  const Workload workload(WorkloadKind::deep, default_keys(options, amplification_keys));
  for_engines(options, "amplification", workload,
              [&](const Cell& cell) { in_child([&] { measure_amplification(options, cell); }); });
}

}  // namespace artfs::bench
