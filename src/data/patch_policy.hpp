// SPDX-License-Identifier: Apache-2.0
// When a flush writes a block whole and when only the units that changed.
//
// Contract:   a pure decision. Whole blocks are named by their content, found by others and read in one
//             transfer; patches cost their own units only, and nothing is read for them. So patches are
//             for few changes of a block that holds much else, and for as long as they stay few.
//             Space put aside takes first writes where they belong, so that they never need fresh space,
//             and becomes an ordinary block when all of it is written.
// Invariants: FRESH: a patch goes in place only where no patch was before. What is decided needs no more
//             fresh units than were promised to the block.
#pragma once

#include <bitset>
#include <cstdint>

#include "data/extents.hpp"
#include "data/layer.hpp"

namespace artfs::data {

inline constexpr std::uint32_t block_units_max =
    format::block_bytes_max / format::content_unit_bytes;
using UnitSet = std::bitset<block_units_max>;

// A block is written whole when more than a quarter of it changed: what a patch saves in bytes written is
// less than what its record and the scattered reads cost then.
inline constexpr std::uint32_t patched_share = 4;
// Patches that hide units of the base double the space of these units; with eight of them a read of the
// block takes nine transfers. Never more than half of what the base takes.
inline constexpr std::uint32_t patches_displaced_max = 8;

enum class BlockWay : std::uint8_t {
  whole,
  patch,   // the units that changed, each in a unit of its own or in place
  settle,  // the last units of space put aside, in place: the block is written then
};

struct BlockChange {
  const Block& old;
  UnitSet dirty;                   // units that changed
  std::uint32_t stored_bytes = 0;  // where the bytes end afterwards
  std::uint32_t block_units = 0;   // of any whole block
  std::uint32_t promised_units = 0;
};

// Units that the layer has bytes of.
[[nodiscard]] UnitSet units_of(const ByteSpans& spans) noexcept;

// A first write to space put aside: nothing durable names the unit's bytes.
[[nodiscard]] bool goes_in_place(const Block& old, std::uint32_t unit) noexcept;

[[nodiscard]] BlockWay choose_way(const BlockChange& change) noexcept;

}  // namespace artfs::data
