// SPDX-License-Identifier: Apache-2.0
// UringTransport: serves a session through FUSE over io_uring.
//
// Contract:   make() takes what can be refused (memory, rings) before the filesystem is mounted; start() comes when
//             INIT was answered with the ring accepted, and returns how the first entry of each core's
//             queue fared. Not 0: nothing has been served; when the kernel has refused one, is_given_up(), it
//             goes on with /dev/fuse, and so must the caller; else it waits for ever, and the session must end. serve() then returns when the filesystem is
//             unmounted or aborted, or when the session is told to exit.
//             Each core has a queue, and each queue several threads, pinned to the core, with one
//             entry and one ring each: an entry waits in the kernel exactly when its thread does, so a
//             request that blocks (a sync, a cold read, a write that waits for room) occupies its
//             thread and nothing else, and nothing is ever handed from thread to thread. The kernel
//             gives a request to the entry that came back last, whose thread is the warmest.
//             Queues of cores that are not there share one thread.
// Threading:  make, start and serve on one thread, which reads /dev/fuse meanwhile (dev_reader.hpp).
// Cost:       per thread 8 KiB and the largest request, of which only pages that were used take memory.
// Errors:     make: io_failed with the errno. start: an errno. serve: 0 after an unmount, or an errno.
// Source:     Linux fs/fuse/dev_uring.c; ours differs from libfuse 3.17, which has one thread and many
//             entries per queue, so that whatever blocks must be handed to other threads.
#pragma once

#include <memory>
#include <vector>

#include "artfs/result.hpp"

#include "fuse/lowlevel.hpp"
#include "fuse/ops.hpp"

namespace artfs::fuse {

// Which queues a thread serves, and where it runs.
struct RingPlace {
  std::vector<std::uint16_t> queues;
  int core = -1;         // -1: anywhere
  bool is_first = true;  // of its queues: the kernel starts when each queue has one
};

// `queues` as the kernel counts them; `online`, those whose core runs. threads: 0 for the default.
[[nodiscard]] std::vector<RingPlace> plan_ring(unsigned queues, const std::vector<bool>& online,
                                               unsigned threads);

class UringTransport {
 public:
  static const bool is_built;
  // 0, or the errno of making a ring as this needs it.
  [[nodiscard]] static int try_ring() noexcept;
  [[nodiscard]] static Result<std::unique_ptr<UringTransport>> make(Serving& serving,
                                                                    fuse_session* session,
                                                                    unsigned threads);
  virtual ~UringTransport() = default;

  [[nodiscard]] virtual int start() = 0;
  [[nodiscard]] virtual bool is_given_up() const noexcept = 0;
  [[nodiscard]] virtual int serve() = 0;
};

}  // namespace artfs::fuse
