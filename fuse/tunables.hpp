// SPDX-License-Identifier: Apache-2.0
// Tunables: what of a mount can be changed while it is used.
//
// Contract:   text() has a line "name = value" for each. set() takes such lines, "name value" and "name=value" as well;
//             all are checked before the first is changed.
//               log_level   debug, info, warning or error
//               watchdog    seconds, 0 for off: see watchdog.hpp
//               accesslog   on or off: whether answered requests are kept
//               durability  fsync or relaxed: whether fsync(2) waits; a mount with strict keeps that
// Threading:  any thread.
// Errors:     set: a sentence that names the line; nothing was changed then.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/log.hpp"
#include "fuse/ops.hpp"
#include "fuse/watchdog.hpp"

namespace artfs::fuse {

class Tunables {
 public:
  Tunables(Watchdog& watchdog, bool is_strict) : watchdog_(watchdog), is_strict_(is_strict) {}

  // `serving`: of the session that the durability concerns.
  [[nodiscard]] std::string text(const Serving& serving);
  [[nodiscard]] tl::expected<void, std::string> set(std::string_view lines, Serving& serving);

 private:
  Watchdog& watchdog_;
  const bool is_strict_;
  std::atomic<base::LogLevel> log_level_{base::LogLevel::info};
};

}  // namespace artfs::fuse
