// SPDX-License-Identifier: Apache-2.0
// Space: which units of blocks.dat are free, promised, in use, or waiting for a transaction.
//
// Contract:   a unit is: free; taken (allocated, its transaction not committed yet); used (a committed
//             extent names it); or quarantined (freed, the freeing transaction not durable yet). The
//             space tree records free + taken + quarantined as free runs, in the same transactions that
//             change extents, so that after a crash tree and extents agree whatever was in flight.
//             reserve() promises space; allocate() turns promises into units and cannot fail within
//             them, because FreeMap's usable units bound the promises.
// Threading:  any thread. commit() and growth hold the turn lock across Store::commit: the runs that
//             one transaction writes are those that the one before it left. With Durability::strict
//             that includes the log sync.
// Errors:     no_space from reserve when blocks.dat cannot grow and nothing waits for durability.
// Invariants: FRESH; S1: units total = free + taken + used + quarantined; S2: reserved <= usable.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "artfs/store.hpp"

#include "base/mutex.hpp"
#include "data/block_file.hpp"
#include "data/change.hpp"
#include "data/free_map.hpp"

namespace artfs::data {

struct SpaceOptions {
  std::uint32_t block_bytes = 0;
  std::uint64_t growth_step_bytes = 0;
  std::uint64_t headroom_bytes_max = 0;
  bool read_only = false;
};

struct SpaceUse {
  std::uint64_t used = 0;
  std::uint64_t free = 0;  // growth and quarantine included, promises not
  std::uint64_t reserved = 0;
};

class Space {
 public:
  Space(Store& store, Tree tree, BlockFile& file, const SpaceOptions& options);

  // Reads the free runs. record_corrupt when they overlap or leave the file.
  [[nodiscard]] Result<void> load();
  [[nodiscard]] Result<void> for_each_run(const std::function<void(UnitRun)>& visit) const;
  [[nodiscard]] std::uint64_t total_units() const;

  [[nodiscard]] Result<void> reserve(std::uint64_t units) ARTFS_EXCLUDES(turn_, mutex_);
  void unreserve(std::uint64_t units) noexcept ARTFS_EXCLUDES(mutex_);

  // A place for each of `sizes` (units, at most one block each), neighbours together where it goes;
  // gives up `reserved` promised units for them. On failure nothing happened.
  [[nodiscard]] Result<std::vector<UnitRun>> allocate(std::span<const std::uint32_t> sizes,
                                                      std::uint64_t reserved)
      ARTFS_EXCLUDES(mutex_);
  // Undoes allocate: the units were never named by a transaction.
  void give_back(std::span<const UnitRun> places, std::uint64_t reserved) noexcept
      ARTFS_EXCLUDES(mutex_);

  [[nodiscard]] Result<Version> commit(Change& change) ARTFS_EXCLUDES(turn_, mutex_);

  [[nodiscard]] SpaceUse use() const ARTFS_EXCLUDES(mutex_);

 private:
  struct Quarantined {
    Version version;
    std::vector<UnitRun> runs;
  };

  bool try_reserve(std::uint64_t units) ARTFS_EXCLUDES(mutex_);
  void release_durable() ARTFS_REQUIRES(mutex_);
  [[nodiscard]] Result<bool> grow(std::uint64_t units) ARTFS_EXCLUDES(turn_, mutex_);
  [[nodiscard]] std::uint64_t growable_units() const;
  void record_free(UnitRun run, std::set<std::uint64_t>& touched) ARTFS_REQUIRES(turn_);
  void record_used(UnitRun run, std::set<std::uint64_t>& touched) ARTFS_REQUIRES(turn_);
  void write_touched(const std::set<std::uint64_t>& touched, Txn& txn) ARTFS_REQUIRES(turn_);

  Store& store_;
  const Tree tree_;
  BlockFile& file_;
  const SpaceOptions options_;
  const std::uint64_t block_units_;

  base::Mutex turn_{base::Rank::space};
  FreeMap recorded_ ARTFS_GUARDED_BY(turn_);  // exactly the space tree

  mutable base::Mutex mutex_{base::Rank::leaf};
  FreeMap free_ ARTFS_GUARDED_BY(mutex_);
  std::uint64_t reserved_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t quarantined_units_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::deque<Quarantined> quarantine_ ARTFS_GUARDED_BY(mutex_);  // versions ascending
};

}  // namespace artfs::data
