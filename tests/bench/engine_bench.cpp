// SPDX-License-Identifier: Apache-2.0
// engine_bench: nanoseconds per operation of the store, one JSON line per measurement.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "artfs/store.hpp"

#include "base/clock.hpp"
#include "bench/engine_ops.hpp"

namespace artfs::bench {
namespace {

// Two cores and a shared disk: enough operations that one run takes about a second.
constexpr std::uint64_t sync_operations = 2'000;
constexpr std::uint64_t quick_divisor = 5;

struct Options {
  std::string directory = ".";
  std::string only;
  std::uint64_t keys = 500'000;
  std::uint64_t runs = 1;
  std::uint64_t seed = 1;
  std::vector<std::uint64_t> threads = {1};
  std::vector<std::string> modes = {"memory", "wal", "sync"};
  bool quick = false;
};

bool wanted(const Options& options, std::string_view name) {
  return options.only.empty() || name.find(options.only) != std::string_view::npos;
}

void fatal(std::string_view what, Error error) {
  fmt::print(stderr, "engine_bench: {}: {}\n", what, to_text(error));
  std::exit(1);
}

struct Row {
  const std::string& mode;
  std::uint64_t keys;
  std::uint64_t threads;
  std::uint64_t run;
  std::string_view op;
  double ns_per_op;
};

void print(const Row& row) {
  fmt::print(
      R"({{"suite":"ops","engine":"artfs","mode":"{}","workload":"fs","keys":{},"threads":{},"run":{},"op":"{}","ns_per_op":{:.1f}}})"
      "\n",
      row.mode, row.keys, row.threads, row.run, row.op, row.ns_per_op);
  std::fflush(stdout);
}

// Wall time of all threads together, divided by all operations.
double measure(const Operation& operation, const Job& whole) {
  std::vector<Result<void>> results(whole.threads);
  std::vector<std::thread> threads;
  const std::uint64_t start = base::now_ns();
  for (std::uint64_t thread = 0; thread < whole.threads; ++thread) {
    Job job = whole;
    job.thread = thread;
    job.count = whole.count / whole.threads;
    threads.emplace_back([&, job, thread] { results[thread] = operation.run(job); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto elapsed = static_cast<double>(base::now_ns() - start);
  for (const Result<void>& result : results) {
    if (!result) fatal(operation.name, result.error());
  }
  return elapsed / static_cast<double>(whole.count / whole.threads * whole.threads);
}

std::unique_ptr<Store> open_store(const Options& options, const std::string& mode) {
  StoreOptions store_options;
  store_options.cache_bytes = 256 * mib;
  if (mode == "memory") {
    auto opened = Store::open_in_memory(store_options);
    if (!opened) fatal("open", opened.error());
    return std::move(*opened);
  }
  const std::string path = options.directory + "/store-" + mode;
  std::filesystem::remove_all(path);
  if (const auto made = Store::create(path, {}); !made) fatal("create", made.error());
  auto opened = Store::open(path, store_options);
  if (!opened) fatal("open", opened.error());
  return std::move(*opened);
}

// `sync` loads without a sync per key, then every change waits for the disk.
std::unique_ptr<Store> reopen_strict(const Options& options, std::unique_ptr<Store> store) {
  if (const auto closed = store->close(); !closed) fatal("close", closed.error());
  store.reset();
  StoreOptions strict;
  strict.cache_bytes = 256 * mib;
  strict.durability = Durability::strict;
  auto opened = Store::open(options.directory + "/store-sync", strict);
  if (!opened) fatal("open", opened.error());
  return std::move(*opened);
}

void print_space(const Options& options, Store& store) {
  if (const auto done = store.checkpoint(); !done) fatal("checkpoint", done.error());
  const double bytes = static_cast<double>(store.stats().data_file_bytes);
  fmt::print(
      R"({{"suite":"space","engine":"artfs","workload":"fs","keys":{},"op":"disk_bytes_per_key","value":{:.1f},"unit":"B"}})"
      "\n",
      options.keys, bytes / static_cast<double>(options.keys));
}

std::uint64_t count_for(const Options& options, const Operation& operation,
                        const std::string& mode) {
  std::uint64_t count = mode == "sync" ? sync_operations : operation.count;
  if (options.quick) count /= quick_divisor;
  return count;
}

void run_mode(const Options& options, const std::string& mode, std::uint64_t run) {
  std::unique_ptr<Store> store = open_store(options, mode);
  auto tree = store->create_tree("bench");
  if (!tree) fatal("create_tree", tree.error());
  Job job{.tree = *tree, .keys = options.keys, .seed = options.seed};
  const std::uint64_t start = base::now_ns();
  if (const auto loaded = load(job); !loaded) fatal("load", loaded.error());
  const double load_ns =
      static_cast<double>(base::now_ns() - start) / static_cast<double>(options.keys);
  if (mode == "sync") {
    store = reopen_strict(options, std::move(store));
    tree = store->open_tree("bench");
    if (!tree) fatal("open_tree", tree.error());
    job.tree = *tree;
  } else if (wanted(options, "load")) {
    print({mode, options.keys, 1, run, "load", load_ns});
  }
  if (mode == "wal" && wanted(options, "disk_bytes_per_key")) print_space(options, *store);
  for (const std::uint64_t threads : options.threads) {
    for (const Operation& operation : operations()) {
      if (!wanted(options, operation.name) || (mode == "sync" && !operation.writes)) continue;
      job.threads = threads;
      job.count = count_for(options, operation, mode);
      print({mode, options.keys, threads, run, operation.name, measure(operation, job)});
    }
  }
  if (const auto closed = store->close(); !closed) fatal("close", closed.error());
  store.reset();
  if (mode != "memory") std::filesystem::remove_all(options.directory + "/store-" + mode);
}

int run_all(int argc, char** argv) {
  Options options;
  CLI::App app{"Nanoseconds per operation of the artfs engine, as JSON lines"};
  app.add_option("--dir", options.directory, "directory for the stores; they are removed")
      ->capture_default_str();
  app.add_option("--only", options.only, "operations whose name contains this");
  app.add_option("--keys", options.keys, "keys in the tree")->capture_default_str();
  app.add_option("--runs", options.runs, "how often everything is repeated")->capture_default_str();
  app.add_option("--seed", options.seed, "of the order of operations")->capture_default_str();
  app.add_option("--threads", options.threads, "numbers of threads")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--modes", options.modes, "memory, wal, sync")
      ->delimiter(',')
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "a fifth of the operations");
  CLI11_PARSE(app, argc, argv);
  for (std::uint64_t run = 1; run <= options.runs; ++run) {
    for (const std::string& mode : options.modes) run_mode(options, mode, run);
  }
  return 0;
}

}  // namespace
}  // namespace artfs::bench

int main(int argc, char** argv) {
  return artfs::bench::run_all(argc, argv);
}
