// SPDX-License-Identifier: Apache-2.0
// The operations of the engine benchmark, each a step that one thread repeats.
//
// Contract:   a step leaves the set of keys as it found it, so that operations may follow each other.
//             Threads change disjoint keys (index modulo threads), so that none fails by a conflict.
//             The stream of indices depends on seed, operation and thread alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bench/engine.hpp"
#include "bench/workload.hpp"

namespace artfs::bench {

// One thread's work: its session, its stream of indices, buffers that steps reuse.
struct Worker {
  Worker(Session& used, const Workload& keys, std::uint64_t seed) noexcept
      : session(used), workload(keys), random(seed), rollups(keys.rollup_prefix()) {}

  Session& session;
  const Workload& workload;
  Random random;
  std::uint64_t thread = 0;
  std::uint64_t threads = 1;
  std::uint64_t round = 0;  // counts the steps
  std::string rollups;
  std::string key;
  std::string other;
  std::string value;
};

struct Operation {
  std::string_view name;
  void (*step)(Worker& worker);
  std::uint64_t count;  // of all threads together, in memory and wal mode
  bool writes;          // the others say nothing new in sync mode
  bool parallel;        // also measured with more than one thread
  std::uint64_t operations_per_step = 1;
};

[[nodiscard]] std::span<const Operation> operations();

}  // namespace artfs::bench
