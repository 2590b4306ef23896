// SPDX-License-Identifier: Apache-2.0
#include "io/uring.hpp"

#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.hpp"
#include "io/posix_error.hpp"

namespace artfs::io {

namespace {

class LiburingRing final : public Uring {
 public:
  LiburingRing() = default;
  LiburingRing(const LiburingRing&) = delete;
  LiburingRing& operator=(const LiburingRing&) = delete;

  ~LiburingRing() override {
    if (is_open_) io_uring_queue_exit(&ring_);
  }

  // 0, or the errno.
  [[nodiscard]] int open(int descriptor) noexcept {
    const int made = io_uring_queue_init(queue_entries, &ring_, 0);
    if (made < 0) return -made;
    is_open_ = true;
    descriptor_ = descriptor;
    return 0;
  }

  void run(std::span<Transfer> transfers) noexcept override {
    std::size_t next = 0;
    unsigned in_flight = 0;
    while (next < transfers.size() || in_flight > 0) {
      for (; next < transfers.size() && in_flight < queue_entries; ++next, ++in_flight) {
        prepare(transfers[next]);
      }
      // Half a queue at a time while more is to come, so that the device never runs dry.
      submit_and_wait(next == transfers.size() ? in_flight : in_flight / 2);
      in_flight -= reap();
    }
  }

 private:
  void prepare(Transfer& transfer) noexcept {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    ARTFS_ASSERT(entry != nullptr);  // never more in flight than the queue has entries
    const auto count = static_cast<unsigned>(transfer.vectors.size());
    if (transfer.is_write) {
      io_uring_prep_writev(entry, descriptor_, transfer.vectors.data(), count, transfer.offset);
    } else {
      io_uring_prep_readv(entry, descriptor_, transfer.vectors.data(), count, transfer.offset);
    }
    io_uring_sqe_set_data(entry, &transfer);
  }

  // The kernel may hold our buffers: there is no way out before it has let go of them.
  void submit_and_wait(unsigned wanted) noexcept {
    constexpr unsigned attempts_max = 1000;
    constexpr unsigned pause_us = 1000;  // EAGAIN, EBUSY, ENOMEM: the kernel is short of something
    for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
      const int status = io_uring_submit_and_wait(&ring_, wanted);
      if (status >= 0 || io_uring_cq_ready(&ring_) > 0) return;
      if (status != -EINTR) ::usleep(pause_us);
    }
    ARTFS_ASSERT(false && "io_uring does not end its transfers");
  }

  [[nodiscard]] unsigned reap() noexcept {
    unsigned reaped = 0;
    unsigned head = 0;
    io_uring_cqe* done = nullptr;
    io_uring_for_each_cqe(&ring_, head, done) {
      static_cast<Transfer*>(io_uring_cqe_get_data(done))->result = done->res;
      ++reaped;
    }
    io_uring_cq_advance(&ring_, reaped);
    return reaped;
  }

  io_uring ring_{};
  bool is_open_ = false;
  int descriptor_ = -1;
};

}  // namespace

Result<std::unique_ptr<Uring>> Uring::create(int descriptor) {
  auto ring = std::make_unique<LiburingRing>();
  if (const int error = ring->open(descriptor); error != 0) return fail(io_error(error));
  return ring;
}

}  // namespace artfs::io
