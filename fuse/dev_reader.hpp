// SPDX-License-Identifier: Apache-2.0
// DevReader: what still comes over /dev/fuse while the ring runs: FORGET, BATCH_FORGET, INTERRUPT, and the end.
//
// Contract:   start() makes the descriptor non-blocking. drain() handles all that is there and returns.
//             note_names_dropped() and drain_if_dropped(): space of files whose last name went is given
//             back before the next request that needs some; settle() waits also for what other
//             threads have read and not handled yet, a second at most.
// Threading:  any number of threads at once.
// Cost:       drain with nothing there: one read(2). A buffer of a request's size for each thread that drains.
// Errors:     0; ENODEV: unmounted; ECONNABORTED: aborted through fusectl; another errno of read(2).
#pragma once

#include <atomic>
#include <cstdint>

#include "fuse/lowlevel.hpp"

namespace artfs::fuse {

class DevReader {
 public:
  explicit DevReader(fuse_session* session) noexcept : session_(session) {}

  void start() noexcept;
  [[nodiscard]] int drain() noexcept;

  void note_names_dropped() noexcept;
  void drain_if_dropped() noexcept;
  void settle() noexcept;

 private:
  [[nodiscard]] int drain_all() noexcept;
  [[nodiscard]] bool is_dropped() const noexcept;

  fuse_session* session_;
  std::atomic<std::uint64_t> dropped_ns_{0};  // when last; monotonic
  std::atomic<unsigned> draining_{0};         // threads in drain()
};

}  // namespace artfs::fuse
