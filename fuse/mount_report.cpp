// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace artfs::fuse {

namespace {

std::uint64_t rounded(double value) noexcept {
  return static_cast<std::uint64_t>(std::llround(value));
}

nlohmann::json to_json(const LatencyCounts& latency) {
  return {{"count", latency.count()},
          {"mean_ns", rounded(latency.mean_ns())},
          {"p50_ns", rounded(latency.quantile_ns(0.5))},
          {"p90_ns", rounded(latency.quantile_ns(0.9))},
          {"p99_ns", rounded(latency.quantile_ns(0.99))},
          {"p999_ns", rounded(latency.quantile_ns(0.999))}};
}

}  // namespace

std::string errno_name(int error) {
  const char* const name = ::strerrorname_np(error);
  return name != nullptr ? name : fmt::format("errno_{}", error);
}

MountReport collect_mount_report() {
  MountReport report;
  report.requests = request_counts();
  report.latencies = operation_latencies();
  report.errors = request_errors();
  const std::vector<RequestInFlight> in_flight = requests_in_flight();
  report.in_flight = in_flight.size();
  if (!in_flight.empty()) {
    report.oldest_request_seconds =
        static_cast<double>(base::now_ns() - in_flight.front().started_ns) / 1e9;
  }
  return report;
}

nlohmann::json to_json(const MountReport& report) {
  using nlohmann::json;
  json requests = json::object();
  for (const RequestCount& request : report.requests) requests[request.name] = request.count;
  json latency = json::object();
  for (const OperationLatency& one : report.latencies) {
    latency[one.operation] = to_json(one.latency);
  }
  json errors = json::object();
  for (const RequestErrors& one : report.errors) {
    errors[one.operation][errno_name(one.error)] = one.count;
  }
  return {{"transport", report.transport},
          {"started_at", report.started_at},
          {"requests", std::move(requests)},
          {"latency", std::move(latency)},
          {"errors", std::move(errors)},
          {"in_flight", report.in_flight},
          {"oldest_request_seconds", report.oldest_request_seconds},
          {"slow_requests", report.slow_count}};
}

nlohmann::json latency_buckets_json(const MountReport& report) {
  nlohmann::json out = nlohmann::json::object();
  for (const OperationLatency& one : report.latencies) {
    out[one.operation] = {{"buckets", one.latency.buckets}, {"sum_ns", one.latency.sum_ns}};
  }
  return out;
}

}  // namespace artfs::fuse
