// SPDX-License-Identifier: Apache-2.0
// large_directory: one directory of very many entries through the library.
//
// usage: large_directory STORE [--entries N] [--cache MIB]
// Makes the store. Fails when listing takes memory that grows with the directory, when a seek reads more of it
// than a few descents do, when a seek to an entry that is gone, in a stream or after a reopen, does not
// go on with what followed it, when an entry is missing or comes twice, or when renaming the directory costs
// more than renaming one of ten entries. Prints what it measured.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "artfs/store.hpp"
#include "artfs/volume.hpp"

namespace {

using namespace artfs;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string store;
  std::uint64_t entries = 10'000'000;
  std::uint64_t cache_mib = 64;
};

// A position, and what follows it.
struct Mark {
  std::int64_t offset = 0;
  std::string name;  // of the entry there
  std::uint64_t next = 0;
};

constexpr std::uint64_t marks_wanted = 1000;
constexpr std::uint64_t small_growth_kib = 8 * 1024;
// Two or three frames lead to an entry; a frame is read in pages of 4 KiB where a look-up needs no more.
constexpr std::uint64_t seek_bytes_max = 4 * 512 * 1024;

class Timer {
 public:
  [[nodiscard]] double wall_s() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

  [[nodiscard]] double cpu_s() const { return cpu_now() - cpu_start_; }

 private:
  static double cpu_now() {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  }

  Clock::time_point start_ = Clock::now();
  double cpu_start_ = cpu_now();
};

std::uint64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

bool good = true;

void expect(bool condition, std::string_view what) {
  if (condition) return;
  fmt::print("FAIL: {}\n", what);
  good = false;
}

VolumeOptions volume_options(const Options& options) {
  VolumeOptions volume;
  volume.store.cache_bytes = options.cache_mib * mib;
  volume.write_buffer_bytes = 16 * mib;
  return volume;
}

Result<void> fill(Volume& volume, Ino directory, std::uint64_t entries) {
  const Timer timer;
  const std::uint64_t log_before = volume.stats().store.log.appended_bytes;
  for (std::uint64_t i = 0; i < entries; ++i) {
    ARTFS_TRY(volume.mknod(directory, fmt::format("file-{:08}", i), 0100644, 0, {}));
  }
  const auto each = static_cast<double>(entries);
  fmt::print("{} entries made in {:.1f} s, {:.2f} us of CPU and {:.0f} bytes of log each\n",
             entries, timer.wall_s(), timer.cpu_s() / each * 1e6,
             static_cast<double>(volume.stats().store.log.appended_bytes - log_before) / each);
  return {};
}

// Once through; remembers some positions.
Result<std::vector<Mark>> list(Volume& volume, Ino directory, const Options& options) {
  const Timer timer;
  std::vector<Mark> marks;
  const std::uint64_t step = std::max<std::uint64_t>(1, options.entries / marks_wanted);
  const auto stream = ARTFS_TRY(volume.open_dir(directory));
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t rss_early = 0;
  bool open = false;
  while (const DirEntry* entry = ARTFS_TRY(stream->next())) {
    if (entry->name == "." || entry->name == "..") continue;
    if (open) marks.back().next = entry->ino.raw;
    open = count % step == step / 2;
    if (open) marks.push_back({entry->offset, std::string(entry->name), 0});
    sum += std::stoull(std::string(entry->name.substr(5)));
    // The cache of metadata may go on filling up to its budget.
    if (++count == options.entries / 2) rss_early = resident_kib();
  }
  const std::uint64_t grown = resident_kib() - std::min(resident_kib(), rss_early);
  fmt::print("{} entries listed in {:.2f} s, {:.2f} us each; {} KiB more in the second half\n",
             count, timer.wall_s(), timer.wall_s() / static_cast<double>(count) * 1e6, grown);
  expect(count == options.entries, "every entry is listed");
  expect(sum == options.entries * (options.entries - 1) / 2, "each of them once");
  expect(grown < std::max(small_growth_kib, options.cache_mib * 1024),
         "listing takes no memory that grows with the directory");
  if (!marks.empty() && marks.back().next == 0) marks.pop_back();
  return marks;
}

