// SPDX-License-Identifier: Apache-2.0
// metrics_text: which figures become which metrics.
#include <array>
#include <span>

#include "fuse/mount_report.hpp"
#include "fuse/prometheus_text.hpp"

namespace artfs::fuse {

namespace {

constexpr double ns_per_s = 1e9;

struct Row {
  std::string_view name;
  std::string_view help;
  std::uint64_t value;
  // Nanoseconds are told in seconds.
  bool is_ns = false;
};

// Counters are those whose names end in _total.
void put(PrometheusText& out, std::span<const Row> rows) {
  for (const Row& row : rows) {
    out.family(row.name, row.name.ends_with("_total") ? "counter" : "gauge", row.help);
    if (row.is_ns) {
      out.sample(static_cast<double>(row.value) / ns_per_s);
    } else {
      out.sample(row.value);
    }
  }
}

void put_info(PrometheusText& out, const StoreStats& store, const MountReport* report) {
  out.family("artfs_info", "gauge", "Always 1; what runs stands in the labels.");
  out.sample(std::uint64_t{1}, {{"version", ARTFS_VERSION},
                                {"uuid", store.uuid},
                                {"label", store.label},
                                {"store", store.path},
                                {"mount_point", report != nullptr ? report->mount_point : ""},
                                {"transport", report != nullptr ? report->transport : ""},
                                {"io", store.io}});
}

void put_store(PrometheusText& out, const StoreStats& store) {
  const std::array rows = {
      Row{"artfs_read_only", "1: the store is open for reading only.", store.read_only},
      Row{"artfs_stopped", "1: a device error has stopped the store.", store.stopped},
      Row{"artfs_trees", "Trees of the store.", store.trees},
      Row{"artfs_frames", "Metadata frames on disk as of the last checkpoint.",
          store.frames_allocated},
      Row{"artfs_frame_file_bytes", "Size of the file of frames.", store.data_file_bytes},
      Row{"artfs_replayed_records", "Log records that were replayed when the store was opened.",
          store.replayed_records},
      Row{"artfs_admission_delays_total", "Changes that were delayed for want of room.",
          store.admission.delays},
      Row{"artfs_admission_delay_seconds_total", "Time that changes were delayed.",
          store.admission.delayed_ns, true},
      Row{"artfs_admission_stops_total", "Changes that waited for a whole checkpoint.",
          store.admission.stops},
      Row{"artfs_maintenance_frames_merged_total", "Frames merged into their parents.",
          store.maintenance.merged},
      Row{"artfs_maintenance_frames_joined_total", "Frames joined with a sibling.",
          store.maintenance.joined},
      Row{"artfs_maintenance_frames_compacted_total", "Frames rewritten densely.",
          store.maintenance.compacted},
      Row{"artfs_maintenance_frames_waiting", "Frames that wait to be looked at.",
          store.maintenance.waiting},
      Row{"artfs_maintenance_frames_dropped_total", "Frames not looked at: too many waited.",
          store.maintenance.dropped},
  };
  put(out, rows);
}

void put_cache(PrometheusText& out, const CacheStats& cache) {
  const std::array rows = {
      Row{"artfs_cache_budget_bytes", "Memory that metadata frames may take.", cache.budget_bytes},
      Row{"artfs_cache_resident_bytes", "Memory that they take.", cache.resident_bytes},
      Row{"artfs_cache_dirty_bytes", "Of that, newer than the disk.", cache.dirty_bytes},
      Row{"artfs_cache_frames", "Frames in memory as a whole.", cache.frames},
      Row{"artfs_cache_partial_frames", "Frames of which some pages are in memory.",
          cache.partial_frames},
      Row{"artfs_cache_hits_total", "Frames looked up and found in memory.", cache.hits},
      Row{"artfs_cache_misses_total", "Frames looked up and read.", cache.misses},
      Row{"artfs_cache_read_bytes_total", "Bytes of frames read from the device.",
          cache.read_bytes},
      Row{"artfs_cache_evictions_total", "Frames evicted.", cache.evictions},
  };
  put(out, rows);
}

void put_log(PrometheusText& out, const LogStats& log) {
  const std::array rows = {
      Row{"artfs_log_bytes", "Log that a recovery would replay.", log.end_lsn - log.cut_lsn},
      Row{"artfs_log_unsynced_bytes", "Log that is not durable yet.",
          log.end_lsn - log.durable_lsn},
      Row{"artfs_log_segments", "Files of the log.", log.segments},
      Row{"artfs_log_appends_total", "Records appended to the log.", log.appends},
      Row{"artfs_log_appended_bytes_total", "Bytes appended to the log.", log.appended_bytes},
      Row{"artfs_log_syncs_total", "Device syncs of the log.", log.syncs},
      Row{"artfs_log_sync_waits_total", "Callers that waited for one.", log.sync_waits},
  };
  put(out, rows);
}

void put_checkpoint(PrometheusText& out, const CheckpointStats& checkpoint) {
  const std::array rows = {
      Row{"artfs_checkpoints_total", "Checkpoints completed.", checkpoint.completed},
      Row{"artfs_checkpoints_failed_total", "Checkpoints that failed.", checkpoint.failed},
      Row{"artfs_checkpoint_pages_written_total", "Pages written by checkpoints.",
          checkpoint.pages_written},
      Row{"artfs_checkpoint_last_duration_seconds", "Length of the last checkpoint.",
          checkpoint.last_duration_ns, true},
      Row{"artfs_checkpoint_last_work_seconds", "Of that, without its rests.",
          checkpoint.last_work_ns, true},
      Row{"artfs_checkpoint_last_gate_seconds", "How long the last one held writers.",
          checkpoint.last_gate_ns, true},
      Row{"artfs_checkpoint_rest_seconds_total", "Rests of all checkpoints.", checkpoint.rested_ns,
          true},
  };
  put(out, rows);
}

void put_volume(PrometheusText& out, const VolumeStats& stats) {
  const std::array rows = {
      Row{"artfs_inodes", "Files, directories and whatever else has an inode.", stats.inodes},
      Row{"artfs_content_used_bytes", "Allocated to file contents, shared blocks once.",
          stats.content_bytes_used},
      Row{"artfs_content_free_bytes", "Can be allocated now.", stats.content_bytes_free},
      Row{"artfs_content_saved_bytes", "What shared blocks would take besides.",
          stats.content_bytes_saved},
      Row{"artfs_blocks_indexed", "Blocks that are found by content.", stats.blocks_indexed},
      Row{"artfs_blocks_shared", "Blocks that two extents or more name.", stats.blocks_shared},
      Row{"artfs_write_buffer_bytes", "Contents accepted and not yet written.",
          stats.write_buffer_bytes},
      Row{"artfs_logged_writes_total", "Small synced writes that went into the log alone.",
          stats.logged_writes},
      Row{"artfs_logged_bytes_total", "Bytes of contents in them.", stats.logged_bytes},
      Row{"artfs_logged_standing_bytes", "Of these, not written to blocks yet.",
          stats.logged_bytes_standing},
      Row{"artfs_folds_total", "Flushes that wrote logged bytes to blocks.", stats.folds},
      Row{"artfs_open_files", "Inodes that are open.", stats.open_files},
      Row{"artfs_orphans", "Inodes without a name that are in use.", stats.orphans},
  };
  put(out, rows);
}

void put_pool(PrometheusText& out, const BlockCacheStats& pool) {
  out.family("artfs_pool_blocks", "gauge", "Buffers of the block cache, by their state.");
  out.sample(pool.free, {{"state", "free"}});
  out.sample(pool.filling, {{"state", "filling"}});
  out.sample(pool.staged, {{"state", "staged"}});
  out.sample(pool.active, {{"state", "active"}});
  out.sample(pool.duplicates, {{"state", "duplicate"}});
  out.sample(pool.inactive, {{"state", "inactive"}});
  const std::array rows = {
      Row{"artfs_pool_budget_bytes", "Memory that blocks of contents may take.", pool.budget_bytes},
      Row{"artfs_pool_hits_total", "Blocks looked up and found.", pool.hits},
      Row{"artfs_pool_misses_total", "Blocks looked up and not found.", pool.misses},
      Row{"artfs_pool_allocated_total", "Buffers handed out.", pool.allocated},
      Row{"artfs_pool_refused_total", "Allocations that found too little.", pool.refused},
      Row{"artfs_pool_evicted_total", "Blocks evicted.", pool.evicted},
      Row{"artfs_pool_registered_total", "Blocks registered.", pool.registered},
      Row{"artfs_pool_duplicated_total", "Blocks kept beside a registered copy.", pool.duplicated},
      Row{"artfs_pool_revived_total", "Inactive blocks found again.", pool.revived},
  };
  put(out, rows);
}

void put_requests(PrometheusText& out, const MountReport& report) {
  out.family("artfs_start_time_seconds", "gauge", "When it was mounted, in seconds since 1970.");
  out.sample(report.started_at);
  out.family("artfs_requests_total", "counter", "Requests of the kernel.");
  for (const RequestCount& one : report.requests) {
    out.sample(one.count, {{"operation", one.name}});
  }
  out.family("artfs_request_errors_total", "counter", "Requests that ended with an error.");
  for (const RequestErrors& one : report.errors) {
    out.sample(one.count, {{"operation", one.operation}, {"errno", errno_name(one.error)}});
  }
  out.family("artfs_request_duration_seconds", "histogram",
             "From taking a request from the kernel to its reply.");
  for (const OperationLatency& one : report.latencies) {
    out.histogram(one.latency, {"operation", one.operation});
  }
  out.family("artfs_requests_in_flight", "gauge", "Requests that are being served.");
  out.sample(report.in_flight);
  out.family("artfs_oldest_request_seconds", "gauge", "Age of the oldest of them, 0 without one.");
  out.sample(report.oldest_request_seconds);
  out.family("artfs_slow_requests_total", "counter",
             "Requests that the watchdog found older than its bound.");
  out.sample(report.slow_count);
}

}  // namespace

std::string metrics_text(const VolumeStats& stats, const MountReport* report) {
  PrometheusText out;
  put_info(out, stats.store, report);
  if (report != nullptr) put_requests(out, *report);
  put_volume(out, stats);
  put_pool(out, stats.block_cache);
  put_cache(out, stats.store.cache);
  put_log(out, stats.store.log);
  put_checkpoint(out, stats.store.checkpoint);
  put_store(out, stats.store);
  return std::move(out).take();
}

}  // namespace artfs::fuse
