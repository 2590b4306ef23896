// SPDX-License-Identifier: Apache-2.0
#include "fuse/tunables.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "fuse/mount_options.hpp"
#include "fuse/request_meter.hpp"

namespace artfs::fuse {

namespace {

using base::LogLevel;

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> levels = {
    {{"debug", LogLevel::debug},
     {"info", LogLevel::info},
     {"warning", LogLevel::warning},
     {"error", LogLevel::error}}};

struct Setting {
  std::string_view name;
  std::string_view value;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// "name = value", "name=value", "name value".
std::optional<Setting> split(std::string_view line) {
  const std::size_t end = line.find_first_of(" \t=");
  if (end == line.npos) return std::nullopt;
  std::string_view value = trimmed(line.substr(end));
  if (value.starts_with('=')) value = trimmed(value.substr(1));
  return Setting{.name = line.substr(0, end), .value = value};
}

std::optional<bool> choice(std::string_view value, std::string_view yes, std::string_view no) {
  if (value == yes) return true;
  if (value == no) return false;
  return std::nullopt;
}

tl::unexpected<std::string> refused(const Setting& setting, std::string_view range) {
  return tl::unexpected(fmt::format("{} = {}: {}", setting.name, setting.value, range));
}

using Change = std::function<void()>;

}  // namespace

std::string Tunables::text(const Serving& serving) {
  std::string_view level = "?";
  for (const auto& [name, value] : levels) {
    if (value == log_level_.load()) level = name;
  }
  const std::string_view durability = serving.fsync_waits ? "fsync" : "relaxed";
  return fmt::format("log_level = {}\nwatchdog = {}\naccesslog = {}\ndurability = {}\n", level,
                     static_cast<double>(watchdog_.bound().count()) / 1000,
                     keeps_recent_requests() ? "on" : "off", is_strict_ ? "strict" : durability);
}

tl::expected<void, std::string> Tunables::set(std::string_view lines, Serving& serving) {
  std::vector<Change> changes;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = trimmed(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.empty()) continue;
    const auto setting = split(line);
    if (!setting) return tl::unexpected(fmt::format("'{}': not 'name = value'", line));
    if (setting->name == "log_level") {
      std::optional<LogLevel> level;
      for (const auto& [name, value] : levels) {
        if (name == setting->value) level = value;
      }
      if (!level) return refused(*setting, "debug, info, warning or error");
      changes.emplace_back([this, level] {
        log_level_ = *level;
        base::set_log_level(*level);
      });
    } else if (setting->name == "watchdog") {
      const auto bound = parse_watchdog(setting->value);
      if (!bound) return refused(*setting, bound.error());
      changes.emplace_back([this, bound] { watchdog_.set_bound(*bound); });
    } else if (setting->name == "accesslog") {
      const auto keep = choice(setting->value, "on", "off");
      if (!keep) return refused(*setting, "on or off");
      changes.emplace_back([keep] { keep_recent_requests(*keep); });
    } else if (setting->name == "durability") {
      if (is_strict_) return refused(*setting, "strict stays as long as it is mounted");
      const auto waits = choice(setting->value, "fsync", "relaxed");
      if (!waits) return refused(*setting, "fsync or relaxed");
      changes.emplace_back([&serving, waits] { serving.fsync_waits = *waits; });
    } else {
      return refused(*setting, "no such tunable");
    }
  }
  for (const Change& change : changes) change();
  return {};
}

}  // namespace artfs::fuse
