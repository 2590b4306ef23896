// SPDX-License-Identifier: Apache-2.0
// Control: the socket STORE/control of a live mount, and its client.
//
// Contract:   one request line, one JSON line, end. "stats":
//             {"ok":true,"mount_point":...,"mount":{...},"stats":{...}}, where "mount" are the facts of ControlledMount.
//             "metrics": {"ok":true,"text":...}, for Prometheus. "top": {"ok":true,...} with what ControlledMount::top
//             tells. "sync": {"ok":true} once everything acknowledged before is on disk. "scrub N" (bytes per
//             second, 0: as fast as it goes): several times a second {"progress":{...}}, at the end
//             {"ok":true,"report":{...}}; a client that goes away ends it; one at a time. "walk ROOT LEVELS
//             PATH": control_walk.hpp; up to 16 at a time. Anything else, and failures:
//             {"ok":false,"error":...,"text":...}. Only root and the daemon's own user are answered. The
//             server is made by the holder of the store's lock: a socket that is already there is stale and
//             replaced; it is removed at the end.
// Threading:  one thread serves, another one scrubs, each walk has its own; a client that is silent for 5 s
//             is dropped.
// Errors:     io_failed with the errno; for the client ENOENT and ECONNREFUSED mean: nobody serves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "artfs/volume.hpp"

#include "base/unique_fd.hpp"

namespace artfs::fuse {

struct ControlledMount {
  std::string store_path;
  std::string mount_point;
  // A JSON object: how the mount is served. Called by the server's thread.
  std::function<std::string()> facts;
  // Prometheus's text, and the JSON object that "artfs top" reads. Likewise.
  std::function<std::string()> metrics;
  std::function<std::string()> top;
};

class ControlServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(ControlledMount mount,
                                                                    Volume& volume);
  virtual ~ControlServer() = default;
};

// Sends one request; the reply is to be read from the socket.
[[nodiscard]] Result<base::UniqueFd> control_connect(const std::string& store_path,
                                                     const std::string& request);

// Sends one request and returns the last line of the reply; `on_line` gets those before it.
[[nodiscard]] Result<std::string> control_request(
    const std::string& store_path, const std::string& request,
    const std::function<void(const std::string&)>& on_line = {});

// The objects of "scrub": of its progress, and the whole reply at the end.
[[nodiscard]] std::string scrub_progress_json(const ScrubProgress& progress);
[[nodiscard]] std::string scrub_reply_json(const Result<ScrubReport>& report);

}  // namespace artfs::fuse
