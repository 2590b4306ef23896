// SPDX-License-Identifier: Apache-2.0
// The process's log: lines on stderr with time and level, through spdlog.
//
// Contract:   format strings are checked when compiled (fmt). A line is one event, without a final
//             stop, and names the object and what follows from it.
// Threading:  any thread; may block on stderr, so never call it with a latch held.
// Errors:     none reach the caller.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace artfs::base {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// Lines below the level are dropped. The default is info.
void set_log_level(LogLevel level) noexcept;
[[nodiscard]] bool log_enabled(LogLevel level) noexcept;
// Where lines go from now on; an empty path means stderr. Call it before other threads log.
[[nodiscard]] bool set_log_file(std::string_view path) noexcept;
// To the system's log, as the daemon `identity`.
void set_log_syslog(std::string_view identity) noexcept;
void log_line(LogLevel level, std::string_view line) noexcept;

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::debug)) {
    log_line(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::info))
    log_line(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::warning)) {
    log_line(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
  }
}

template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace artfs::base
