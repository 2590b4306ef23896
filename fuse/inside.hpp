// SPDX-License-Identifier: Apache-2.0
// Inside: what a live mount shows of itself: the texts behind .artfs/ and the control socket.
//
// Contract:   each text is made when it is asked for. stats_json() is what "artfs stats --json" prints; metrics()
//             Prometheus's text format; top_json() what "artfs top" needs besides: the buckets of latencies and
//             the hottest directories; access_log() the requests answered last, oldest first; log_state() writes to
//             the daemon's log. show_transport() comes before the first of them.
// Threading:  any thread.
// Cost:       below a millisecond, a second when the device does not answer; top_json() also reads directories, for the paths of the hottest (hot_directories.hpp).
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "artfs/volume.hpp"

#include "fuse/mount_report.hpp"
#include "fuse/stats_reader.hpp"
#include "fuse/transport.hpp"
#include "fuse/tunables.hpp"
#include "fuse/watchdog.hpp"

namespace artfs::fuse {

class Inside {
 public:
  Inside(Volume& volume, std::string mount_point, Watchdog& watchdog, bool is_strict);

  void show_transport(std::function<Transport()> transport) { transport_ = std::move(transport); }

  [[nodiscard]] MountReport report() const;
  [[nodiscard]] std::string stats_json() const;
  [[nodiscard]] std::string metrics() const;
  [[nodiscard]] nlohmann::json top_json() const;
  [[nodiscard]] std::string access_log() const;
  void log_state() const;

  [[nodiscard]] Tunables& tunables() noexcept { return tunables_; }

  [[nodiscard]] Timestamp started_at() const noexcept { return started_at_; }

 private:
  Volume& volume_;
  mutable StatsReader stats_;
  const std::string mount_point_;
  Watchdog& watchdog_;
  Tunables tunables_;
  const Timestamp started_at_;
  std::function<Transport()> transport_;
};

}  // namespace artfs::fuse
