// SPDX-License-Identifier: Apache-2.0
// meta_bench: what a filesystem does with names, one JSON line for each operation.
//
// usage: meta_bench --dir DIRECTORY --fs NAME [--transport NAME] [--ranks N] [--items N] [--shared]
//        meta_bench --dir DIRECTORY --fs NAME [--transport NAME] --tree FILES
//        meta_bench --dir DIRECTORY --fs NAME [--transport NAME] --latency SECONDS [--note TEXT]
//   The phases of mdtest: every rank is a process, with a directory of its own (-u) or all in one.
//   --tree: makes a tree of so many small files, 200 to a directory, and leaves it there.
//   --latency: how long single creates and fsyncs take, while another process changes files at random places.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "bench/histogram.hpp"

namespace artfs::bench {
namespace {

struct Options {
  std::string directory;
  std::string fs;
  std::string transport = "none";
  std::uint32_t items = 10'000;
  std::uint32_t ranks = 1;
  bool shared = false;
  std::uint32_t tree_files = 0;
  double latency_seconds = 0;
  std::string note;
};

std::string rank_directory(const Options& options, std::uint32_t rank) {
  return options.shared ? options.directory + "/shared"
                        : fmt::format("{}/rank-{}", options.directory, rank);
}

// Of one rank.
struct Items {
  std::string directory;
  std::uint32_t rank = 0;
  std::uint32_t count = 0;
  std::uint32_t in_directory = 0;  // with those of others

  [[nodiscard]] std::string path(std::uint32_t index) const {
    return fmt::format("{}/file.mdtest.{}.{:07}", directory, rank, index);
  }
};

[[noreturn]] void fatal(std::string_view what, const std::string& path) {
  fmt::print(stderr, "meta_bench: {} {}: {}\n", what, path, std::strerror(errno));
  std::exit(1);
}

void create_files(const Items& items) {
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);
    const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    if (!file) fatal("create", path);
  }
}

void stat_files(const Items& items) {
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);

    struct stat status {};

    if (::stat(path.c_str(), &status) != 0) fatal("stat", path);
  }
}

void open_files(const Items& items) {
  std::array<char, 16> bytes{};
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);
    const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file || ::read(file.get(), bytes.data(), bytes.size()) < 0) fatal("open and read", path);
  }
}

void read_directory(const Items& items) {
  DIR* stream = ::opendir(items.directory.c_str());
  if (stream == nullptr) fatal("opendir", items.directory);
  std::uint32_t count = 0;
  while (const dirent* entry = ::readdir(stream)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(stream);
  if (count != items.in_directory) {
    errno = EPROTO;
    fatal("readdir returned another number of entries in", items.directory);
  }
}

void unlink_files(const Items& items) {
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);
    if (::unlink(path.c_str()) != 0) fatal("unlink", path);
  }
}

void make_directories(const Items& items) {
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);
    if (::mkdir(path.c_str(), 0755) != 0) fatal("mkdir", path);
  }
}

void remove_directories(const Items& items) {
  for (std::uint32_t i = 0; i < items.count; ++i) {
    const std::string path = items.path(i);
    if (::rmdir(path.c_str()) != 0) fatal("rmdir", path);
  }
}

struct Phase {
  std::string_view op;
  void (*run)(const Items& items);
};

constexpr std::array phases = {
    Phase{"file_create", create_files},      Phase{"file_stat", stat_files},
    Phase{"file_read", open_files},          Phase{"file_readdir", read_directory},
    Phase{"file_remove", unlink_files},      Phase{"dir_create", make_directories},
    Phase{"dir_remove", remove_directories},
};

// All ranks do the phase at the same time, each a process: one address space would serialise them on
// its own locks.
double run_phase(const Options& options, const Phase& phase) {
  std::vector<pid_t> children;
  const std::uint64_t start = base::now_ns();
  for (std::uint32_t rank = 0; rank < options.ranks; ++rank) {
    const pid_t child = ::fork();
    if (child < 0) fatal("fork", "");
    if (child == 0) {
      phase.run({.directory = rank_directory(options, rank),
                 .rank = rank,
                 .count = options.items,
                 .in_directory = options.items * (options.shared ? options.ranks : 1)});
      ::_exit(0);
    }
    children.push_back(child);
  }
  bool failed = false;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    failed = failed || status != 0;
  }
  const auto seconds = static_cast<double>(base::now_ns() - start) / 1e9;
  if (failed) std::exit(1);
  return static_cast<double>(options.items) * options.ranks / seconds;
}

void print_line(const Options& options, std::string_view op, std::string_view values) {
  fmt::print(
      R"({{"suite":"mount","fs":"{}","transport":"{}","tool":"meta_bench","ranks":{},"layout":"{}","op":"{}",{}}})"
      "\n",
      options.fs, options.transport, options.ranks, options.shared ? "shared" : "unique", op,
      values);
  std::fflush(stdout);
}

