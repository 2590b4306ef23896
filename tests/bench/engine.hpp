// SPDX-License-Identifier: Apache-2.0
// Engine: the little that every key-value engine of the benchmark can do; Session: one thread's use of it.
//
// Contract:   keys and values of one call are the same bytes for every engine, and so is what a mode
//             promises: `memory` survives nothing, `wal` survives a killed process (artfs: but for the
//             last 10 ms), `sync` survives a power cut. A call that an engine cannot do in one piece is
//             done the way its manual recommends, in a transaction only where it needs one.
// Threading:  Engine: any thread. Session: the thread that uses it first.
// Errors:     none are returned: the speed of a failing engine means nothing, so it ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "artfs/types.hpp"

namespace artfs::bench {

enum class Mode : std::uint8_t { memory, wal, sync };

struct EngineOptions {
  std::string directory;  // exists; on a memory filesystem in memory mode
  Mode mode = Mode::wal;
  std::uint64_t cache_bytes = 256 * mib;
  bool keep_log = false;  // let the log grow to hundreds of MiB before it is folded home
};

struct Pair {
  std::string key;
  std::string value;
};

class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  // False: no such key; `value` is a buffer to be reused.
  [[nodiscard]] virtual bool get(std::string_view key, std::string& value) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  // Of a key that is absent; engines that can refuse an existing one do.
  virtual void create(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  virtual void rename(std::string_view from, std::string_view to) = 0;
  // Keys and values below `prefix` and above `after`, at most `limit`; returns how many.
  virtual std::size_t list(std::string_view prefix, std::string_view after, std::size_t limit) = 0;
  // Distinct names directly below `prefix`, at most `limit` (0: all), each found by one seek past the
  // one before it; returns how many.
  virtual std::size_t list_dir(std::string_view prefix, std::size_t limit) = 0;
  // The same by reading every key below `prefix`: what a caller pays who knows no better.
  virtual std::size_t list_dir_naive(std::string_view prefix) = 0;
};

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;  // closes

  [[nodiscard]] virtual std::unique_ptr<Session> session() = 0;
  // Puts absent keys in the order given; the order is random. One transaction where that is faster.
  virtual void load(std::span<const Pair> batch) = 0;
  // Puts absent keys in ascending order into an empty store.
  virtual void load_sorted(std::span<const Pair> pairs) = 0;
  // Moves everything below one prefix to another, atomically.
  virtual void move_prefix(std::string_view from, std::string_view to) = 0;
  // On return everything acknowledged is on disk.
  virtual void sync() = 0;
  // On return nothing is left to do in the background: log folded home, levels compacted.
  virtual void settle() = 0;

  // Log that an open after a kill would have to replay now.
  [[nodiscard]] virtual std::uint64_t log_bytes() { return 0; }

  // Live bytes of the bytes its pages could hold, where that can be told.
  [[nodiscard]] virtual std::optional<double> fill() { return std::nullopt; }
};

struct EngineKind {
  std::string_view name;
  // Opens what is in the directory, or makes an empty store there.
  std::unique_ptr<Engine> (*open)(const EngineOptions& options);
};

// artfs first, then the peers this program was built with.
[[nodiscard]] std::span<const EngineKind> engine_kinds();

std::unique_ptr<Engine> open_artfs(const EngineOptions& options);
std::unique_ptr<Engine> open_lmdb(const EngineOptions& options);
std::unique_ptr<Engine> open_lmdb_writemap(const EngineOptions& options);
std::unique_ptr<Engine> open_rocksdb(const EngineOptions& options);
std::unique_ptr<Engine> open_sqlite(const EngineOptions& options);

[[noreturn]] void fatal(std::string_view what, std::string_view why);

inline void require(bool condition, std::string_view what, std::string_view why = "failed") {
  if (!condition) fatal(what, why);
}

// The result of a read is used, so that the compiler cannot leave the read out.
template <typename T>
void keep(const T& value) {
  __asm__ __volatile__("" : : "r"(&value) : "memory");
}

// Size of the files in a directory whose names end so.
[[nodiscard]] std::uint64_t file_bytes_ending(const std::string& directory, std::string_view end);

// The first key behind everything that starts with `prefix`; empty: there is none.
[[nodiscard]] std::string after_prefix(std::string_view prefix);

}  // namespace artfs::bench
