// SPDX-License-Identifier: Apache-2.0
// PatchBatch: the patches of one read, from the device, verified.
//
// Contract:   a patch wanted whole is read straight to where it is wanted, neighbours in memory that are
//             neighbours in blocks.dat in one transfer; others are read into memory of their own. What
//             stands behind the valid bytes of a patch comes out as zeros. Patches are not cached: the
//             pool's buffers hold whole blocks, and the system's page cache has what was just written.
// Threading:  one thread; holds no lock.
// Cost:       one batch of transfers; one copy of what is wanted in part.
// Errors:     block_corrupt (detail: the block's number in the file), io_failed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/read_plan.hpp"
#include "io/device.hpp"

namespace artfs::data {

class PatchBatch {
 public:
  PatchBatch(io::File& file, std::uint64_t hash_seed, std::span<const PatchPiece> pieces) noexcept
      : file_(file), hash_seed_(hash_seed), pieces_(pieces) {}

  [[nodiscard]] Result<void> run();

 private:
  // A patch on its way from the device.
  struct Load {
    std::span<std::byte> target;  // the whole unit
    std::size_t transfer = 0;     // number of the transfer that brings it
    std::size_t end = 0;          // of its bytes in the transfer
  };

  [[nodiscard]] Result<void> take_over(const PatchPiece& piece, const Load& load) const;

  io::File& file_;
  const std::uint64_t hash_seed_;
  const std::span<const PatchPiece> pieces_;
  std::vector<io::FileRead> reads_;
};

}  // namespace artfs::data
