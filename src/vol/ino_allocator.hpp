// SPDX-License-Identifier: Apache-2.0
// InoAllocator: inode numbers in runs per directory, never reused.
//
// Contract:   the children of one directory get numbers from runs of 64, so that their records are
//             neighbours. Numbers are reserved before use by advancing the persistent counter by a
//             chunk; reserve_ahead makes the reservation durable, at open and again before it is used
//             up, so that not even a crash that loses the last files lets a number come back. If it
//             was not called in time, the reservation precedes its use in the log, which still keeps
//             numbers apart that anything durable knows.
// Threading:  any thread. Rank::ino_allocator; allocate commits a transaction when a chunk is used up,
//             reserve_ahead waits for a device sync with nothing locked.
// Cost:       O(1); the table of runs is bounded, a forgotten run wastes up to 63 numbers of 2^64.
// Errors:     those of Store::commit; nothing is handed out then.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "artfs/result.hpp"
#include "artfs/store.hpp"
#include "artfs/types.hpp"

#include "base/mutex.hpp"

namespace artfs::vol {

class InoAllocator {
 public:
  static constexpr std::uint64_t run_length = 64;
  static constexpr std::uint64_t chunk_runs = 1 << 20;  // 2^26 numbers per open, of 2^64
  static constexpr std::uint64_t first_number = 64;     // below: root and reserved

  InoAllocator(Store& store, Tree tree, std::size_t counter) noexcept;

  // A number for a new child of `directory`.
  [[nodiscard]] Result<Ino> allocate(Ino directory) ARTFS_EXCLUDES(mutex_);
  // Above every number that allocate() returned so far; runs begun already may still give lower ones.
  [[nodiscard]] std::uint64_t bound() const ARTFS_EXCLUDES(mutex_);
  // Keeps at least half a chunk durably reserved.
  [[nodiscard]] Result<void> reserve_ahead() ARTFS_EXCLUDES(mutex_);

 private:
  struct Run {
    std::uint64_t next = 0;
    std::uint64_t end = 0;
  };

  static constexpr std::size_t runs_max = 65536;

  static constexpr std::uint64_t chunk = run_length * chunk_runs;

  Result<Run> new_run() ARTFS_REQUIRES(mutex_);
  // Sets the next chunk aside; the version of the transaction that says so.
  Result<Version> reserve(Run& out) ARTFS_REQUIRES(mutex_);

  Store& store_;
  Tree tree_;
  std::size_t counter_;
  mutable base::Mutex mutex_{base::Rank::ino_allocator};
  Run reserved_ ARTFS_GUARDED_BY(mutex_);  // not yet given to a directory
  Run ahead_ ARTFS_GUARDED_BY(mutex_);     // durable, follows when reserved_ is used up
  std::unordered_map<std::uint64_t, Run> runs_ ARTFS_GUARDED_BY(mutex_);
};

}  // namespace artfs::vol
