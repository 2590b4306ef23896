// SPDX-License-Identifier: Apache-2.0
// Suite `move`: renaming a directory with 100,000 keys below it in a store of 500,000.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "bench/harness.hpp"

namespace artfs::bench {
namespace {

constexpr std::uint64_t moved_keys = 100'000;
constexpr std::uint64_t quick_keys = 10'000;
constexpr std::uint64_t files_per_directory = 1000;
constexpr std::size_t moves = 5;  // odd, so that one of them is the median

void load_subtree(Engine& engine, std::string_view prefix, std::uint64_t keys) {
  std::vector<Pair> pairs(keys);
  for (std::uint64_t i = 0; i < keys; ++i) {
    pairs[i].key = fmt::format("{}dir-{:03}/file-{:06}", prefix, i / files_per_directory, i);
    pairs[i].value = std::string(32, 'v');
  }
  engine.load(pairs);
}

void measure_move(const BenchOptions& options, const Cell& cell, std::uint64_t keys) {
  const StoreDirectory directory(options, cell);
  const std::unique_ptr<Engine> engine = cell.engine.open(engine_options(options, cell, directory));
  std::string from = "/usr/local/share/before/";
  std::string to = "/usr/local/share/moved-behind/";
  load_random(options, *engine, cell.workload);
  load_subtree(*engine, from, keys);
  engine->settle();
  std::vector<double> milliseconds;
  for (std::size_t i = 0; i < moves; ++i) {
    const std::uint64_t start = base::now_ns();
    engine->move_prefix(from, to);
    milliseconds.push_back(static_cast<double>(base::now_ns() - start) / 1e6);
    std::swap(from, to);
  }
  const std::unique_ptr<Session> session = engine->session();
  require(session->list(from, "", keys + 1) == keys, "move", "keys are missing");
  require(session->list(to, "", 1) == 0, "move", "keys were left behind");
  std::sort(milliseconds.begin(), milliseconds.end());
  print_fact(
      cell,
      {.suite = "move", .op = "rename_prefix", .value = milliseconds[moves / 2], .unit = "ms"});
}

}  // namespace

void suite_move(const BenchOptions& options) {
  const std::uint64_t usual = options.quick ? quick_keys : moved_keys;
  const std::uint64_t keys = options.sizes_given ? options.sizes.front() / 5 : usual;
  for (std::uint64_t run = 1; run <= options.runs; ++run) {
    for (const EngineKind& engine : engines_of(options, "move")) {
      const Cell cell{.engine = engine,
                      .mode = Mode::wal,
                      .workload = Workload(WorkloadKind::fs, keys * 4),
                      .run = run};
      if (wanted(options, "move", cell, "rename_prefix")) {
        in_child([&] { measure_move(options, cell, keys); });
      }
    }
  }
}

}  // namespace artfs::bench
