// SPDX-License-Identifier: Apache-2.0
// Space: which units of blocks.dat are free, promised, in use, or waiting for a transaction; and how
// many references each block in use has.
//
// Contract:   a unit is: free; taken (allocated, its transaction not committed yet); used (a committed
//             extent names it); or quarantined (freed, the freeing transaction not durable yet). The
//             space tree records free + taken + quarantined as free runs, in the same transactions that
//             change extents, so that after a crash tree and extents agree whatever was in flight.
//             reserve() promises space; allocate() turns promises into units and cannot fail within
//             them, because FreeMap's usable units bound the promises. commit() moves references: the
//             first one of a block makes its units used, the last one frees them. A flush may count on
//             blocks that others wrote or named (block_holds.hpp): hold them first, release them last.
// Threading:  any thread. commit() and growth hold the turn lock across Store::commit: the runs that
//             one transaction writes are those that the one before it left. With Durability::strict
//             that includes the log sync.
//             look_up and release never block; await blocks for a device write.
// Errors:     no_space from reserve when blocks.dat cannot grow and nothing waits for durability;
//             record_corrupt (detail: first unit) from commit when a reference is given up that nobody
//             holds: extents contradict free space or the block index, and nothing is changed.
// Invariants: FRESH; S1: units total = free + taken + used + quarantined; S2: reserved <= usable.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "artfs/store.hpp"

#include "base/mutex.hpp"
#include "data/block_file.hpp"
#include "data/block_holds.hpp"
#include "data/block_index.hpp"
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
  Space(Store& store, Tree tree, BlockFile& file, const BlockIndex& index,
        const SpaceOptions& options);

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

  // Content that running flushes store. None: the caller has claimed it, and offers or withdraws it.
  // When it is written already, the caller has a hold on it.
  [[nodiscard]] std::optional<BlockHolds::Pending> claim(const base::Hash128& hash)
      ARTFS_EXCLUDES(mutex_);
  void withdraw(const base::Hash128& hash) noexcept ARTFS_EXCLUDES(mutex_);
  // Claimed content stands in `block`, which the caller holds from now on.
  void offer(const StoredBlock& block, std::uint64_t write_ticket) ARTFS_EXCLUDES(mutex_);
  // Returns once nobody else is writing this content. The caller must have no claim.
  void await(const base::Hash128& hash) ARTFS_EXCLUDES(mutex_);
  // The units stay as they are until release(). What stands there must be looked up again after it.
  void hold(const StoredBlock& block) ARTFS_EXCLUDES(mutex_);
  void release(const StoredBlock& block) noexcept ARTFS_EXCLUDES(mutex_);

  // space_commit.cpp
  [[nodiscard]] Result<Version> commit(Change& change) ARTFS_EXCLUDES(turn_, mutex_);

  [[nodiscard]] SpaceUse use() const ARTFS_EXCLUDES(mutex_);

 private:
  struct Quarantined {
    Version version;
    std::vector<UnitRun> runs;
  };

  // What one transaction does to the space tree and to the block index.
  struct Moves {
    std::vector<UnitRun> used;   // recorded_ lost them
    std::vector<UnitRun> freed;  // recorded_ got them
    std::set<std::uint64_t> touched;
    BlockIndex::Delta delta;
  };

  // A block with the references that a transaction adds and takes away.
  struct Turnover {
    StoredBlock block;
    std::int64_t references = 0;
    bool settled = false;
  };

  [[nodiscard]] static std::vector<Turnover> turnover_of(const Change& change);
  [[nodiscard]] Result<void> move(Change& change, Moves& moves) ARTFS_REQUIRES(turn_);
  [[nodiscard]] Result<void> move_block(const Turnover& turnover, Change& change, Moves& moves)
      ARTFS_REQUIRES(turn_);
  [[nodiscard]] Result<void> take(UnitRun run, Moves& moves) ARTFS_REQUIRES(turn_);
  [[nodiscard]] Result<void> give(UnitRun run, Moves& moves) ARTFS_REQUIRES(turn_);
  void undo(const Moves& moves) ARTFS_REQUIRES(turn_);
  void settle(Moves&& moves, Version version) ARTFS_EXCLUDES(mutex_);

  [[nodiscard]] bool scraps_are_many() const ARTFS_REQUIRES(mutex_);
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
  const BlockIndex& index_;
  const SpaceOptions options_;
  const std::uint64_t block_units_;

  base::Mutex turn_{base::Rank::space};
  FreeMap recorded_ ARTFS_GUARDED_BY(turn_);  // exactly the space tree

  mutable base::Mutex mutex_{base::Rank::leaf};
  FreeMap free_ ARTFS_GUARDED_BY(mutex_);
  std::uint64_t reserved_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t quarantined_units_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::deque<Quarantined> quarantine_ ARTFS_GUARDED_BY(mutex_);
  BlockHolds holds_ ARTFS_GUARDED_BY(mutex_);
  base::CondVar written_cond_;  // somebody offered or withdrew
};

}  // namespace artfs::data
