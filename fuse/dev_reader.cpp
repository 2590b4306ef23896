// SPDX-License-Identifier: Apache-2.0
#include "fuse/dev_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/clock.hpp"

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
  draining_.fetch_add(1);
  const int result = drain_all();
  draining_.fetch_sub(1);
  return result;
}

int DevReader::drain_all() noexcept {
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

void DevReader::note_names_dropped() noexcept {
  dropped_ns_.store(base::now_ns(), std::memory_order_relaxed);
}

// The FORGET follows some time after the name went: when the program that unlinked has run on. So one look
// is not enough, and a second after the last name the timer has done the rest.
bool DevReader::is_dropped() const noexcept {
  constexpr std::uint64_t expected_ns = 1'000'000'000;
  const std::uint64_t dropped = dropped_ns_.load(std::memory_order_relaxed);
  return dropped != 0 && base::now_ns() - dropped < expected_ns;
}

void DevReader::drain_if_dropped() noexcept {
  if (is_dropped()) static_cast<void>(drain());  // what ends the session its own thread sees
}

void DevReader::settle() noexcept {
  constexpr unsigned looks_max = 1000;
  constexpr unsigned pause_us = 1000;
  drain_if_dropped();
  for (unsigned look = 0; draining_.load() > 0 && look < looks_max; ++look) ::usleep(pause_us);
}

}  // namespace artfs::fuse
