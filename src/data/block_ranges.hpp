// SPDX-License-Identifier: Apache-2.0
// BlockRanges: a set of block numbers, kept as ranges; as wide as a file may be.
//
// Contract:   ranges are sorted, disjoint and do not touch; a range of no blocks changes nothing.
// Cost:       add, remove: logarithmic in the ranges held, plus those they swallow.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace artfs::data {

struct BlockRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  [[nodiscard]] std::uint64_t end() const noexcept { return first + count; }

  [[nodiscard]] bool contains(std::uint64_t index) const noexcept {
    return index >= first && index - first < count;
  }
};

class BlockRanges {
 public:
  void add(BlockRange range) {
    if (range.count == 0) return;
    std::uint64_t first = range.first;
    std::uint64_t end = range.end();
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin() && std::prev(at)->second >= first) --at;
    while (at != ranges_.end() && at->first <= end) {
      first = std::min(first, at->first);
      end = std::max(end, at->second);
      at = ranges_.erase(at);
    }
    ranges_[first] = end;
  }

  void add(const BlockRanges& other) {
    for (const auto& [first, end] : other.ranges_) add({.first = first, .count = end - first});
  }

  [[nodiscard]] bool contains(std::uint64_t index) const noexcept {
    const auto above = ranges_.upper_bound(index);
    return above != ranges_.begin() && index < std::prev(above)->second;
  }

  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }

  // First block of a range -> the block behind its last, ascending.
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& all() const noexcept {
    return ranges_;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
};

}  // namespace artfs::data
