// SPDX-License-Identifier: Apache-2.0
#include "bench/harness.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <utility>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"

namespace artfs::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t load_batch_pairs = 1000;
constexpr std::array<std::pair<Mode, std::string_view>, 3> mode_names = {
    {{Mode::memory, "memory"}, {Mode::wal, "wal"}, {Mode::sync, "sync"}}};

std::vector<std::uint64_t> random_order(std::uint64_t keys, std::uint64_t seed) {
  std::vector<std::uint64_t> order(keys);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  Random random(seed);
  for (std::uint64_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

std::uint64_t field_of(const char* path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (word != name) continue;
    std::uint64_t value = 0;
    file >> value;
    return value;
  }
  return 0;
}

}  // namespace

std::string_view name_of(Mode mode) noexcept {
  for (const auto& [known, name] : mode_names) {
    if (known == mode) return name;
  }
  return {};
}

Mode mode_named(std::string_view name) {
  for (const auto& [mode, known] : mode_names) {
    if (known == name) return mode;
  }
  fatal("no such mode", name);
}

std::vector<EngineKind> engines_of(const BenchOptions& options, std::string_view suite) {
  std::vector<EngineKind> chosen;
  for (const EngineKind& kind : engine_kinds()) {
    const auto& names = options.engines;
    if (names.empty() && options.quick && suite != "ops" && kind.name == "lmdb_writemap") continue;
    if (names.empty() || std::find(names.begin(), names.end(), kind.name) != names.end()) {
      chosen.push_back(kind);
    }
  }
  return chosen;
}

bool wanted(const BenchOptions& options, std::string_view suite, const Cell& cell,
            std::string_view op) {
  if (options.only.empty()) return true;
  const std::string full =
      fmt::format("{}/{}/{}/{}", suite, name_of(cell.mode), cell.workload.name(), op);
  return full.find(options.only) != std::string::npos;
}

StoreDirectory::StoreDirectory(const BenchOptions& options, const Cell& cell) {
  const bool memory = cell.mode == Mode::memory;
  path_ =
      fmt::format("{}/engine-bench-{}-{}", memory ? options.memory_directory : options.directory,
                  ::getpid(), cell.engine.name);
  fs::remove_all(path_);
  fs::create_directories(path_);
}

StoreDirectory::~StoreDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::uint64_t StoreDirectory::disk_bytes(std::string_view part) const {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    if (entry.path().filename().native().find(part) == std::string::npos) continue;

    struct stat status {};

    if (::lstat(entry.path().c_str(), &status) == 0) {
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

void StoreDirectory::drop_caches() const {
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    if (!entry.is_regular_file()) continue;
    const base::UniqueFd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    require(static_cast<bool>(file), "open", entry.path().native());
    require(::fsync(file.get()) == 0, "fsync", entry.path().native());
    require(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  }
}

EngineOptions engine_options(const BenchOptions& options, const Cell& cell,
                             const StoreDirectory& directory) {
  return {.directory = directory.path(),
          .mode = cell.mode,
          .cache_bytes = options.cache_mib * mib,
          .keep_log = false};
}

int start_child(const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  require(child >= 0, "fork");
  if (child == 0) {
    // Nothing goes on measuring when the program is stopped.
    require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    work();
    std::fflush(stdout);
    std::_Exit(0);
  }
  return child;
}

bool wait_child(int child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void in_child(const std::function<void()>& work) {
  require(wait_child(start_child(work)), "the process of an engine");
}

double load_random(const BenchOptions& options, Engine& engine, const Workload& workload) {
  const std::vector<std::uint64_t> order = random_order(workload.keys(), options.seed);
  std::vector<Pair> batch(load_batch_pairs);
  std::uint64_t total_ns = 0;
  for (std::size_t done = 0; done < order.size();) {
    const std::size_t count = std::min(load_batch_pairs, order.size() - done);
    for (std::size_t i = 0; i < count; ++i) {
      workload.key(order[done + i], batch[i].key);
      workload.value(order[done + i], 0, batch[i].value);
    }
    const std::uint64_t start = elapsed_ns(options);
    engine.load(std::span(batch).first(count));
    total_ns += elapsed_ns(options) - start;
    done += count;
  }
  return static_cast<double>(total_ns) / static_cast<double>(workload.keys());
}

double load_sorted(const BenchOptions& options, Engine& engine, const Workload& workload) {
  std::vector<Pair> pairs(workload.keys());
  for (std::uint64_t i = 0; i < pairs.size(); ++i) {
    workload.key(i, pairs[i].key);
    workload.value(i, 0, pairs[i].value);
  }
  std::sort(pairs.begin(), pairs.end(),
            [](const Pair& left, const Pair& right) { return left.key < right.key; });
  const std::uint64_t start = elapsed_ns(options);
  engine.load_sorted(pairs);
  return static_cast<double>(elapsed_ns(options) - start) / static_cast<double>(workload.keys());
}

void print_op(const Cell& cell, std::uint64_t threads, std::string_view op, double ns_per_op) {
  fmt::print(
      R"({{"suite":"ops","engine":"{}","mode":"{}","workload":"{}","keys":{},"threads":{},"run":{},"op":"{}","ns_per_op":{:.1f}}})"
      "\n",
      cell.engine.name, name_of(cell.mode), cell.workload.name(), cell.workload.keys(), threads,
      cell.run, op, ns_per_op);
  std::fflush(stdout);
}

void print_fact(const Cell& cell, const Fact& fact) {
  fmt::print(
      R"({{"suite":"{}","engine":"{}","mode":"{}","workload":"{}","keys":{},"threads":{},"run":{},"op":"{}","value":{:.3f},"unit":"{}"}})"
      "\n",
      fact.suite, cell.engine.name, name_of(cell.mode), cell.workload.name(), cell.workload.keys(),
      fact.threads, cell.run, fact.op, fact.value, fact.unit);
  std::fflush(stdout);
}

IoBytes io_bytes() {
  return {.read = field_of("/proc/self/io", "read_bytes:"),
          .written = field_of("/proc/self/io", "write_bytes:")};
}

std::uint64_t resident_bytes() {
  return field_of("/proc/self/status", "VmRSS:") * kib;
}

std::uint64_t elapsed_ns(const BenchOptions& options) {
  if (!options.processor_time) return base::now_ns();
  timespec time{};
  require(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "clock_gettime");
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace artfs::bench
