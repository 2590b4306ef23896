// SPDX-License-Identifier: Apache-2.0
// many_files: very many files through the library: memory stays in bounds, reopening is quick, all are there.
//
// usage: many_files STORE [--files N] [--directories N] [--cache MIB]
// Makes the store. Fails when the resident size passes the cache and write buffer budgets + 128 MiB, when an
// entry is missing, or when the check finds a problem. Prints what it measured.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <string>

#include "artfs/volume.hpp"

namespace {

using namespace artfs;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string store;
  std::uint64_t files = 1'000'000;
  std::uint64_t directories = 1'000;
  std::uint64_t cache_mib = 64;
};

constexpr std::uint64_t allowance_mib = 128;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t peak_resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) / 1024;
  }
  return 0;
}

VolumeOptions volume_options(const Options& options) {
  VolumeOptions volume;
  volume.store.cache_bytes = options.cache_mib * mib;
  volume.write_buffer_bytes = 16 * mib;
  return volume;
}

Result<void> fill(Volume& volume, const Options& options) {
  const Caller caller;
  const std::string content(100, 'x');
  for (std::uint64_t d = 0; d < options.directories; ++d) {
    const Attr folder =
        ARTFS_TRY(volume.mkdir(root_ino, fmt::format("dir-{:05}", d), 0755, caller));
    for (std::uint64_t f = d; f < options.files; f += options.directories) {
      const std::string name = fmt::format("file-{:08}", f);
      const Attr file = ARTFS_TRY(volume.create(folder.ino, name, 0644, caller));
      ARTFS_TRY(volume.write(file.ino, 0, std::as_bytes(std::span(content)), caller));
      volume.release(file.ino);
    }
  }
  return {};
}

Result<std::uint64_t> count_entries(Volume& volume, Ino directory, std::uint64_t depth) {
  const std::unique_ptr<DirStream> stream = ARTFS_TRY(volume.open_dir(directory));
  std::uint64_t entries = 0;
  while (const DirEntry* entry = ARTFS_TRY(stream->next())) {
    if (entry->name == "." || entry->name == "..") continue;
    ++entries;
    if (depth > 0) entries += ARTFS_TRY(count_entries(volume, entry->ino, depth - 1));
  }
  return entries;
}

Result<bool> run(const Options& options) {
  ARTFS_TRY(Volume::format(options.store, {}));
  auto start = Clock::now();
  std::unique_ptr<Volume> volume = ARTFS_TRY(Volume::open(options.store, volume_options(options)));
  ARTFS_TRY(fill(*volume, options));
  fmt::print("{} files created in {:.1f} s\n", options.files, seconds_since(start));
  start = Clock::now();
  ARTFS_TRY(volume->close());
  volume.reset();
  fmt::print("closed in {:.2f} s\n", seconds_since(start));
  start = Clock::now();
  volume = ARTFS_TRY(Volume::open(options.store, volume_options(options)));
  fmt::print("reopened in {:.3f} s\n", seconds_since(start));
  start = Clock::now();
  const std::uint64_t entries = ARTFS_TRY(count_entries(*volume, root_ino, 1));
  fmt::print("{} entries listed in {:.2f} s\n", entries, seconds_since(start));
  const std::uint64_t limit = options.cache_mib + allowance_mib;
  const std::uint64_t peak = peak_resident_mib();
  fmt::print("peak resident size {} MiB, limit {} MiB\n", peak, limit);
  start = Clock::now();
  const CheckReport report = ARTFS_TRY(volume->check());
  fmt::print("checked in {:.1f} s, {} problems\n", seconds_since(start), report.problems.size());
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  ARTFS_TRY(volume->close());
  return entries == options.files + options.directories && peak < limit && report.problems.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Very many files through the library.");
  app.add_option("STORE", options.store)->required();
  app.add_option("--files", options.files);
  app.add_option("--directories", options.directories);
  app.add_option("--cache", options.cache_mib);
  CLI11_PARSE(app, argc, argv);
  const Result<bool> good = run(options);
  if (!good) fmt::print(stderr, "many_files: {}\n", to_text(good.error()));
  return good && *good ? 0 : 1;
}
