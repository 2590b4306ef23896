// SPDX-License-Identifier: Apache-2.0
// SparseBytes: the contents of a file in memory; what was never written takes no room and reads as zero.
//
// Contract:   bytes above the size do not exist: shrinking forgets them, growing shows zeros. Clones share
//             chunks until one of them changes them.
// Threading:  none of its own; the owner serialises. Clones may belong to different threads.
// Cost:       64 KiB per touched chunk, 8 bytes per untouched one; a clone 8 bytes for each.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "artfs/types.hpp"

namespace artfs::io {

class SparseBytes {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  void resize(std::uint64_t size_bytes);
  // [offset, offset + out.size()) lies below the size.
  void read(std::uint64_t offset, std::span<std::byte> out) const noexcept;
  // Extends the size when needed.
  void write(std::uint64_t offset, std::span<const std::byte> data);
  // Zeroes the part of the range that lies below the size.
  void zero(std::uint64_t offset, std::uint64_t length);
  [[nodiscard]] SparseBytes clone() const;

 private:
  static constexpr std::size_t chunk_bytes = 64 * kib;

  struct Chunk {
    std::atomic<std::uint64_t> owners{1};
    std::array<std::byte, chunk_bytes> bytes{};
  };

  // A share of a chunk, or none. Not a shared_ptr: its use_count() orders nothing, and who finds
  // himself the only owner left must see that the others are done reading.
  class ChunkRef {
   public:
    ChunkRef() noexcept = default;

    ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}

    ChunkRef& operator=(ChunkRef&& other) noexcept {
      std::swap(chunk_, other.chunk_);
      return *this;
    }

    ~ChunkRef() { reset(); }

    [[nodiscard]] const std::byte* data() const noexcept {
      return chunk_ == nullptr ? nullptr : chunk_->bytes.data();
    }

    [[nodiscard]] ChunkRef share() const noexcept;
    // For change: copied when others share it, made of zeros when there is none.
    [[nodiscard]] std::byte* own();
    void reset() noexcept;

   private:
    Chunk* chunk_ = nullptr;
  };

  std::vector<ChunkRef> chunks_;  // none: zeros
  std::uint64_t size_ = 0;
};

}  // namespace artfs::io
