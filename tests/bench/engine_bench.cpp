// SPDX-License-Identifier: Apache-2.0
// engine_bench: artfs and its peers on the same keys; one JSON line per measurement.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bench/harness.hpp"

namespace artfs::bench {
namespace {

constexpr std::array suites = {
    SuiteKind{"ops", suite_ops},
    SuiteKind{"space", suite_space},
    SuiteKind{"cold", suite_cold},
    SuiteKind{"reopen", suite_reopen},
    SuiteKind{"crash", suite_crash},
    SuiteKind{"move", suite_move},
    SuiteKind{"amplification", suite_amplification},
    SuiteKind{"sustained", suite_sustained},
};

std::vector<std::string> all_suites() {
  std::vector<std::string> names;
  for (const SuiteKind& suite : suites) {
    // Ten minutes long, so only when asked for.
    if (suite.name != "sustained") names.emplace_back(suite.name);
  }
  return names;
}

void check_names(const BenchOptions& options) {
  for (const std::string& name : options.workloads) {
    if (!workload_named(name)) fatal("no such workload", name);
  }
  for (const std::string& name : options.modes) static_cast<void>(mode_named(name));
  for (const std::string& name : options.engines) {
    const auto kinds = engine_kinds();
    const bool known = std::any_of(kinds.begin(), kinds.end(),
                                   [&](const EngineKind& kind) { return kind.name == name; });
    if (!known) fatal("this program was built without the engine", name);
  }
  for (const std::string& name : options.suites) {
    const bool known = std::any_of(suites.begin(), suites.end(),
                                   [&](const SuiteKind& suite) { return suite.name == name; });
    if (!known) fatal("no such suite", name);
  }
}

template <typename T>
void default_to(std::vector<T>& chosen, std::vector<T> usual) {
  if (chosen.empty()) chosen = std::move(usual);
}

void fill_defaults(BenchOptions& options) {
  default_to(options.suites, all_suites());
  default_to(options.workloads, {"fs"});
  default_to(options.modes, {"memory", "wal", "sync"});
  options.sizes_given = !options.sizes.empty();
  default_to<std::uint64_t>(options.sizes, {500'000});
  if (options.quick) {
    default_to<std::uint64_t>(options.threads, {1, 8});
    options.seconds_max = std::min(options.seconds_max, 0.2);
    options.minutes = std::min(options.minutes, 0.1);
  } else {
    default_to<std::uint64_t>(options.threads, {1, 2, 8});
  }
}

void add_options(CLI::App& app, BenchOptions& options) {
  app.add_option("suites", options.suites, "which suites; all but `sustained` when none is named");
  app.add_option("--dir", options.directory, "for stores on disk; they are removed")
      ->capture_default_str();
  app.add_option("--memory-dir", options.memory_directory, "for stores of memory mode")
      ->capture_default_str();
  app.add_option("--only", options.only, "only what has this in suite/mode/workload/op");
  app.add_option("--engines", options.engines, "artfs, lmdb, lmdb_writemap, rocksdb, sqlite")
      ->delimiter(',');
  app.add_option("--workloads", options.workloads, "fs, objstore, deep")->delimiter(',');
  app.add_option("--modes", options.modes, "memory, wal, sync")->delimiter(',');
  app.add_option("--keys", options.sizes, "numbers of keys")->delimiter(',');
  app.add_option("--threads", options.threads, "numbers of threads")->delimiter(',');
  app.add_option("--runs", options.runs, "how often everything is repeated")->capture_default_str();
  app.add_option("--seed", options.seed, "of the order of operations")->capture_default_str();
  app.add_option("--cache-mib", options.cache_mib, "cache of each engine")->capture_default_str();
  app.add_option("--seconds", options.seconds_max, "at most this long per operation")
      ->capture_default_str();
  app.add_option("--minutes", options.minutes, "of the sustained suite")->capture_default_str();
  app.add_flag("--processor-time", options.processor_time,
               "count processor time instead of the clock: for a machine that is busy");
  app.add_flag("--quick", options.quick, "a few minutes instead of an hour");
}

int run_all(int argc, char** argv) {
  BenchOptions options;
  CLI::App app{"artfs and its peers on the same keys, as JSON lines"};
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  fill_defaults(options);
  check_names(options);
  for (const SuiteKind& suite : suites) {
    const auto& chosen = options.suites;
    if (std::find(chosen.begin(), chosen.end(), suite.name) != chosen.end()) suite.run(options);
  }
  return 0;
}

}  // namespace
}  // namespace artfs::bench

int main(int argc, char** argv) {
  return artfs::bench::run_all(argc, argv);
}
