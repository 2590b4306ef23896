// SPDX-License-Identifier: Apache-2.0
#include "io/slot_book.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::io {

void SlotBook::restore(std::span<const SlotId> in_use, std::uint64_t capacity) {
  std::vector<std::uint64_t> used;
  used.reserve(in_use.size());
  for (const SlotId slot : in_use) used.push_back(slot.raw);
  std::sort(used.begin(), used.end());
  ARTFS_ASSERT(std::adjacent_find(used.begin(), used.end()) == used.end());
  free_ = {};
  next_ = 1;
  for (const std::uint64_t slot : used) {
    ARTFS_ASSERT(slot != 0);
    for (; next_ < slot; ++next_) free_.push(next_);
    next_ = slot + 1;
  }
  capacity_ = std::max(capacity, next_ - 1);
  promised_ = 0;
}

void SlotBook::grow(std::uint64_t capacity) noexcept {
  ARTFS_ASSERT(capacity >= capacity_);
  capacity_ = capacity;
}

std::uint64_t SlotBook::available() const noexcept {
  return free_.size() + (capacity_ + 1 - next_) - promised_;
}

void SlotBook::promise(std::uint64_t count) noexcept {
  ARTFS_ASSERT(count <= available());
  promised_ += count;
}

void SlotBook::take_back(std::uint64_t count) noexcept {
  ARTFS_ASSERT(count <= promised_);
  promised_ -= count;
}

SlotId SlotBook::allocate() {
  ARTFS_ASSERT(promised_ > 0);
  --promised_;
  if (free_.empty()) return SlotId{next_++};
  const SlotId slot{free_.top()};
  free_.pop();
  return slot;
}

void SlotBook::free(SlotId slot) {
  ARTFS_ASSERT(slot && slot.raw < next_);
  free_.push(slot.raw);
}

}  // namespace artfs::io
