// SPDX-License-Identifier: Apache-2.0
// Suite `sustained`: random puts at full speed for minutes: log, dirty pages and latency over time.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "artfs/store.hpp"

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "bench/harness.hpp"
#include "bench/histogram.hpp"

namespace artfs::bench {
namespace {

constexpr std::uint64_t sustained_keys = 2'000'000;
constexpr std::uint64_t quick_keys = 200'000;
constexpr std::uint64_t slice_ns = 100'000'000;
constexpr std::size_t slices_per_second = 10;

// What happened in a tenth of a second.
struct Slice {
  Histogram latency;
  bool checkpoint = false;
};

// A thread that puts; it owns its slices until it is joined.
class Writer {
 public:
  Writer(const BenchOptions& options, const Workload& workload, Tree tree, std::uint64_t thread)
      : workload_(workload), tree_(tree), random_(options.seed * 0x60011 + thread) {}

  void run(std::uint64_t start_ns, std::size_t slices) {
    slices_.resize(slices);
    std::string key;
    std::string value;
    std::uint64_t before = base::now_ns();
    for (std::uint64_t round = 0;; ++round) {
      const std::uint64_t index = random_.below(workload_.keys());
      workload_.key(index, key);
      workload_.value(index, round, value);
      const Result<Version> put = tree_.put(key, value);
      if (!put) fatal("put", to_text(put.error()));
      const std::uint64_t now = base::now_ns();
      // A put belongs to the slice it began in: a stop shows where it hit.
      const std::size_t slice = (before - start_ns) / slice_ns;
      if (slice >= slices) return;
      slices_[slice].add(now - before);
      before = now;
    }
  }

  [[nodiscard]] const std::vector<Histogram>& slices() const noexcept { return slices_; }

 private:
  const Workload& workload_;
  Tree tree_;
  Random random_;
  std::vector<Histogram> slices_;
};

struct Sample {
  std::uint64_t log_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  std::uint64_t cache_bytes = 0;
};

// Reads the store's counters ten times a second, into a sample per slice.
class Sampler {
 public:
  Sampler(const Store& store, std::uint64_t start_ns, std::vector<Slice>& slices)
      : store_(store), start_ns_(start_ns), slices_(slices) {}

  std::vector<Sample> run() {
    std::vector<Sample> samples(slices_.size());
    std::uint64_t completed = store_.stats().checkpoint.completed;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const std::uint64_t due = start_ns_ + (i + 1) * slice_ns;
      const std::uint64_t now = base::now_ns();
      if (due > now) std::this_thread::sleep_for(std::chrono::nanoseconds(due - now));
      const StoreStats stats = store_.stats();
      samples[i] = {.log_bytes = stats.log.end_lsn - stats.log.cut_lsn,
                    .dirty_bytes = stats.cache.dirty_bytes,
                    .cache_bytes = stats.cache.resident_bytes};
      if (stats.checkpoint.completed != completed) {
        completed = stats.checkpoint.completed;
        mark_checkpoint(i, stats.checkpoint.last_duration_ns);
      }
    }
    return samples;
  }

 private:
  void mark_checkpoint(std::size_t last, std::uint64_t duration_ns) {
    const std::size_t length = static_cast<std::size_t>(duration_ns / slice_ns) + 1;
    for (std::size_t i = last + 1 - std::min(last + 1, length); i <= last; ++i) {
      slices_[i].checkpoint = true;
    }
  }

