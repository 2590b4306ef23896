// SPDX-License-Identifier: Apache-2.0
// SparseBytes: the contents of a file in memory; what was never written takes no room and reads as zero.
//
// Contract:   bytes above the size do not exist: shrinking forgets them, growing shows zeros.
// Threading:  none of its own; the owner serialises.
// Cost:       64 KiB per touched chunk, 8 bytes per untouched one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
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
  using Chunk = std::array<std::byte, chunk_bytes>;

  std::vector<std::unique_ptr<Chunk>> chunks_;  // null: zeros
  std::uint64_t size_ = 0;
};

}  // namespace artfs::io
