// SPDX-License-Identifier: Apache-2.0
#include "tool/top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "fuse/latency_histogram.hpp"
#include "tool/command.hpp"

namespace artfs::tool {

namespace {

using fuse::LatencyCounts;
using nlohmann::json;

// At a path such as "/stats/store/log/syncs"; 0 where there is none.
double number(const json& object, const std::string& path) {
  const json::json_pointer pointer(path);
  if (!object.contains(pointer) || !object.at(pointer).is_number()) return 0;
  return object.at(pointer).get<double>();
}

struct Pair {
  const json& before;
  const json& after;
  double seconds;

  [[nodiscard]] double grown(const std::string& path) const {
    return std::max(0.0, number(after, path) - number(before, path));
  }

  [[nodiscard]] double rate(const std::string& path) const { return grown(path) / seconds; }
};

LatencyCounts counts_of(const json& answer, const std::string& operation) {
  LatencyCounts counts;
  const json all = answer.value("latency_buckets", json::object());
  if (!all.contains(operation)) return counts;
  const json& one = all.at(operation);
  const json buckets = one.value("buckets", json::array());
  for (std::size_t i = 0; i < std::min(buckets.size(), counts.buckets.size()); ++i) {
    counts.buckets[i] = buckets[i].is_number_unsigned() ? buckets[i].get<std::uint64_t>() : 0;
  }
  counts.sum_ns = one.value("sum_ns", std::uint64_t{0});
  return counts;
}

double errors_of(const json& answer, const std::string& operation) {
  const json errors = answer.value("mount", json::object()).value("errors", json::object());
  double sum = 0;
  const json here = errors.value(operation, json::object());
  for (const auto& [name, count] : here.items()) {
    if (count.is_number()) sum += count.get<double>();
  }
  return sum;
}

// Of all that came in between, most first. What has no reply has a rate alone.
json operations_of(const Pair& pair) {
  std::vector<json> rows;
  const json requests = pair.after.value("mount", json::object()).value("requests", json::object());
  for (const auto& [name, count] : requests.items()) {
    const double rate = pair.rate("/mount/requests/" + name);
    if (rate <= 0) continue;
    LatencyCounts latency = counts_of(pair.after, name);
    latency -= counts_of(pair.before, name);
    json row = {
        {"operation", name},
        {"per_second", rate},
        {"errors_per_second",
         std::max(0.0, errors_of(pair.after, name) - errors_of(pair.before, name)) / pair.seconds}};
    if (latency.count() > 0) {
      row["p50_ns"] = latency.quantile_ns(0.5);
      row["p99_ns"] = latency.quantile_ns(0.99);
      row["mean_ns"] = latency.mean_ns();
    }
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) {
    return a["per_second"].get<double>() > b["per_second"].get<double>();
  });
  return rows;
}

// Null when nothing was looked up.
json hit_ratio(const Pair& pair, const std::string& cache) {
  const double hits = pair.grown(cache + "/hits");
  const double all = hits + pair.grown(cache + "/misses");
  return all > 0 ? json(hits / all) : json(nullptr);
}

std::string bytes_text(double bytes) {
  constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

std::string time_text(double ns) {
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.1f} us", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
  return fmt::format("{:.1f} s", ns / 1e9);
}

std::string ratio_text(const json& ratio) {
  return ratio.is_number() ? fmt::format("{:.1f} % hits", ratio.get<double>() * 100)
                           : std::string("not asked");
}

std::string operations_text(const json& operations, std::size_t rows) {
  std::string out = fmt::format("{:<18} {:>10} {:>10} {:>10} {:>10}\n", "OPERATION", "PER S",
                                "ERRORS/S", "P50", "P99");
  std::size_t shown = 0;
  for (const json& row : operations) {
    if (rows != 0 && shown++ == rows) break;
    const bool is_timed = row.contains("p50_ns");
    out += fmt::format("{:<18} {:>10.1f} {:>10.1f} {:>10} {:>10}\n",
                       row["operation"].get<std::string>(), number(row, "/per_second"),
                       number(row, "/errors_per_second"),
                       is_timed ? time_text(number(row, "/p50_ns")) : "-",
                       is_timed ? time_text(number(row, "/p99_ns")) : "-");
  }
  return out;
}

std::string directories_text(const json& figures, std::size_t rows) {
  const json directories = figures.value("hot_directories", json::array());
  const double sampled = number(figures, "/hot_sampled");
  if (directories.empty() || sampled <= 0) return {};
  std::string out = fmt::format("\n{:>8}  DIRECTORY, of the last {:.0f} requests that name one\n",
                                "SHARE", sampled);
  std::size_t shown = 0;
  for (const json& row : directories) {
    if (rows != 0 && shown++ == rows) break;
    out += fmt::format("{:>6.1f} %  {}\n", 100 * number(row, "/requests") / sampled,
                       printable(row.value("path", "")));
  }
  return out;
}

}  // namespace

