// SPDX-License-Identifier: Apache-2.0
#include "fuse/dev_reader.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>

namespace artfs::fuse {

namespace {

// libfuse allocates the memory at the first use: the kernel reads nothing into less than its largest request.
struct Buffer {
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  ~Buffer() { std::free(buf.mem); }

  fuse_buf buf{};
};

}  // namespace

void DevReader::start() noexcept {
  const int fd = fuse_session_fd(session_);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int DevReader::drain() noexcept {
  thread_local Buffer buffer;
  while (true) {
    const int got = fuse_session_receive_buf(session_, &buffer.buf);
    if (got > 0) {
      fuse_session_process_buf(session_, &buffer.buf);
    } else if (got == 0) {
      return ENODEV;  // libfuse has marked the session as exited
    } else if (got == -EAGAIN) {
      return 0;
    } else if (got != -EINTR) {
      return -got;
    }
  }
}

void DevReader::drain_if_dropped() noexcept {
  if (!dropped_.load(std::memory_order_relaxed)) return;
  if (!dropped_.exchange(false, std::memory_order_relaxed)) return;
  static_cast<void>(drain());  // what ends the session is seen by the thread that waits for it
}

}  // namespace artfs::fuse
