// SPDX-License-Identifier: Apache-2.0
#include "fuse/ring_entry.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace artfs::fuse {

namespace {

constexpr std::size_t page_bytes = 4096;
// One page for the headers, one in front of the payload: more than a fuse_in_header and any argument.
constexpr std::size_t headers_bytes = page_bytes;
constexpr std::size_t headroom_bytes = page_bytes;
static_assert(sizeof(RingHeaders) <= headers_bytes);
static_assert(sizeof(fuse_in_header) + sizeof(RingHeaders::argument) <= headroom_bytes);

std::span<const std::byte> bytes_of(const iovec& piece) noexcept {
  return {static_cast<const std::byte*>(piece.iov_base), piece.iov_len};
}

}  // namespace

Result<std::unique_ptr<RingEntry>> RingEntry::make(std::uint16_t queue, std::size_t payload_bytes) {
  void* memory = ::mmap(nullptr, headers_bytes + headroom_bytes + payload_bytes,
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(Errc::io_failed, static_cast<std::uint64_t>(errno));
  return std::make_unique<RingEntry>(static_cast<std::byte*>(memory), queue, payload_bytes);
}

RingEntry::RingEntry(std::byte* memory, std::uint16_t queue, std::size_t payload_bytes) noexcept
    : memory_(memory),
      payload_(memory + headers_bytes + headroom_bytes),
      payload_bytes_(payload_bytes),
      queue_(queue),
      areas_{{{.iov_base = memory_, .iov_len = sizeof(RingHeaders)},
              {.iov_base = payload_, .iov_len = payload_bytes_}}} {}

RingEntry::~RingEntry() {
  ::munmap(memory_, headers_bytes + headroom_bytes + payload_bytes_);
}

RingHeaders& RingEntry::headers() const noexcept {
  return *reinterpret_cast<RingHeaders*>(memory_);
}

std::span<std::byte> RingEntry::request() noexcept {
  fuse_in_header header{};
  std::memcpy(static_cast<void*>(&header), headers().in_out, sizeof header);
  unique_ = header.unique;
  const std::size_t payload_bytes = headers().payload_bytes;
  if (payload_bytes > payload_bytes_ || header.len < sizeof header + payload_bytes) return {};
  const std::size_t argument_bytes = header.len - sizeof header - payload_bytes;
  if (argument_bytes > sizeof(RingHeaders::argument)) return {};
  std::byte* const argument = payload_ - argument_bytes;
  std::memcpy(argument, headers().argument, argument_bytes);
  std::byte* const start = argument - sizeof header;
  std::memcpy(start, &header, sizeof header);
  return {start, header.len};
}

bool RingEntry::answer(std::span<const iovec> pieces) noexcept {
  fuse_out_header header{};
  if (unique_ == 0 || pieces.empty() || pieces.front().iov_len != sizeof header) return false;
  std::memcpy(static_cast<void*>(&header), pieces.front().iov_base, sizeof header);
  const std::span<const iovec> rest = pieces.subspan(1);
  std::size_t total = 0;
  for (const iovec& piece : rest) total += piece.iov_len;
  if (header.unique != unique_ || total > payload_bytes_) return false;
  gather(rest);
  put_header(header, total);
  return true;
}

void RingEntry::answer_error(int error) noexcept {
  fuse_out_header header{};
  header.len = sizeof header;
  header.error = -error;
  header.unique = unique_;
  put_header(header, 0);
}

void RingEntry::put_header(const fuse_out_header& header, std::size_t payload_bytes) noexcept {
  std::memcpy(headers().in_out, &header, sizeof header);
  headers().payload_bytes = static_cast<std::uint32_t>(payload_bytes);
  unique_ = 0;
}

void RingEntry::gather(std::span<const iovec> pieces) noexcept {
  std::byte* const end = payload_ + payload_bytes_;
  bool overlaps =
      false;  // a piece lies in the payload, and not where it goes: an echo of the request
  std::byte* target = payload_;
  for (const iovec& piece : pieces) {
    const std::span<const std::byte> source = bytes_of(piece);
    overlaps = overlaps || (source.data() != target && source.data() < end &&
                            source.data() + source.size() > payload_);
    target += source.size();
  }
  std::vector<std::byte> copy;
  if (overlaps) {
    for (const iovec& piece : pieces) {
      const std::span<const std::byte> source = bytes_of(piece);
      copy.insert(copy.end(), source.begin(), source.end());
    }
    std::memcpy(payload_, copy.data(), copy.size());
    return;
  }
  target = payload_;
  for (const iovec& piece : pieces) {
    const std::span<const std::byte> source = bytes_of(piece);
    if (source.data() != target && !source.empty()) {
      std::memcpy(target, source.data(), source.size());
    }
    target += source.size();
  }
}

}  // namespace artfs::fuse