// Each seek by a stream that has seen nothing, in random order.
Result<void> seek_all(Volume& volume, Ino directory, std::vector<Mark> marks,
                      std::string_view what) {
  std::shuffle(marks.begin(), marks.end(), std::mt19937_64(7));
  const Timer timer;
  const std::uint64_t read_before = volume.stats().store.cache.read_bytes;
  std::uint64_t wrong = 0;
  for (const Mark& mark : marks) {
    const auto stream = ARTFS_TRY(volume.open_dir(directory));
    ARTFS_TRY(stream->seek(mark.offset));
    const DirEntry* entry = ARTFS_TRY(stream->next());
    if (entry == nullptr || entry->ino.raw != mark.next) ++wrong;
  }
  const double count = static_cast<double>(std::max<std::size_t>(1, marks.size()));
  const double bytes =
      static_cast<double>(volume.stats().store.cache.read_bytes - read_before) / count;
  fmt::print("{}: {} seeks, {:.1f} us and {:.0f} KiB read from the device each\n", what,
             marks.size(), timer.wall_s() / count * 1e6, bytes / 1024);
  expect(wrong == 0, fmt::format("{}: {} seeks went elsewhere", what, wrong));
  expect(bytes < static_cast<double>(seek_bytes_max), "a seek reads a few frames at most");
  return {};
}

struct Cost {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const Cost&, const Cost&) = default;
};

Result<Cost> rename_cost(Volume& volume, std::string_view from, std::string_view to) {
  const LogStats before = volume.stats().store.log;
  ARTFS_TRY(volume.rename({root_ino, from}, {root_ino, to}, {}));
  const LogStats after = volume.stats().store.log;
  return Cost{after.appends - before.appends, after.appended_bytes - before.appended_bytes};
}

Result<void> run(const Options& options) {
  ARTFS_TRY(Volume::format(options.store, {}));
  auto volume = ARTFS_TRY(Volume::open(options.store, volume_options(options)));
  const Ino directory = ARTFS_TRY(volume->mkdir(root_ino, "large", 0755, {})).ino;
  const Ino small = ARTFS_TRY(volume->mkdir(root_ino, "small", 0755, {})).ino;
  ARTFS_TRY(fill(*volume, directory, options.entries));
  for (int i = 0; i < 10; ++i) {
    ARTFS_TRY(volume->mknod(small, std::to_string(i), 0100644, 0, {}));
  }
  const Cost of_large = ARTFS_TRY(rename_cost(*volume, "large", "grown"));
  const Cost of_small = ARTFS_TRY(rename_cost(*volume, "small", "tiny."));
  fmt::print("renamed: {} records, {} bytes of log; with ten entries {}, {}\n", of_large.records,
             of_large.bytes, of_small.records, of_small.bytes);
  expect(of_large == of_small, "renaming costs the same for ten entries and for all of them");

  ARTFS_TRY(volume->close());
  volume = ARTFS_TRY(Volume::open(options.store, volume_options(options)));
  const std::vector<Mark> marks = ARTFS_TRY(list(*volume, directory, options));
  ARTFS_TRY(seek_all(*volume, directory, marks, "entries that are there"));
  for (const Mark& mark : marks) ARTFS_TRY(volume->unlink(directory, mark.name));
  ARTFS_TRY(seek_all(*volume, directory, marks, "entries that are gone"));
  ARTFS_TRY(volume->close());
  volume = ARTFS_TRY(Volume::open(options.store, volume_options(options)));
  ARTFS_TRY(seek_all(*volume, directory, marks, "after a reopen"));
  const StatFs figures = ARTFS_TRY(volume->statfs());
  expect(figures.inodes_used == options.entries - marks.size() + 3 + 10, "inodes in use");
  return volume->close();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("One directory of very many entries through the library.");
  app.add_option("STORE", options.store)->required();
  app.add_option("--entries", options.entries);
  app.add_option("--cache", options.cache_mib);
  CLI11_PARSE(app, argc, argv);
  const Result<void> done = run(options);
  if (!done) fmt::print(stderr, "large_directory: {}\n", to_text(done.error()));
  return done && good ? 0 : 1;
}
