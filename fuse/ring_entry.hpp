// SPDX-License-Identifier: Apache-2.0
// RingEntry: the memory through which one request at a time travels on the io_uring transport.
//
// Contract:   the kernel writes a request into areas(); request() makes it contiguous, as libfuse reads it, without
//             moving the payload: header and argument are copied into room in front of it. answer() puts the reply
//             where the kernel takes it from. payload() may be used to build a reply once the
//             request's own payload is not needed any more; what already lies at its place is not copied.
// Threading:  one thread at a time.
// Cost:       8 KiB and the payload, mapped; pages that no request touched take no memory.
// Errors:     make: io_failed with the errno of mmap.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "artfs/result.hpp"

#include "fuse/kernel_abi.hpp"

namespace artfs::fuse {

class RingEntry {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RingEntry>> make(std::uint16_t queue,
                                                               std::size_t payload_bytes);
  RingEntry(std::byte* memory, std::uint16_t queue, std::size_t payload_bytes) noexcept;
  RingEntry(const RingEntry&) = delete;
  RingEntry& operator=(const RingEntry&) = delete;
  ~RingEntry();

  // For REGISTER: headers and payload.
  [[nodiscard]] std::span<const iovec, 2> areas() const noexcept { return areas_; }

  [[nodiscard]] std::uint16_t queue() const noexcept { return queue_; }

  // The request that has come; from now on it is to be answered. Empty: its sizes do not fit, which the kernel
  // never does; commit_id() still names it.
  [[nodiscard]] std::span<std::byte> request() noexcept;

  // The number of the request to be answered; 0 once it is.
  [[nodiscard]] std::uint64_t unique() const noexcept { return unique_; }

  [[nodiscard]] std::uint64_t commit_id() const noexcept { return headers().commit_id; }

  // False: not the reply of this request, or larger than the payload.
  [[nodiscard]] bool answer(std::span<const iovec> pieces) noexcept;
  void answer_error(int error) noexcept;

  [[nodiscard]] std::span<std::byte> payload() noexcept { return {payload_, payload_bytes_}; }

 private:
  [[nodiscard]] RingHeaders& headers() const noexcept;
  void put_header(const fuse_out_header& header, std::size_t payload_bytes) noexcept;
  void gather(std::span<const iovec> pieces) noexcept;

  std::byte* memory_;
  std::byte* payload_;
  std::size_t payload_bytes_;
  std::uint16_t queue_;
  std::uint64_t unique_ = 0;
  std::array<iovec, 2> areas_{};
};

}  // namespace artfs::fuse
