// SPDX-License-Identifier: Apache-2.0
// What the suites of engine_bench share: options, store directories, loading, JSON lines.
//
// Contract:   every engine runs in a process of its own, one after the other, so that memory, threads and
//             page cache of one do not weigh on the next; the lines go to the common standard output.
// Errors:     as engine.hpp: they end the program.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/engine.hpp"
#include "bench/workload.hpp"

namespace artfs::bench {

struct BenchOptions {
  std::string directory = ".";
  std::string memory_directory = "/dev/shm";
  std::string only;
  std::vector<std::string> suites;
  std::vector<std::string> engines;
  std::vector<std::string> workloads;
  std::vector<std::string> modes;
  std::vector<std::uint64_t> sizes;
  bool sizes_given = false;  // else suites other than `ops` have sizes of their own
  std::vector<std::uint64_t> threads;
  std::uint64_t runs = 1;
  std::uint64_t seed = 1;
  std::uint64_t cache_mib = 256;
  double seconds_max = 1.0;  // of one operation; the list of operations is cut, not changed
  double minutes = 10;       // of the sustained suite
  bool quick = false;
  bool processor_time = false;  // of all threads instead of the clock: for a machine that is busy
};

// One engine on one set of keys.
struct Cell {
  EngineKind engine;
  Mode mode = Mode::wal;
  Workload workload{WorkloadKind::fs, 0};
  std::uint64_t run = 1;
};

[[nodiscard]] std::string_view name_of(Mode mode) noexcept;
[[nodiscard]] Mode mode_named(std::string_view name);

// The engines that --engines leaves. A quick run has LMDB once, but for suite `ops`.
[[nodiscard]] std::vector<EngineKind> engines_of(const BenchOptions& options,
                                                 std::string_view suite);
// True when --only is a part of "suite/mode/workload/op".
[[nodiscard]] bool wanted(const BenchOptions& options, std::string_view suite, const Cell& cell,
                          std::string_view op);

// An empty directory for one store, removed with what is in it.
class StoreDirectory {
 public:
  StoreDirectory(const BenchOptions& options, const Cell& cell);
  StoreDirectory(const StoreDirectory&) = delete;
  StoreDirectory& operator=(const StoreDirectory&) = delete;
  ~StoreDirectory();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Bytes occupied by the files with this in their names.
  [[nodiscard]] std::uint64_t disk_bytes(std::string_view part = "") const;
  // Writes the files out and takes them from the page cache.
  void drop_caches() const;

 private:
  std::string path_;
};

[[nodiscard]] EngineOptions engine_options(const BenchOptions& options, const Cell& cell,
                                           const StoreDirectory& directory);

// Runs it in a child process and waits; a child that fails ends the program.
void in_child(const std::function<void()>& work);
// Starts a child process that runs it; returns its id.
[[nodiscard]] int start_child(const std::function<void()>& work);
// Waits for it; true when it ended well.
[[nodiscard]] bool wait_child(int child);

// Every key once, in random order and batches; returns nanoseconds per key, without making the keys.
double load_random(const BenchOptions& options, Engine& engine, const Workload& workload);
// Every key once, ascending, in one call.
double load_sorted(const BenchOptions& options, Engine& engine, const Workload& workload);

void print_op(const Cell& cell, std::uint64_t threads, std::string_view op, double ns_per_op);

struct Fact {
  std::string_view suite;
  std::string_view op;
  double value = 0;
  std::string_view unit;
  std::uint64_t threads = 1;
};

void print_fact(const Cell& cell, const Fact& fact);

// Of this process, all its threads included.
struct IoBytes {
  std::uint64_t read = 0;     // from the device
  std::uint64_t written = 0;  // to the page cache or the device
};

[[nodiscard]] IoBytes io_bytes();
[[nodiscard]] std::uint64_t resident_bytes();
// The clock, or the processor time of this process.
[[nodiscard]] std::uint64_t elapsed_ns(const BenchOptions& options);

struct SuiteKind {
  std::string_view name;
  void (*run)(const BenchOptions& options);
};

void suite_ops(const BenchOptions& options);
void suite_space(const BenchOptions& options);
void suite_cold(const BenchOptions& options);
void suite_reopen(const BenchOptions& options);
void suite_crash(const BenchOptions& options);
void suite_move(const BenchOptions& options);
void suite_amplification(const BenchOptions& options);
void suite_sustained(const BenchOptions& options);

}  // namespace artfs::bench
