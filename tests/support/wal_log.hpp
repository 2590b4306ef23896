// SPDX-License-Identifier: Apache-2.0
// Helpers of the log's tests: open with a list of what was replayed, append and check.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "io/memory_directory.hpp"
#include "wal/log.hpp"

namespace artfs::test {

inline constexpr std::array<std::byte, 16> log_uuid{std::byte{0xa1}, std::byte{0xb2}};
inline constexpr std::size_t small_segment_bytes = 64 * kib;
inline constexpr Lsn log_first{0};

struct LogEntry {
  Lsn lsn;
  std::string payload;

  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

struct OpenLog {
  std::unique_ptr<wal::Log> log;
  std::vector<LogEntry> replayed;
};

inline Result<OpenLog> open_log(io::Directory& directory, Lsn from,
                                const wal::LogOptions& options = {}) {
  OpenLog opened;
  auto log =
      wal::Log::open(directory, log_uuid, from, options,
                     [&](Lsn lsn, Lsn, std::span<const std::byte> payload) -> Result<void> {
                       opened.replayed.push_back({lsn, std::string(base::as_chars(payload))});
                       return {};
                     });
  if (!log) return fail(log.error());
  opened.log = std::move(*log);
  return opened;
}

// Nothing happens by itself: neither writes nor syncs of the background thread.
inline wal::LogOptions quiet_options() {
  wal::LogOptions options;
  options.commit_interval = std::chrono::hours(1);
  options.write_interval = std::chrono::hours(1);
  return options;
}

inline Result<wal::Appended> try_append(wal::Log& log, const std::string& payload) {
  auto reserve = ARTFS_TRY(log.reserve(payload.size()));
  return log.append(std::move(reserve), base::as_bytes(payload));
}

inline wal::Appended append(wal::Log& log, const std::string& payload) {
  const auto appended = try_append(log, payload);
  REQUIRE(appended);
  return *appended;
}

inline std::string random_payload(std::mt19937_64& random, std::size_t bytes_max) {
  std::string payload(1 + random() % bytes_max, '\0');
  for (char& c : payload) c = static_cast<char>(random());
  return payload;
}

}  // namespace artfs::test
