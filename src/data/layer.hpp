// SPDX-License-Identifier: Apache-2.0
// Layer: one layer of a Buffer: a size, a cut, the bytes written above what lies below.
//
// Contract:   the layer says: below me, everything from `cut` on is void, and so are the blocks of
//             `punched` and `zeroed`; then the holes of `preallocate` get space; on top of that come the
//             valid bytes of `blocks`; the file ends at `size`. What is neither valid here nor visible
//             below reads as zeros.
// Threading:  as Buffer. The in-flight layer is not changed while a flush reads it without the lock.
// Cost:       a block holds its bytes from the first valid unit to the last valid byte, rounded up by
//             doubling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "data/block_ranges.hpp"

namespace artfs::data {

struct ByteSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

// Sorted, disjoint, not touching.
class ByteSpans {
 public:
  void add(ByteSpan span);
  void remove(ByteSpan span);
  void clip(std::uint32_t end);  // forget everything from `end` on
  [[nodiscard]] bool covers(ByteSpan span) const noexcept;

  [[nodiscard]] bool empty() const noexcept { return spans_.empty(); }

  [[nodiscard]] std::uint32_t end() const noexcept { return empty() ? 0 : spans_.back().end; }

  [[nodiscard]] const std::vector<ByteSpan>& all() const noexcept { return spans_; }

  // Calls present(span) and missing(span) for the parts of `span`, ascending.
  template <typename Present, typename Missing>
  void split(ByteSpan span, Present&& present, Missing&& missing) const {
    std::uint32_t at = span.begin;
    for (const ByteSpan& valid : spans_) {
      const std::uint32_t begin = std::max(valid.begin, at);
      const std::uint32_t end = std::min(valid.end, span.end);
      if (begin >= end) continue;
      if (at < begin) missing(ByteSpan{at, begin});
      present(ByteSpan{begin, end});
      at = end;
    }
    if (at < span.end) missing(ByteSpan{at, span.end});
  }

 private:
  std::vector<ByteSpan> spans_;
};

struct DirtyBlock {
  std::uint32_t start = 0;       // in the block, of bytes[0]; where a unit begins
  std::vector<std::byte> bytes;  // up to valid.end()
  ByteSpans valid;
  ByteSpans logged;         // of valid: the newest logged write of these bytes says the same
  bool has_logged = false;  // a logged write of the block stands, of these bytes or older ones
  std::uint32_t reserved_units = 0;

  // Of a span that lies between `start` and valid.end().
  [[nodiscard]] std::span<const std::byte> at(ByteSpan span) const noexcept {
    return std::span(bytes).subspan(span.begin - start, span.end - span.begin);
  }

  void write(std::uint32_t from, std::span<const std::byte> data, std::uint32_t block_bytes);
  void clip(std::uint32_t end);
  // Takes over the bytes of `below` that are not valid here.
  void fill_from(const DirtyBlock& below, std::uint32_t block_bytes);
};

inline constexpr std::uint64_t no_cut = ~std::uint64_t{0};

struct Layer {
  std::uint64_t size = 0;
  std::uint64_t cut = no_cut;
  std::map<std::uint64_t, DirtyBlock> blocks;  // by block number
  BlockRanges punched;                         // below: no bytes and no space
  BlockRanges zeroed;                          // below: no bytes; space never written stays
  std::uint64_t voided_units = 0;              // what both take from the space below
  std::vector<BlockRange> preallocate;         // holes to be backed with space
  std::uint64_t preallocate_units = 0;         // promised to them
  std::uint64_t reserved_units = 0;            // promised in all: blocks and preallocate
  std::uint64_t held_bytes = 0;                // memory of blocks
  std::uint64_t logged_size = 0;               // the file is that long, a logged write says

  // There is more than bytes written and growth: below, something goes or gets space.
  [[nodiscard]] bool reshapes() const noexcept {
    return cut != no_cut || !punched.empty() || !zeroed.empty() || !preallocate.empty();
  }

  // No byte of the block can be seen from below, wherever the cut is.
  [[nodiscard]] bool voids(std::uint64_t index) const noexcept {
    return punched.contains(index) || zeroed.contains(index);
  }

  void write(std::uint64_t index, std::uint32_t from, std::span<const std::byte> data,
             std::uint32_t block_bytes);
  // The blocks read as zeros from now on, here and below; punched: their space goes too. Returns the
  // promised units set free.
  [[nodiscard]] std::uint64_t void_blocks(BlockRange range, bool punch);
  // The file ends at `new_size` from now on, below too. Returns the promised units set free.
  [[nodiscard]] std::uint64_t cut_at(std::uint64_t new_size, std::uint32_t block_bytes);
  // Puts the layer `below` under this one and becomes both. Returns the promised units set free.
  [[nodiscard]] std::uint64_t absorb(Layer&& below, std::uint32_t block_bytes);
  // Moves the blocks that `goes` names by number to a layer of their own, which will lie on this one.
  [[nodiscard]] Layer split_off(const std::function<bool(std::uint64_t, const DirtyBlock&)>& goes);
};

}  // namespace artfs::data