json top_figures(const json& before, const json& after) {
  const double seconds = std::max(1e-9, (number(after, "/at_ns") - number(before, "/at_ns")) / 1e9);
  const Pair pair{.before = before, .after = after, .seconds = seconds};
  const auto now = [&](const char* path) { return number(after, path); };
  return {{"mount_point", after.value("mount_point", "")},
          {"seconds", seconds},
          {"operations", operations_of(pair)},
          {"requests",
           {{"in_flight", now("/mount/in_flight")},
            {"oldest_seconds", now("/mount/oldest_request_seconds")},
            {"slow", now("/mount/slow_requests")}}},
          {"cache",
           {{"hit_ratio", hit_ratio(pair, "/stats/store/cache")},
            {"resident_bytes", now("/stats/store/cache/resident_bytes")},
            {"dirty_bytes", now("/stats/store/cache/dirty_bytes")},
            {"read_bytes_per_second", pair.rate("/stats/store/cache/read_bytes")},
            {"evictions_per_second", pair.rate("/stats/store/cache/evictions")}}},
          {"block_cache",
           {{"hit_ratio", hit_ratio(pair, "/stats/block_cache")},
            {"evictions_per_second", pair.rate("/stats/block_cache/evicted")}}},
          {"log",
           {{"bytes_per_second", pair.rate("/stats/store/log/appended_bytes")},
            {"appends_per_second", pair.rate("/stats/store/log/appends")},
            {"syncs_per_second", pair.rate("/stats/store/log/syncs")},
            {"bytes", now("/stats/store/log/end_lsn") - now("/stats/store/log/cut_lsn")}}},
          {"checkpoint",
           {{"completed", pair.grown("/stats/store/checkpoint/completed")},
            {"pages_per_second", pair.rate("/stats/store/checkpoint/pages_written")},
            {"last_duration_ns", now("/stats/store/checkpoint/last_duration_ns")},
            {"delays_per_second", pair.rate("/stats/store/admission/delays")},
            {"stops", pair.grown("/stats/store/admission/stops")}}},
          {"space",
           {{"inodes", now("/stats/inodes")},
            {"used_bytes", now("/stats/content_bytes_used")},
            {"free_bytes", now("/stats/content_bytes_free")},
            {"write_buffer_bytes", now("/stats/write_buffer_bytes")}}},
          {"hot_directories", after.value("hot_directories", json::array())},
          {"hot_sampled", after.value("hot_sampled", 0)}};
}

std::string top_text(const json& figures, std::size_t rows) {
  const auto at = [&](const char* path) { return number(figures, path); };
  std::string out = fmt::format(
      "{}  over {:.1f} s  in flight {:.0f}, oldest {}, slow so far {:.0f}\n",
      printable(figures.value("mount_point", "")), at("/seconds"), at("/requests/in_flight"),
      time_text(at("/requests/oldest_seconds") * 1e9), at("/requests/slow"));
  out += fmt::format("cache       {}, {} resident, {} dirty, read {}/s, {:.0f} evictions/s\n",
                     ratio_text(figures["cache"]["hit_ratio"]),
                     bytes_text(at("/cache/resident_bytes")), bytes_text(at("/cache/dirty_bytes")),
                     bytes_text(at("/cache/read_bytes_per_second")),
                     at("/cache/evictions_per_second"));
  out += fmt::format("blocks      {}, {:.0f} evictions/s, {} to be written\n",
                     ratio_text(figures["block_cache"]["hit_ratio"]),
                     at("/block_cache/evictions_per_second"),
                     bytes_text(at("/space/write_buffer_bytes")));
  out += fmt::format("log         {}/s, {:.1f} appends/s, {:.1f} syncs/s, {} to replay\n",
                     bytes_text(at("/log/bytes_per_second")), at("/log/appends_per_second"),
                     at("/log/syncs_per_second"), bytes_text(at("/log/bytes")));
  out += fmt::format(
      "checkpoint  {:.0f} ended, {:.0f} pages/s, the last took {}, {:.0f} delays/s, {:.0f} stops\n",
      at("/checkpoint/completed"), at("/checkpoint/pages_per_second"),
      time_text(at("/checkpoint/last_duration_ns")), at("/checkpoint/delays_per_second"),
      at("/checkpoint/stops"));
  out += fmt::format("space       {:.0f} inodes, {} used, {} free\n\n", at("/space/inodes"),
                     bytes_text(at("/space/used_bytes")), bytes_text(at("/space/free_bytes")));
  out += operations_text(figures["operations"], rows);
  out += directories_text(figures, rows);
  return out;
}

}  // namespace artfs::tool
