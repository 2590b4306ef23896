// SPDX-License-Identifier: Apache-2.0
// meta_bench: create, stat, readdir and unlink per second of a directory, one JSON line each.
//
// usage: meta_bench --dir DIRECTORY --fs NAME [--items N] [--ranks N] [--transport NAME]
// As mdtest does with -u: every rank is a process with a directory of its own.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"

namespace artfs::bench {
namespace {

struct Options {
  std::string directory;
  std::string fs;
  std::string transport = "none";
  std::uint32_t items = 10'000;
  std::uint32_t ranks = 1;
};

std::string item_name(const std::string& directory, std::uint32_t index) {
  return fmt::format("{}/file.mdtest.{:07}", directory, index);
}

std::string rank_directory(const Options& options, std::uint32_t rank) {
  return fmt::format("{}/rank-{}", options.directory, rank);
}

[[noreturn]] void fatal(std::string_view what, const std::string& path) {
  fmt::print(stderr, "meta_bench: {} {}: {}\n", what, path, std::strerror(errno));
  std::exit(1);
}

void create_files(const Options& options, const std::string& directory) {
  for (std::uint32_t i = 0; i < options.items; ++i) {
    const std::string path = item_name(directory, i);
    const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    if (!file) fatal("create", path);
  }
}

void stat_files(const Options& options, const std::string& directory) {
  for (std::uint32_t i = 0; i < options.items; ++i) {
    const std::string path = item_name(directory, i);

    struct stat status {};

    if (::stat(path.c_str(), &status) != 0) fatal("stat", path);
  }
}

void read_directory(const Options& options, const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) fatal("opendir", directory);
  std::uint32_t count = 0;
  while (const dirent* entry = ::readdir(stream)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(stream);
  if (count != options.items) {
    errno = EPROTO;
    fatal("readdir returned another number of entries in", directory);
  }
}

void unlink_files(const Options& options, const std::string& directory) {
  for (std::uint32_t i = 0; i < options.items; ++i) {
    const std::string path = item_name(directory, i);
    if (::unlink(path.c_str()) != 0) fatal("unlink", path);
  }
}

void make_directories(const Options& options, const std::string& directory) {
  for (std::uint32_t i = 0; i < options.items; ++i) {
    const std::string path = item_name(directory, i);
    if (::mkdir(path.c_str(), 0755) != 0) fatal("mkdir", path);
  }
}

void remove_directories(const Options& options, const std::string& directory) {
  for (std::uint32_t i = 0; i < options.items; ++i) {
    const std::string path = item_name(directory, i);
    if (::rmdir(path.c_str()) != 0) fatal("rmdir", path);
  }
}

struct Phase {
  std::string_view op;
  void (*run)(const Options& options, const std::string& directory);
};

constexpr std::array phases = {
    Phase{"file_create", create_files},    Phase{"file_stat", stat_files},
    Phase{"file_readdir", read_directory}, Phase{"file_remove", unlink_files},
    Phase{"dir_create", make_directories}, Phase{"dir_remove", remove_directories},
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
      phase.run(options, rank_directory(options, rank));
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

int run_all(int argc, char** argv) {
  Options options;
  CLI::App app{"Metadata operations per second of a directory, as JSON lines"};
  app.add_option("--dir", options.directory, "an existing directory on the filesystem")->required();
  app.add_option("--fs", options.fs, "its name in the output")->required();
  app.add_option("--transport", options.transport, "how FUSE requests travel")
      ->capture_default_str();
  app.add_option("--items", options.items, "files per rank")->capture_default_str();
  app.add_option("--ranks", options.ranks, "processes")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (std::uint32_t rank = 0; rank < options.ranks; ++rank) {
    const std::string directory = rank_directory(options, rank);
    if (::mkdir(directory.c_str(), 0755) != 0) fatal("mkdir", directory);
  }
  for (const Phase& phase : phases) {
    fmt::print(
        R"({{"suite":"mount","fs":"{}","transport":"{}","tool":"meta_bench","ranks":{},"layout":"unique","op":"{}","ops_per_s":{:.0f}}})"
        "\n",
        options.fs, options.transport, options.ranks, phase.op, run_phase(options, phase));
    std::fflush(stdout);
  }
  for (std::uint32_t rank = 0; rank < options.ranks; ++rank) {
    const std::string directory = rank_directory(options, rank);
    if (::rmdir(directory.c_str()) != 0) fatal("rmdir", directory);
  }
  return 0;
}

}  // namespace
}  // namespace artfs::bench

int main(int argc, char** argv) {
  return artfs::bench::run_all(argc, argv);
}
