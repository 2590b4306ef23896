// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "artfs/stats.hpp"

namespace artfs {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const CacheStats& stats) {
  return Json{{"budget_bytes", stats.budget_bytes},
              {"resident_bytes", stats.resident_bytes},
              {"dirty_bytes", stats.dirty_bytes},
              {"frames", stats.frames},
              {"partial_frames", stats.partial_frames},
              {"hits", stats.hits},
              {"misses", stats.misses},
              {"read_bytes", stats.read_bytes},
              {"evictions", stats.evictions}};
}

Json json_of(const LogStats& stats) {
  return Json{{"end_lsn", stats.end_lsn},
              {"durable_lsn", stats.durable_lsn},
              {"cut_lsn", stats.cut_lsn},
              {"appends", stats.appends},
              {"appended_bytes", stats.appended_bytes},
              {"syncs", stats.syncs},
              {"sync_waits", stats.sync_waits},
              {"segments", stats.segments}};
}

Json json_of(const CheckpointStats& stats) {
  return Json{{"generation", stats.generation},
              {"completed", stats.completed},
              {"failed", stats.failed},
              {"pages_written", stats.pages_written},
              {"last_duration_ns", stats.last_duration_ns},
              {"last_work_ns", stats.last_work_ns},
              {"rested_ns", stats.rested_ns},
              {"last_gate_ns", stats.last_gate_ns}};
}

Json json_of(const AdmissionStats& stats) {
  return Json{{"delays", stats.delays}, {"delayed_ns", stats.delayed_ns}, {"stops", stats.stops}};
}

Json json_of(const MaintenanceStats& stats) {
  return Json{{"merged", stats.merged},
              {"joined", stats.joined},
              {"compacted", stats.compacted},
              {"waiting", stats.waiting},
              {"dropped", stats.dropped}};
}

Json json_of(const StoreStats& stats) {
  // A label is any bytes; JSON is UTF-8: what is not is replaced when it is printed.
  Json json{{"uuid", stats.uuid},           {"label", stats.label}, {"path", stats.path},
            {"direct_io", stats.direct_io}, {"io", stats.io},       {"read_only", stats.read_only},
            {"stopped", stats.stopped}};
  json["stop_reason"] = stats.stopped ? to_text(stats.stop_reason) : std::string();
  json["trees"] = stats.trees;
  json["frames_allocated"] = stats.frames_allocated;
  json["data_file_bytes"] = stats.data_file_bytes;
  json["replayed_records"] = stats.replayed_records;
  json["cache"] = json_of(stats.cache);
  json["log"] = json_of(stats.log);
  json["checkpoint"] = json_of(stats.checkpoint);
  json["admission"] = json_of(stats.admission);
  json["maintenance"] = json_of(stats.maintenance);
  return json;
}

Json json_of(const BlockCacheStats& stats) {
  return Json{{"budget_bytes", stats.budget_bytes},
              {"blocks", stats.blocks},
              {"free", stats.free},
              {"filling", stats.filling},
              {"staged", stats.staged},
              {"active", stats.active},
              {"duplicates", stats.duplicates},
              {"inactive", stats.inactive},
              {"hits", stats.hits},
              {"misses", stats.misses},
              {"allocated", stats.allocated},
              {"refused", stats.refused},
              {"evicted", stats.evicted},
              {"registered", stats.registered},
              {"rejected", stats.rejected},
              {"duplicated", stats.duplicated},
              {"revived", stats.revived},
              {"retired", stats.retired},
              {"reset", stats.reset},
              {"raced_lookups", stats.raced_lookups},
              {"late_releases", stats.late_releases}};
}

Json json_of(const VolumeStats& stats) {
  return Json{{"store", json_of(stats.store)},
              {"inodes", stats.inodes},
              {"content_bytes_used", stats.content_bytes_used},
              {"content_bytes_free", stats.content_bytes_free},
              {"content_bytes_saved", stats.content_bytes_saved},
              {"blocks_indexed", stats.blocks_indexed},
              {"blocks_shared", stats.blocks_shared},
              {"write_buffer_bytes", stats.write_buffer_bytes},
              {"logged_writes", stats.logged_writes},
              {"logged_bytes", stats.logged_bytes},
              {"logged_bytes_standing", stats.logged_bytes_standing},
              {"folds", stats.folds},
              {"block_cache", json_of(stats.block_cache)},
              {"open_files", stats.open_files},
              {"orphans", stats.orphans}};
}

// "cache.hits                  42": nested names joined by dots, values in one column.
void append_lines(std::string& out, const Json& json, const std::string& path) {
  for (const auto& [name, value] : json.items()) {
    const std::string whole = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      append_lines(out, value, whole);
      continue;
    }
    const std::string text = value.is_string()
                                 ? value.get<std::string>()
                                 : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    out += fmt::format("{:<32} {}\n", whole, text);
  }
}

std::string text_of(const Json& json) {
  std::string out;
  append_lines(out, json, "");
  return out;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const StoreStats& stats) {
  return text_of(json_of(stats));
}

std::string to_text(const VolumeStats& stats) {
  return text_of(json_of(stats));
}

std::string to_json(const StoreStats& stats) {
  return dump(json_of(stats));
}

std::string to_json(const VolumeStats& stats) {
  return dump(json_of(stats));
}

}  // namespace artfs