void run_phases(const Options& options) {
  const std::uint32_t directories = options.shared ? 1 : options.ranks;
  for (std::uint32_t rank = 0; rank < directories; ++rank) {
    const std::string directory = rank_directory(options, rank);
    if (::mkdir(directory.c_str(), 0755) != 0) fatal("mkdir", directory);
  }
  for (const Phase& phase : phases) {
    print_line(options, phase.op, fmt::format(R"("ops_per_s":{:.0f})", run_phase(options, phase)));
  }
  for (std::uint32_t rank = 0; rank < directories; ++rank) {
    const std::string directory = rank_directory(options, rank);
    if (::rmdir(directory.c_str()) != 0) fatal("rmdir", directory);
  }
}

void make_tree(const Options& options) {
  constexpr std::uint32_t files_per_directory = 200;
  const std::uint64_t start = base::now_ns();
  for (std::uint32_t made = 0; made < options.tree_files; made += files_per_directory) {
    const std::string directory =
        fmt::format("{}/dir-{:05}", options.directory, made / files_per_directory);
    if (::mkdir(directory.c_str(), 0755) != 0) fatal("mkdir", directory);
    create_files({.directory = directory,
                  .count = std::min(files_per_directory, options.tree_files - made)});
  }
  const auto seconds = static_cast<double>(base::now_ns() - start) / 1e9;
  print_line(options, "tree_create",
             fmt::format(R"("ops_per_s":{:.0f})", options.tree_files / seconds));
}

// Touches files all over a directory, so that every checkpoint has pages to write. Never ends by itself.
[[noreturn]] void disturb(const Items& items) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::minstd_rand random(1);
  std::uniform_int_distribution<std::uint32_t> index(0, items.count - 1);
  for (;;) {
    const std::string path = items.path(index(random));
    if (::chmod(path.c_str(), 0600 | index(random) % 0100) != 0) fatal("chmod", path);
    constexpr useconds_t pause_us = 200;
    ::usleep(pause_us);
  }
}

void print_latency(const Options& options, std::string_view op, const Histogram& times) {
  const auto us = [&times](double part) {
    return static_cast<double>(times.quantile_ns(part)) / 1e3;
  };
  print_line(
      options, op,
      fmt::format(
          R"("note":"{}","count":{},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},"max_us":{:.0f})",
          options.note, times.total(), us(0.5), us(0.99), us(0.999),
          static_cast<double>(times.max_ns()) / 1e3));
}

template <typename Step>
Histogram measure(double seconds, const Step& step) {
  Histogram times;
  const std::uint64_t end = base::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  for (std::uint64_t now = base::now_ns(); now < end;) {
    step();
    const std::uint64_t after = base::now_ns();
    times.add(after - now);
    now = after;
  }
  return times;
}

void measure_latency(const Options& options) {
  const Items others{.directory = options.directory, .rank = 0, .count = options.items};
  create_files(others);
  const pid_t child = ::fork();
  if (child < 0) fatal("fork", "");
  if (child == 0) disturb(others);
  const Items own{.directory = options.directory, .rank = 1};
  std::uint32_t made = 0;
  print_latency(options, "create_latency", measure(options.latency_seconds, [&] {
                  const std::string path = own.path(made++);
                  const base::UniqueFd file(
                      ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
                  if (!file) fatal("create", path);
                }));
  const std::string path = own.path(0);
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  constexpr std::array<char, 4096> page{};
  print_latency(options, "fsync_latency", measure(options.latency_seconds, [&] {
                  if (::pwrite(file.get(), page.data(), page.size(), 0) < 0) fatal("write", path);
                  if (::fsync(file.get()) != 0) fatal("fsync", path);
                }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

int run_all(int argc, char** argv) {
  Options options;
  CLI::App app{"What a filesystem does with names, as JSON lines"};
  app.add_option("--dir", options.directory, "an existing directory on the filesystem")->required();
  app.add_option("--fs", options.fs, "its name in the output")->required();
  app.add_option("--transport", options.transport, "how FUSE requests travel")
      ->capture_default_str();
  app.add_option("--items", options.items, "files per rank")->capture_default_str();
  app.add_option("--ranks", options.ranks, "processes")->capture_default_str();
  app.add_flag("--shared", options.shared, "all ranks in one directory");
  app.add_option("--tree", options.tree_files, "make a tree of so many files");
  app.add_option("--latency", options.latency_seconds, "of creates, then of fsyncs, so long each");
  app.add_option("--note", options.note, "told in the lines of --latency");
  CLI11_PARSE(app, argc, argv);
  if (options.tree_files > 0) {
    make_tree(options);
  } else if (options.latency_seconds > 0) {
    measure_latency(options);
  } else {
    run_phases(options);
  }
  return 0;
}

}  // namespace
}  // namespace artfs::bench

int main(int argc, char** argv) {
  return artfs::bench::run_all(argc, argv);
}
