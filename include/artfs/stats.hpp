// SPDX-License-Identifier: Apache-2.0
// Counters and gauges of an open store or volume.
//
// Contract:   a snapshot by value. Reading changes no counter and no eviction order (DESIGN 6).
// Threading:  any thread. Each figure is exact; figures of one snapshot need not be simultaneous.
// Cost:       O(1); no I/O.
#pragma once

#include <cstdint>
#include <string>

#include "artfs/error.hpp"
#include "artfs/export.h"

namespace artfs {

struct CacheStats {
  std::uint64_t budget_bytes = 0;
  // Frames and parts of frames in memory, plus pages copied for a running checkpoint.
  std::uint64_t resident_bytes = 0;
  std::uint64_t dirty_bytes = 0;     // pages newer than disk
  std::uint64_t frames = 0;          // in memory as a whole
  std::uint64_t partial_frames = 0;  // in memory with the pages that point reads needed
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t read_bytes = 0;  // from the device
  std::uint64_t evictions = 0;
};

struct LogStats {
  std::uint64_t end_lsn = 0;
  std::uint64_t durable_lsn = 0;
  std::uint64_t cut_lsn = 0;  // replay would start here
  std::uint64_t appends = 0;
  std::uint64_t appended_bytes = 0;
  std::uint64_t syncs = 0;       // device syncs issued
  std::uint64_t sync_waits = 0;  // callers that waited for one
  std::uint64_t segments = 0;    // files
};

struct CheckpointStats {
  std::uint64_t generation = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t pages_written = 0;
  std::uint64_t last_duration_ns = 0;
  std::uint64_t last_work_ns = 0;  // of that, without the rests that leave the device to others
  std::uint64_t rested_ns = 0;     // of all checkpoints
  std::uint64_t last_gate_ns = 0;  // how long writers were held while the dirty set was frozen
};

// What changes waited for before they began.
struct AdmissionStats {
  std::uint64_t delays = 0;  // short ones, growing with the pressure
  std::uint64_t delayed_ns = 0;
  std::uint64_t stops = 0;  // whole checkpoints waited for: no room was left
};

// What became of frames that erases left with little in them.
struct MaintenanceStats {
  std::uint64_t merged = 0;     // into their parents
  std::uint64_t joined = 0;     // with a sibling
  std::uint64_t compacted = 0;  // rewritten densely
  std::uint64_t waiting = 0;    // to be looked at
  std::uint64_t dropped = 0;    // not looked at: too many waited
};

struct StoreStats {
  std::string uuid;
  std::string label;
  std::string path;
  bool direct_io = false;
  std::string io;  // how frames reach the device: "io_uring", "pread" or "memory"
  bool read_only = false;
  bool stopped = false;                   // fail-stop, DESIGN 10
  Error stop_reason{Errc::io_failed, 0};  // meaningful when stopped
  std::uint64_t trees = 0;
  std::uint64_t frames_allocated = 0;  // live frames as of the last checkpoint or open
  std::uint64_t data_file_bytes = 0;
  std::uint64_t replayed_records = 0;  // at open
  CacheStats cache;
  LogStats log;
  CheckpointStats checkpoint;
  AdmissionStats admission;
  MaintenanceStats maintenance;
};

// The cache of verified blocks of file contents. The states add up to `blocks`.
struct BlockCacheStats {
  std::uint64_t budget_bytes = 0;
  std::uint64_t blocks = 0;      // buffers
  std::uint64_t free = 0;        // hold nothing
  std::uint64_t filling = 0;     // being read or written into
  std::uint64_t staged = 0;      // complete, not registered yet
  std::uint64_t active = 0;      // registered and in use
  std::uint64_t duplicates = 0;  // second copies in use
  std::uint64_t inactive = 0;    // registered, in nobody's use: evictable
  std::uint64_t hits = 0;        // blocks looked up and found
  std::uint64_t misses = 0;
  std::uint64_t allocated = 0;
  std::uint64_t refused = 0;  // allocations that found too little and put everything back
  std::uint64_t evicted = 0;
  std::uint64_t registered = 0;
  std::uint64_t rejected = 0;       // registered while another copy was: given up
  std::uint64_t duplicated = 0;     // the same, kept beside it
  std::uint64_t revived = 0;        // inactive ones found again
  std::uint64_t retired = 0;        // let go by the last holder, inactive from then on
  std::uint64_t reset = 0;          // back among the free ones
  std::uint64_t raced_lookups = 0;  // found a block that was just being let go
  std::uint64_t late_releases = 0;  // found the block taken over by such a lookup
};

struct VolumeStats {
  StoreStats store;
  std::uint64_t inodes = 0;
  std::uint64_t content_bytes_used = 0;     // allocated to file contents, shared blocks once
  std::uint64_t content_bytes_free = 0;     // allocatable now
  std::uint64_t content_bytes_saved = 0;    // what shared blocks would take besides, were they not
  std::uint64_t blocks_indexed = 0;         // found by content; all that are stored, with dedup=on
  std::uint64_t blocks_shared = 0;          // named by two extents and more
  std::uint64_t write_buffer_bytes = 0;     // accepted, not yet on disk but for what is logged
  std::uint64_t logged_writes = 0;          // small synced changes that went into the log alone
  std::uint64_t logged_bytes = 0;           // of contents, in all of them
  std::uint64_t logged_bytes_standing = 0;  // of these, not written to blocks yet
  std::uint64_t folds = 0;                  // flushes that wrote logged bytes to blocks
  BlockCacheStats block_cache;
  std::uint64_t open_files = 0;
  std::uint64_t orphans = 0;
};

// Aligned "name value" lines for humans; every field of the struct.
[[nodiscard]] ARTFS_EXPORT std::string to_text(const StoreStats& stats);
[[nodiscard]] ARTFS_EXPORT std::string to_text(const VolumeStats& stats);
// One JSON object; the names are those of the structs and are stable.
[[nodiscard]] ARTFS_EXPORT std::string to_json(const StoreStats& stats);
[[nodiscard]] ARTFS_EXPORT std::string to_json(const VolumeStats& stats);

}  // namespace artfs
