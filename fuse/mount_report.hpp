// SPDX-License-Identifier: Apache-2.0
// What a mount says about how it is served: as JSON for "artfs stats", as metrics for Prometheus.
//
// Contract:   collect_mount_report() reads the counters of this process (request_counts.hpp, request_meter.hpp);
//             the rest the caller fills in. The names of to_json() and metrics_text() are stable and
//             documented in artfs-stats(1). metrics_text() without a report: a store that is not mounted.
// Threading:  any thread. Figures need not be of one moment.
// Cost:       some hundred microseconds: about 100 KB of counters are added up.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "artfs/stats.hpp"

#include "fuse/request_counts.hpp"
#include "fuse/request_meter.hpp"

namespace artfs::fuse {

struct MountReport {
  std::string mount_point;
  std::string transport;
  double started_at = 0;         // seconds since 1970
  std::uint64_t slow_count = 0;  // requests that took longer than the watchdog's bound
  std::vector<RequestCount> requests;
  std::vector<OperationLatency> latencies;
  std::vector<RequestErrors> errors;
  std::uint64_t in_flight = 0;
  double oldest_request_seconds = 0;  // 0: none is in flight
};

[[nodiscard]] MountReport collect_mount_report();

// The object "mount" of artfs stats --json.
[[nodiscard]] nlohmann::json to_json(const MountReport& report);

// Operation -> the counts of its buckets and "sum_ns": what artfs top takes differences of.
[[nodiscard]] nlohmann::json latency_buckets_json(const MountReport& report);

[[nodiscard]] std::string metrics_text(const VolumeStats& stats, const MountReport* report);

// "ENOENT"; "errno_N" for those without a name.
[[nodiscard]] std::string errno_name(int error);

}  // namespace artfs::fuse
