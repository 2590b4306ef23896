// SPDX-License-Identifier: Apache-2.0
// many_files: very many files through the library: memory stays in bounds, reopening is quick, all are there.
//
// usage: many_files STORE [--files N] [--directories N] [--cache MIB] [--lookups N]
// Makes the store. Fails when the resident size passes the cache and write buffer budgets + 128 MiB, when an
// entry is missing, or when the check finds a problem. Prints what it measured.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include "artfs/volume.hpp"

namespace {

using namespace artfs;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string store;
  std::uint64_t files = 1'000'000;
  std::uint64_t directories = 1'000;
  std::uint64_t cache_mib = 64;
  std::uint64_t lookups = 100'000;
};

constexpr std::uint64_t allowance_mib = 128;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t resident_mib(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoull(line.substr(field.size())) / 1024;
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

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// As READDIRPLUS does: two dozen entries a request, each with its attributes, read by one look-up each or ahead.
Result<bool> list_with_attributes(Volume& volume, bool is_ahead) {
  constexpr int entries_per_request = 24;
  const double start = cpu_seconds();
  std::uint64_t entries = 0;
  std::uint64_t missing = 0;
  const std::unique_ptr<DirStream> top = ARTFS_TRY(volume.open_dir(root_ino));
  while (const DirEntry* folder = ARTFS_TRY(top->next())) {
    const std::unique_ptr<DirStream> stream = ARTFS_TRY(volume.open_dir(folder->ino));
    for (int i = 0;; ++i) {
      if (i % entries_per_request == 0) stream->forget_attributes();
      const DirEntry* const entry =
          is_ahead ? ARTFS_TRY(stream->next_with_attributes()) : ARTFS_TRY(stream->next());
      if (entry == nullptr) break;
      ++entries;
      const bool is_dot = entry->name == "." || entry->name == "..";
      const bool has_attributes =
          is_ahead ? stream->attributes() != nullptr : volume.getattr(entry->ino).has_value();
      missing += has_attributes || is_dot ? 0 : 1;
    }
  }
  fmt::print("{} entries listed with attributes read {}: {:.0f} ns of processor time each\n",
             entries, is_ahead ? "ahead" : "one by one",
             (cpu_seconds() - start) * 1e9 / static_cast<double>(entries));
  return missing == 0;
}

// Twice: from the device, then with what the cache holds of it.
Result<bool> walk(Volume& volume, std::uint64_t wanted) {
  for (const char* state : {"cold", "warm"}) {
    const auto start = Clock::now();
    const double start_cpu = cpu_seconds();
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    ARTFS_TRY(volume.walk(root_ino, {}, [&](const WalkEntry& entry) {
      if (entry.depth > 0 && !entry.error) ++entries;
      bytes += entry.attr.size;
      return true;
    }));
    const double cpu_s = cpu_seconds() - start_cpu;
    fmt::print("{} entries, {} bytes walked {} in {:.2f} s, {:.0f} ns of processor time each\n",
               entries, bytes, state, seconds_since(start),
               cpu_s * 1e9 / static_cast<double>(std::max<std::uint64_t>(entries, 1)));
    if (entries != wanted) return false;
  }
  return true;
}

// Of files there are and, every other time, of one there is not; each is looked at and forgotten, as by a kernel.
Result<void> look_up(Volume& volume, const Options& options, std::uint64_t count) {
  std::mt19937_64 random(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t file = random() % options.files;
    const std::string folder = fmt::format("dir-{:05}", file % options.directories);
    const Attr dir = ARTFS_TRY(volume.lookup(root_ino, folder));
    const bool exists = i % 2 == 0;
    const Result<Attr> found =
        volume.lookup(dir.ino, fmt::format("{}-{:08}", exists ? "file" : "none", file));
    if (found.has_value() != exists) return fail(Errc::entry_not_found, file);
    if (found) volume.forget(found->ino);
  }
  return {};
}

// What a volume keeps may not grow with the names it was ever asked for.
Result<bool> look_up_many(Volume& volume, const Options& options) {
  constexpr std::uint64_t growth_max_mib = 64;
  ARTFS_TRY(look_up(volume, options, options.lookups / 10 + 1));  // fills the cache
  const std::uint64_t before = resident_mib("VmRSS:");
  ARTFS_TRY(look_up(volume, options, options.lookups));
  const std::uint64_t after = resident_mib("VmRSS:");
  fmt::print("{} look-ups: resident size {} -> {} MiB\n", options.lookups, before, after);
  return after < before + growth_max_mib;
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
  const bool is_walked = ARTFS_TRY(walk(*volume, options.files + options.directories));
  const bool is_listed = ARTFS_TRY(list_with_attributes(*volume, false)) &&
                         ARTFS_TRY(list_with_attributes(*volume, true));
  const bool is_bounded = ARTFS_TRY(look_up_many(*volume, options));
  const std::uint64_t limit = options.cache_mib + allowance_mib;
  const std::uint64_t peak = resident_mib("VmHWM:");
  fmt::print("peak resident size {} MiB, limit {} MiB\n", peak, limit);
  start = Clock::now();
  const CheckReport report = ARTFS_TRY(volume->check());
  fmt::print("checked in {:.1f} s, {} problems\n", seconds_since(start), report.problems.size());
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  ARTFS_TRY(volume->close());
  return entries == options.files + options.directories && is_walked && is_listed && is_bounded &&
         peak < limit && report.problems.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Very many files through the library.");
  app.add_option("STORE", options.store)->required();
  app.add_option("--files", options.files);
  app.add_option("--directories", options.directories);
  app.add_option("--cache", options.cache_mib);
  app.add_option("--lookups", options.lookups);
  CLI11_PARSE(app, argc, argv);
  const Result<bool> good = run(options);
  if (!good) fmt::print(stderr, "many_files: {}\n", to_text(good.error()));
  return good && *good ? 0 : 1;
}
