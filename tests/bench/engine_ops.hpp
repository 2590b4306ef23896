// SPDX-License-Identifier: Apache-2.0
// The operations of the engine benchmark: one function each, run `count` times by one thread.
//
// Contract:   a run leaves the set of keys as it found it, so that operations may follow each other.
//             Threads change disjoint keys (index modulo threads), so that none fails by a conflict.
// Errors:     the first error ends the run: the speed of a failing engine means nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "artfs/result.hpp"
#include "artfs/store.hpp"

namespace artfs::bench {

struct Job {
  Tree tree;
  std::uint64_t keys = 0;
  std::uint64_t count = 0;  // operations of this thread
  std::uint64_t seed = 0;
  std::uint64_t thread = 0;
  std::uint64_t threads = 1;
};

struct Operation {
  std::string_view name;
  Result<void> (*run)(const Job& job);
  bool writes;          // not run in `sync` mode otherwise
  std::uint64_t count;  // all threads together, in memory and wal mode
};

[[nodiscard]] std::span<const Operation> operations();

// Puts every key once, in random order.
[[nodiscard]] Result<void> load(const Job& job);

}  // namespace artfs::bench
