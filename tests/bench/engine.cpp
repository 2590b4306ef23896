// SPDX-License-Identifier: Apache-2.0
#include "bench/engine.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace artfs::bench {
namespace {

constexpr std::array kinds = {
    EngineKind{"artfs", open_artfs},
#ifdef ARTFS_BENCH_LMDB
    EngineKind{"lmdb", open_lmdb},       EngineKind{"lmdb_writemap", open_lmdb_writemap},
#endif
#ifdef ARTFS_BENCH_ROCKSDB
    EngineKind{"rocksdb", open_rocksdb},
#endif
#ifdef ARTFS_BENCH_SQLITE
    EngineKind{"sqlite", open_sqlite},
#endif
};

}  // namespace

std::span<const EngineKind> engine_kinds() {
  return kinds;
}

void fatal(std::string_view what, std::string_view why) {
  std::fflush(stdout);
  fmt::print(stderr, "engine_bench: {}: {}\n", what, why);
  std::fflush(stderr);
  std::_Exit(1);
}

std::uint64_t file_bytes_ending(const std::string& directory, std::string_view end) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().native().ends_with(end)) bytes += entry.file_size();
  }
  return bytes;
}

std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace artfs::bench
