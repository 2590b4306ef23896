// SPDX-License-Identifier: Apache-2.0
// ControlWalk: a walk for one client of the control socket, on a thread of its own.
//
// Contract:   sends a line {"ok":true,"walk":FORMAT}, the chunks of walk_stream.hpp, and at the end the line
//             {"ok":true,"complete":...}; a failure is a line {"ok":false,...} in place of the first or the
//             last. A client that goes away ends the walk; one that reads slowly makes it wait, with nothing
//             locked. Destruction ends it at the next entry.
// Threading:  made and destroyed by the thread that serves.
// Errors:     all go to the client.
#pragma once

#include <atomic>
#include <string_view>
#include <thread>

#include "artfs/volume.hpp"

#include "base/unique_fd.hpp"
#include "fuse/walk_stream.hpp"

namespace artfs::fuse {

class ControlWalk {
 public:
  ControlWalk(Volume& volume, base::UniqueFd client, WalkRequest request);
  ControlWalk(const ControlWalk&) = delete;
  ControlWalk& operator=(const ControlWalk&) = delete;
  ~ControlWalk();

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }

 private:
  void run();
  Result<bool> walk();
  bool send(std::string_view bytes);

  Volume& volume_;
  base::UniqueFd client_;
  const WalkRequest request_;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<bool> is_done_{false};
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace artfs::fuse
