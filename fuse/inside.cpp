// SPDX-License-Identifier: Apache-2.0
#include "fuse/inside.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "fuse/hot_directories.hpp"

namespace artfs::fuse {

namespace {

using nlohmann::json;

constexpr std::size_t access_lines_max = 4096;
constexpr std::size_t hot_directories_max = 10;

Timestamp wall_now() noexcept {
  const base::WallTime now = base::wall_clock();
  return {.seconds = now.seconds, .nanoseconds = now.nanoseconds};
}

// What lies between the two clocks now; the wall clock may have been set since an entry was made.
std::int64_t wall_minus_monotonic_ns() noexcept {
  const Timestamp wall = wall_now();
  return wall.seconds * 1'000'000'000 + wall.nanoseconds -
         static_cast<std::int64_t>(base::now_ns());
}

std::string utc_text(std::int64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds),
                     wall_ns % 1'000'000'000 / 1000);
}

json json_of(const VolumeStats& stats) {
  return json::parse(to_json(stats), nullptr, false);
}

}  // namespace

Inside::Inside(Volume& volume, std::string mount_point, Watchdog& watchdog, bool is_strict)
    : volume_(volume),
      stats_(volume),
      mount_point_(std::move(mount_point)),
      watchdog_(watchdog),
      tunables_(watchdog, is_strict),
      started_at_(wall_now()) {}

MountReport Inside::report() const {
  MountReport report = collect_mount_report();
  report.mount_point = mount_point_;
  report.transport = transport_ ? to_text(transport_()) : "";
  report.started_at =
      static_cast<double>(started_at_.seconds) + static_cast<double>(started_at_.nanoseconds) / 1e9;
  report.slow_count = watchdog_.slow_count();
  return report;
}

std::string Inside::stats_json() const {
  const json all = {{"mount_point", mount_point_},
                    {"mount", to_json(report())},
                    {"stats", json_of(stats_.read())}};
  return all.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

std::string Inside::metrics() const {
  const MountReport mount = report();
  return metrics_text(stats_.read(), &mount);
}

json Inside::top_json() const {
  const MountReport mount = report();
  json directories = json::array();
  const HotDirectories hot = hot_directories(volume_, recent_requests(), hot_directories_max);
  for (const HotDirectory& one : hot.directories) {
    directories.push_back({{"ino", one.ino.raw}, {"path", one.path}, {"requests", one.requests}});
  }
  return {{"at_ns", base::now_ns()},
          {"mount_point", mount_point_},
          {"mount", to_json(mount)},
          {"latency_buckets", latency_buckets_json(mount)},
          {"hot_directories", std::move(directories)},
          {"hot_sampled", hot.sampled},
          {"stats", json_of(stats_.read())}};
}

std::string Inside::access_log() const {
  const std::vector<AccessEntry> entries = recent_requests();
  const std::int64_t offset = wall_minus_monotonic_ns();
  std::string out = "# time operation inode uid pid result microseconds\n";
  const std::size_t left_out = entries.size() - std::min(entries.size(), access_lines_max);
  for (std::size_t i = left_out; i < entries.size(); ++i) {
    const AccessEntry& entry = entries[i];
    out += fmt::format("{} {} {} {} {} {} {:.1f}\n",
                       utc_text(offset + static_cast<std::int64_t>(entry.started_ns)),
                       operation_name(entry.opcode), entry.ino, entry.uid, entry.pid,
                       entry.error == 0 ? "OK" : errno_name(static_cast<int>(entry.error)),
                       static_cast<double>(entry.took_ns) / 1000);
  }
  return out;
}

void Inside::log_state() const {
  base::log_info("state: {} through {}", mount_point_, report().transport);
  // First: the rest may have to wait for what these hold.
  const std::vector<std::string> in_flight = Watchdog::state_text();
  base::log_info("state: {} requests in flight", in_flight.size());
  for (const std::string& line : in_flight) base::log_info("state: {}", line);
  std::istringstream lines(to_text(stats_.read()));
  for (std::string line; std::getline(lines, line);) base::log_info("state: {}", line);
  for (const OperationLatency& one : report().latencies) {
    base::log_info("state: {}: {} requests, p50 {:.1f} us, p99 {:.1f} us", one.operation,
                   one.latency.count(), one.latency.quantile_ns(0.5) / 1000,
                   one.latency.quantile_ns(0.99) / 1000);
  }
  base::log_info("state: that was all");
}

}  // namespace artfs::fuse
