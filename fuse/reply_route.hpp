// SPDX-License-Identifier: Apache-2.0
// Where the reply of the request that this thread serves goes: back into the ring it came from, or to /dev/fuse.
//
// Contract:   a thread of the ring holds a ServedEntry while a handler runs; a handler answers on the thread that
//             runs it. send_reply() has the values of writev(2). Notifications and whatever is no reply of the
//             served request go to /dev/fuse. answer_space() is where a handler builds a large reply:
//             on the ring this saves the copy. It overwrites what the request carried (a name, data),
//             and lasts until the reply or the thread's next call.
// Threading:  thread-local.
#pragma once

#include <sys/types.h>

#include <span>

#include "fuse/ring_entry.hpp"

namespace artfs::fuse {

class ServedEntry {
 public:
  explicit ServedEntry(RingEntry& entry) noexcept;
  ServedEntry(const ServedEntry&) = delete;
  ServedEntry& operator=(const ServedEntry&) = delete;
  ~ServedEntry();
};

[[nodiscard]] ssize_t send_reply(int fd, std::span<const iovec> pieces) noexcept;

[[nodiscard]] std::span<std::byte> answer_space(std::size_t bytes);

}  // namespace artfs::fuse
