// SPDX-License-Identifier: Apache-2.0
// Every knob of a store and a volume: unit, default, range, and why one would turn it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "artfs/export.h"
#include "artfs/result.hpp"
#include "artfs/types.hpp"

namespace artfs {

// When a change is on disk.
//   strict:  before the call returns (one log sync, shared by everybody who waits).
//   fsync:   at sync(), fsync(2) or after the commit interval, whichever is first. The default.
//   relaxed: as fsync, but fsync(2) of a front end does not wait; sync() still does.
enum class Durability : std::uint8_t { strict, fsync, relaxed };

// Which unused block the cache of file contents gives up first.
//   fifo:      the one that came first.
//   lru:       the one whose last use is the longest ago.
//   multi_lru: as lru among the least used ones: a long scan does not push out what is used again and
//              again. The default.
//   lineage:   of the file whose last use is the longest ago the last one, so that beginnings stay.
enum class BlockCachePolicy : std::uint8_t { fifo, lru, multi_lru, lineage };

// When a read moves the access time.
//   relatime:    when it is not later than the last change, or a day old. The default.
//   noatime:     never.
//   strictatime: always.
enum class AccessTimes : std::uint8_t { relatime, noatime, strictatime };

// Aligned as one word, so that clang needs no library for an atomic one.
struct alignas(2) AccessTimePolicy {
  AccessTimes kind = AccessTimes::relatime;
  bool directories = true;  // false: those of directories stand still

  friend bool operator==(AccessTimePolicy, AccessTimePolicy) = default;
};

struct StoreOptions {
  // Memory for metadata frames. 8 MiB (16 frames) to 16 TiB; the budget holds under any load.
  std::uint64_t cache_bytes = 256 * mib;
  Durability durability = Durability::fsync;
  // Buffered log records are synced at least this often. 10 ms to 1 h.
  std::chrono::milliseconds commit_interval{1000};
  // A checkpoint starts when the log has grown by this much since the last cut. 1 MiB to 192 MiB.
  std::uint64_t checkpoint_log_bytes = 64 * mib;
  // ... or when the last one is this old and something changed. 100 ms to 1 day.
  std::chrono::milliseconds checkpoint_interval{30000};
  // Replay in memory, change nothing on disk; every write fails with store_read_only.
  bool read_only = false;
  // How long a second opener waits for the lock before store_locked. 0 to 1 day.
  std::chrono::milliseconds lock_wait{5000};
  // Bypass the page cache for frames where the filesystem allows it.
  bool direct_io = true;
  // Batches of frame reads and writes by io_uring where the kernel grants it; else, or with ARTFS_IO=pread
  // in the environment, one system call each.
  bool io_uring = true;
};

// option_invalid (detail: the OptionName) for the first one outside its range. Opening checks it.
[[nodiscard]] ARTFS_EXPORT Result<void> check(const StoreOptions& options);

struct CreateOptions {
  std::string label;  // at most 63 bytes, shown by stats
};

struct VolumeOptions {
  StoreOptions store;
  // Memory for file contents not yet written out. 1 MiB to 16 GiB.
  std::uint64_t write_buffer_bytes = 64 * mib;
  // Memory for verified blocks of file contents, which serve reads of parts of them. 0 (none) to 1 TiB.
  std::uint64_t block_cache_bytes = 32 * mib;
  BlockCachePolicy block_cache_policy = BlockCachePolicy::multi_lru;
  // A front end that announces forget() keeps unlinked inodes alive until then (a kernel may still
  // hold a working directory or a mapping); without one, the last close reclaims them.
  bool reclaim_on_forget = false;
  // For checks: unlinked files that a crash left are looked at, not reclaimed, at open and at close.
  bool keep_orphans = false;
  // May be changed later: Volume::set_access_times.
  AccessTimePolicy access_times;
};

struct FormatOptions {
  std::string label;
  // Contents up to this size live in the inode record. 0 to 4096 bytes.
  std::uint32_t inline_bytes_max = 2048;
  // Block size of larger files: a power of two from 4 KiB to 1 MiB.
  std::uint32_t block_bytes = 64 * static_cast<std::uint32_t>(kib);
  // Equal blocks are stored once: they are looked for when a block is written, by hash, and compared byte
  // by byte. Without it blocks are shared only by copies made by reference (copy_file_range).
  bool dedup = true;
  // Owner and mode of the root directory.
  std::uint32_t root_uid = 0;
  std::uint32_t root_gid = 0;
  std::uint32_t root_mode = 0755;
};

}  // namespace artfs
