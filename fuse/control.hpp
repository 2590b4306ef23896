// SPDX-License-Identifier: Apache-2.0
// Control: the socket STORE/control of a live mount, and its client.
//
// Contract:   one request line, one JSON line, end. "stats": {"ok":true,"mount_point":...,"stats":{...}}.
//             "sync": {"ok":true} once everything acknowledged before is on disk. Anything else, and
//             failures: {"ok":false,"error":...,"text":...}. Only root and the daemon's own user are
//             answered. The server is made by the holder of the store's lock: a socket that is
//             already there is stale and replaced; it is removed at the end.
// Threading:  one thread serves; a client that is silent for 5 s is dropped.
// Errors:     io_failed with the errno; for the client ENOENT and ECONNREFUSED mean: nobody serves.
#pragma once

#include <memory>
#include <string>

#include "artfs/volume.hpp"

namespace artfs::fuse {

class ControlServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(const std::string& store_path,
                                                                    const std::string& mount_point,
                                                                    Volume& volume);
  virtual ~ControlServer() = default;
};

// Sends one request ("stats" or "sync") and returns the reply line.
[[nodiscard]] Result<std::string> control_request(const std::string& store_path,
                                                  const std::string& request);

}  // namespace artfs::fuse
