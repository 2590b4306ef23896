// SPDX-License-Identifier: Apache-2.0
// RingWorker: one thread of the io_uring transport, with its ring and the entries it serves.
//
// Contract:   open() makes the ring and the entries; start() the thread, which registers the entries with the kernel
//             and reports once; then it serves until all its entries are dead (unmounted, aborted) or
//             `end` becomes readable, and reports again. A request is served and answered on the
//             thread; the answer and the wait for the next request are one system call.
// Threading:  open, start and join on one thread. Reports come on the worker's.
// Errors:     open: the errno. What registering failed with is in the first report.
#pragma once

#include <liburing.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "fuse/dev_reader.hpp"
#include "fuse/ops.hpp"
#include "fuse/ring_entry.hpp"
#include "fuse/uring_transport.hpp"
#include "fuse/wake_affinity.hpp"

namespace artfs::fuse {

// What the workers of a session share.
class RingShared {
 public:
  RingShared(Serving& serving_, fuse_session* session_, int end_)
      : serving(serving_),
        session(session_),
        dev(session_),
        affinity(WakeAffinity::is_possible(), base::now_ns),
        end(end_) {}

  RingShared(const RingShared&) = delete;
  RingShared& operator=(const RingShared&) = delete;
  virtual ~RingShared() = default;

  // `is_refused`: by the kernel, which thereby gives the ring up as long as it has not begun.
  virtual void on_registered(int error, bool is_refused) noexcept = 0;
  // `error`: 0, or what no unmount and no abort explains.
  virtual void on_ended(int error) noexcept = 0;

  Serving& serving;
  fuse_session* const session;
  DevReader dev;
  WakeAffinity affinity;
  const int end;  // an eventfd
};

class RingWorker {
 public:
  RingWorker(RingShared& shared, RingPlace place) : shared_(shared), place_(std::move(place)) {}

  RingWorker(const RingWorker&) = delete;
  RingWorker& operator=(const RingWorker&) = delete;
  ~RingWorker();

  // 0, or an errno.
  [[nodiscard]] int open();
  void start();
  void join();

  [[nodiscard]] bool is_first() const noexcept { return place_.is_first; }

  // Any thread, after start(): back from SCHED_IDLE.
  void restore_class() noexcept { class_.restore(); }

  // A ring with what the transport needs, not enabled yet. 0, or the errno.
  [[nodiscard]] static int make_ring(unsigned entries, io_uring& ring) noexcept;

 private:
  void run() noexcept;
  void pin() const noexcept;
  [[nodiscard]] int enter() noexcept;
  [[nodiscard]] int refusal() noexcept;
  [[nodiscard]] int submit_and_wait() noexcept;
  void serve() noexcept;
  void reap() noexcept;
  void on_completion(std::uint64_t index, int result) noexcept;
  void handle(RingEntry& entry) noexcept;
  void queue_command(std::uint64_t index, std::uint32_t command) noexcept;
  void bury(int result) noexcept;

  RingShared& shared_;
  const RingPlace place_;
  std::vector<std::unique_ptr<RingEntry>> entries_;
  std::vector<std::uint32_t> last_command_;  // of each entry, to be repeated when the kernel asks
  io_uring ring_{};
  bool is_open_ = false;
  bool is_ending_ = false;
  std::size_t alive_ = 0;
  int error_ = 0;
  ThreadClass class_;
  std::thread thread_;
};

}  // namespace artfs::fuse