  const Store& store_;
  std::uint64_t start_ns_;
  std::vector<Slice>& slices_;
};

void print_second(const Cell& cell, std::uint64_t threads, std::size_t second,
                  std::span<const Slice> slices, const Sample& sample) {
  Histogram latency;
  double checkpoint = 0;
  for (const Slice& slice : slices) {
    latency.add(slice.latency);
    checkpoint += slice.checkpoint ? 1.0 / static_cast<double>(slices.size()) : 0;
  }
  fmt::print(
      R"({{"suite":"sustained","engine":"artfs","mode":"wal","workload":"{}","keys":{},"threads":{},"run":{},"second":{},"puts":{},"log_bytes":{},"dirty_bytes":{},"cache_bytes":{},"checkpoint":{:.1f},"p50_ns":{},"p99_ns":{},"p999_ns":{},"max_ns":{}}})"
      "\n",
      cell.workload.name(), cell.workload.keys(), threads, cell.run, second, latency.total(),
      sample.log_bytes, sample.dirty_bytes, sample.cache_bytes, checkpoint,
      latency.quantile_ns(0.5), latency.quantile_ns(0.99), latency.quantile_ns(0.999),
      latency.max_ns());
}

void print_summary(const Cell& cell, std::uint64_t threads, const std::vector<Slice>& slices,
                   const std::vector<Sample>& samples) {
  Histogram during;
  Histogram without;
  for (const Slice& slice : slices) (slice.checkpoint ? during : without).add(slice.latency);
  Sample most;
  for (const Sample& sample : samples) {
    most.log_bytes = std::max(most.log_bytes, sample.log_bytes);
    most.dirty_bytes = std::max(most.dirty_bytes, sample.dirty_bytes);
  }
  const auto print = [&](std::string_view op, std::uint64_t value, std::string_view unit) {
    print_fact(cell, {.suite = "sustained",
                      .op = op,
                      .value = static_cast<double>(value),
                      .unit = unit,
                      .threads = threads});
  };
  print("puts", during.total() + without.total(), "operations");
  print("log_bytes_max", most.log_bytes, "B");
  print("dirty_bytes_max", most.dirty_bytes, "B");
  print("p50_checkpoint", during.quantile_ns(0.5), "ns");
  print("p50_quiet", without.quantile_ns(0.5), "ns");
  print("p999_checkpoint", during.quantile_ns(0.999), "ns");
  print("p999_quiet", without.quantile_ns(0.999), "ns");
  print("max_checkpoint", during.max_ns(), "ns");
  print("max_quiet", without.max_ns(), "ns");
}

std::unique_ptr<Store> open_store(const BenchOptions& options, const StoreDirectory& directory) {
  const std::string path = directory.path() + "/artfs";
  StoreOptions store_options;
  store_options.cache_bytes = options.cache_mib * mib;
  Result<std::unique_ptr<Store>> store = Store::open(path, store_options);
  if (!store) fatal("open", to_text(store.error()));
  return std::move(*store);
}

void measure_sustained(const BenchOptions& options, const Cell& cell, std::uint64_t threads) {
  const StoreDirectory directory(options, cell);
  {
    const std::unique_ptr<Engine> engine = open_artfs(engine_options(options, cell, directory));
    load_random(options, *engine, cell.workload);
  }
  const std::unique_ptr<Store> store = open_store(options, directory);
  const Result<Tree> tree = store->open_tree("bench");
  if (!tree) fatal("open_tree", to_text(tree.error()));
  const auto seconds = std::max<std::size_t>(1, static_cast<std::size_t>(options.minutes * 60));
  std::vector<Slice> slices(seconds * slices_per_second);
  std::vector<Writer> writers;
  for (std::uint64_t i = 0; i < threads; ++i)
    writers.emplace_back(options, cell.workload, *tree, i);
  const std::uint64_t start_ns = base::now_ns();
  std::vector<std::thread> team;
  for (Writer& writer : writers) {
    team.emplace_back([&] { writer.run(start_ns, slices.size()); });
  }
  const std::vector<Sample> samples = Sampler(*store, start_ns, slices).run();
  for (std::thread& member : team) member.join();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    for (const Writer& writer : writers) slices[i].latency.add(writer.slices()[i]);
  }
  for (std::size_t second = 0; second < seconds; ++second) {
    const std::size_t first = second * slices_per_second;
    print_second(cell, threads, second, std::span(slices).subspan(first, slices_per_second),
                 samples[first + slices_per_second - 1]);
  }
  print_summary(cell, threads, slices, samples);
  if (const Result<void> closed = store->close(); !closed) fatal("close", to_text(closed.error()));
}

}  // namespace

void suite_sustained(const BenchOptions& options) {
  const std::vector<EngineKind> engines = engines_of(options, "sustained");
  const std::uint64_t usual = options.quick ? quick_keys : sustained_keys;
  const std::uint64_t keys = options.sizes_given ? options.sizes.front() : usual;
  const Cell cell{.engine = engine_kinds().front(),
                  .mode = Mode::wal,
                  .workload = Workload(WorkloadKind::fs, keys),
                  .run = 1};
  const bool chosen = std::any_of(engines.begin(), engines.end(), [&](const EngineKind& engine) {
    return engine.name == cell.engine.name;
  });
  if (!chosen || !wanted(options, "sustained", cell, "put")) return;
  in_child([&] { measure_sustained(options, cell, options.threads.front()); });
}

}  // namespace artfs::bench
