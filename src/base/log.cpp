// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <exception>
#include <memory>
#include <string>

namespace artfs::base {
namespace {

constexpr const char* line_pattern = "%Y-%m-%dT%H:%M:%S.%e %l: %v";

spdlog::level::level_enum to_spdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto made = std::make_shared<spdlog::logger>("artfs", std::move(sink));
  made->set_pattern(line_pattern);
  made->flush_on(spdlog::level::debug);
  return made;
}

// The library's own logger and not spdlog's default one: a host program's logging is not ours to
// set.
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance =
      make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

}  // namespace

void set_log_level(LogLevel level) noexcept {
  logger()->set_level(to_spdlog(level));
}

bool log_enabled(LogLevel level) noexcept {
  return logger()->should_log(to_spdlog(level));
}

bool set_log_file(std::string_view path) noexcept {
  // spdlog reports an unusable file by an exception; ours end here.
  try {
    const auto level = logger()->level();
    if (path.empty()) {
      logger() = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    } else {
      logger() =
          make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(std::string(path)));
    }
    logger()->set_level(level);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void set_log_syslog(std::string_view identity) noexcept {
  const auto level = logger()->level();
  logger() = make_logger(std::make_shared<spdlog::sinks::syslog_sink_mt>(
      std::string(identity), LOG_PID, LOG_DAEMON, false));
  logger()->set_level(level);
}

void log_line(LogLevel level, std::string_view line) noexcept {
  logger()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace artfs::base
