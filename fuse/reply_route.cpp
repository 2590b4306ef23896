// SPDX-License-Identifier: Apache-2.0
#include "fuse/reply_route.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/assert.hpp"
#include "fuse/request_meter.hpp"

namespace artfs::fuse {

namespace {

thread_local constinit RingEntry* served = nullptr;

// All zero when there is none.
fuse_out_header header_of(std::span<const iovec> pieces) noexcept {
  fuse_out_header header{};
  if (pieces.empty() || pieces.front().iov_len < sizeof header) return header;
  std::memcpy(static_cast<void*>(&header), pieces.front().iov_base, sizeof header);
  return header;
}

}  // namespace

ServedEntry::ServedEntry(RingEntry& entry) noexcept {
  ARTFS_ASSERT(served == nullptr);
  served = &entry;
}

ServedEntry::~ServedEntry() {
  served = nullptr;
}

ssize_t send_reply(int fd, std::span<const iovec> pieces) noexcept {
  const fuse_out_header header = header_of(pieces);
  end_request(header.unique, -header.error);
  if (served == nullptr || served->unique() == 0 || header.unique != served->unique()) {
    return ::writev(fd, pieces.data(), static_cast<int>(pieces.size()));
  }
  if (!served->answer(pieces)) {
    errno = EINVAL;
    return -1;
  }
  ssize_t total = 0;
  for (const iovec& piece : pieces) total += static_cast<ssize_t>(piece.iov_len);
  return total;
}

std::span<std::byte> answer_space(std::size_t bytes) {
  if (served != nullptr && bytes <= served->payload().size()) return served->payload().first(bytes);
  // Grown to the largest answer that this thread has made.
  thread_local std::vector<std::byte> buffer;
  if (buffer.size() < bytes) buffer.resize(bytes);
  return std::span(buffer).first(bytes);
}

}  // namespace artfs::fuse
