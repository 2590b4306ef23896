// SPDX-License-Identifier: Apache-2.0
// ReadPlan: what a read has still to bring from blocks.dat once it no longer holds the inode's lock.
//
// Contract:   made under the inode's lock: everything else was copied then. The pieces stay true as long as
//             nobody frees their blocks; a block that was freed and reused meanwhile does not match its
//             hash any more, which is how a plan that grew old is told from one that is still good.
//             `out` of each piece outlives the plan. Patches lie on top of pieces: they are read last.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/extents.hpp"

namespace artfs::data {

// Bytes [from, from + out.size()) of one written block; what lies behind its valid bytes is zero.
struct BlockPiece {
  Block block;
  std::uint64_t index = 0;  // block number in the file
  std::uint32_t from = 0;
  std::span<std::byte> out;
};

// The same of a patch: bytes of its unit.
struct PatchPiece {
  Patch patch;
  std::uint64_t index = 0;
  std::uint32_t from = 0;
  std::span<std::byte> out;
};

struct ReadPlan {
  std::size_t bytes = 0;  // of the whole read
  std::vector<BlockPiece> pieces;
  std::vector<PatchPiece> patches;
};

}  // namespace artfs::data
