// SPDX-License-Identifier: Apache-2.0
// BlobStore: frames by slot number, without knowing what is in them.
//
// Contract:   a slot holds one frame of 512 KiB. Which frame stands in which slot is the caller's to
//             remember; a slot may be freed only when no durable state names it any more.
//             Nothing above may assume a local file: a remote store implements the same calls.
// Threading:  all calls from any thread. Reads and writes of the same pages do not overlap (caller).
// Cost:       read, write and sync go to the device; allocate does only when the file must grow.
// Errors:     no_space from reserve and allocate; io_failed.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

namespace artfs::io {

using SlotId = StrongId<struct SlotIdTag>;  // 1-based: zero is no slot

inline constexpr std::size_t frame_bytes = 512 * kib;
inline constexpr std::size_t page_bytes = 4 * kib;
inline constexpr std::size_t pages_per_frame = frame_bytes / page_bytes;

struct PageWrite {
  SlotId slot;
  std::uint32_t first_page = 0;
  std::span<const std::byte> pages;  // a multiple of page_bytes, aligned to page_bytes
};

struct PageRead {
  SlotId slot;
  std::uint32_t first_page = 0;
  std::span<std::byte> out;  // as for read()
};

class BlobStore {
 public:
  BlobStore() = default;
  BlobStore(const BlobStore&) = delete;
  BlobStore& operator=(const BlobStore&) = delete;
  virtual ~BlobStore() = default;

  // `out`: a multiple of page_bytes, aligned to page_bytes. A slot never written reads as zeros.
  [[nodiscard]] virtual Result<void> read(SlotId slot, std::uint32_t first_page,
                                          std::span<std::byte> out) = 0;

  // Does all of them, several at a time where the device can: a store that cannot does one after the
  // other. On failure what the buffers hold is unknown.
  [[nodiscard]] virtual Result<void> read_batch(std::span<const PageRead> reads) {
    for (const PageRead& one : reads) ARTFS_TRY(read(one.slot, one.first_page, one.out));
    return {};
  }

  // Writes all; sorts and coalesces neighbours itself. Not durable before sync().
  [[nodiscard]] virtual Result<void> write(std::span<const PageWrite> writes) = 0;
  [[nodiscard]] virtual Result<void> sync() = 0;

  // Makes sure that `count` further allocate() calls succeed; grows the file in steps. The promise
  // is consumed by allocate() and given back by unreserve().
  [[nodiscard]] virtual Result<void> reserve(std::size_t count) = 0;
  virtual void unreserve(std::size_t count) noexcept = 0;
  // Takes one slot out of an earlier reserve(); cannot fail.
  [[nodiscard]] virtual SlotId allocate() noexcept = 0;
  virtual void free(SlotId slot) noexcept = 0;
  // At open: exactly these slots are in use.
  virtual void restore(std::span<const SlotId> in_use) = 0;

  [[nodiscard]] virtual std::uint64_t size_bytes() const noexcept = 0;  // of the device or file
  [[nodiscard]] virtual bool is_direct() const noexcept = 0;

  // True when batches keep several transfers in flight (io_uring).
  [[nodiscard]] virtual bool is_queued() const noexcept { return false; }
};

}  // namespace artfs::io
