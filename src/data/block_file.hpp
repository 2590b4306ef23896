// SPDX-License-Identifier: Apache-2.0
// BlockFile: blocks.dat: verified reads, writes to fresh space, one device sync for everybody, growth.
//
// Contract:   a write names units that no durable state refers to (FRESH). The file is created by the
//             first growth. After a failed write or sync of the device the store is stopped and every
//             later write fails.
// Threading:  any thread. sync() serves all writes that returned before it was called; callers share.
// Cost:       reads: see block_batch.hpp; blocks read in part are kept in the pool by their hash.
// Errors:     block_corrupt (detail: first unit) when the bytes do not match the hash; io_failed;
//             store_stopped; no_space from grow.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "artfs/store.hpp"

#include "base/mutex.hpp"
#include "data/extents.hpp"
#include "data/pool/pool.hpp"
#include "data/read_plan.hpp"
#include "io/device.hpp"

namespace artfs::data {

struct BlockFileOptions {
  std::uint32_t block_bytes = 0;
  std::uint64_t cache_bytes = 0;  // 0: nothing is kept
  BlockCachePolicy cache_policy = BlockCachePolicy::multi_lru;
  std::uint64_t hash_seed = 0;
  bool read_only = false;
};

class BlockFile {
 public:
  BlockFile(Store& store, const BlockFileOptions& options);

  // Opens the file when it exists; `units` of it are in use or free according to the space tree.
  [[nodiscard]] Result<void> open(std::uint64_t units);

  [[nodiscard]] base::Hash128 hash(std::span<const std::byte> stored) const noexcept;

  // Of the unit of a patch.
  [[nodiscard]] std::uint64_t checksum(std::span<const std::byte> unit) const noexcept {
    return hash(unit).low;
  }

  // All pieces, of one file, then the patches.
  [[nodiscard]] Result<void> read(Ino ino, const ReadPlan& plan);
  // Reads the device and compares the hash of the base and the checksums of patches, past the cache.
  [[nodiscard]] Result<void> verify(const Block& block);
  // The device holds exactly these bytes there. What cannot be read holds nothing.
  [[nodiscard]] bool equals(const StoredBlock& block, std::span<const std::byte> bytes);
  // One write from the start of `unit`. The ticket names it to is_synced.
  [[nodiscard]] Result<std::uint64_t> write(std::uint64_t unit,
                                            std::span<const std::span<const std::byte>> buffers);
  [[nodiscard]] Result<void> sync();
  [[nodiscard]] bool is_synced(std::uint64_t ticket);

  // Backs [first, first + count) with space, durably. Callers serialise.
  [[nodiscard]] Result<void> grow(UnitRun run);
  // This file or the store failed.
  [[nodiscard]] bool stopped() const noexcept;

  [[nodiscard]] pool::Pool& pool() noexcept { return pool_; }

 private:
  [[nodiscard]] Result<io::File*> file();
  [[nodiscard]] Result<void> verify_base(io::File& file, const Block& block);
  Error stop(Error reason) noexcept;

  Store& store_;
  const BlockFileOptions options_;
  std::unique_ptr<io::File> owned_;       // set once, by open() or the first growth
  std::atomic<io::File*> file_{nullptr};  // published after owned_ is set
  std::atomic<bool> stopped_{false};

  base::Mutex mutex_{base::Rank::leaf};
  base::CondVar synced_cond_;
  std::uint64_t writes_done_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t writes_synced_ ARTFS_GUARDED_BY(mutex_) = 0;  // of writes_done_
  bool syncing_ ARTFS_GUARDED_BY(mutex_) = false;

  pool::Pool pool_;
};

}  // namespace artfs::data
