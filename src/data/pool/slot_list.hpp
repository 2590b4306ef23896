// SPDX-License-Identifier: Apache-2.0
// SlotList: slots in an order, linked through one array that several lists share.
//
// Contract:   a slot is in at most one of the lists that share a SlotLinks; callers keep that.
// Threading:  the owner serialises.
// Cost:       O(1) per call, 8 bytes per slot, no allocation after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.hpp"
#include "data/pool/slot.hpp"

namespace artfs::data::pool {

class SlotLinks {
 public:
  explicit SlotLinks(std::size_t slots) : links_(slots) {}

 private:
  friend class SlotList;

  static constexpr std::uint32_t none = ~std::uint32_t{0};

  struct Link {
    std::uint32_t before = none;
    std::uint32_t after = none;
  };

  std::vector<Link> links_;
};

class SlotList {
 public:
  explicit SlotList(SlotLinks& links) noexcept : links_(&links) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] std::optional<Slot> front() const noexcept {
    if (empty()) return std::nullopt;
    return Slot{front_};
  }

  void push_back(Slot slot) noexcept {
    link(slot).before = back_;
    link(slot).after = SlotLinks::none;
    (back_ == SlotLinks::none ? front_ : links_->links_[back_].after) = slot.index;
    back_ = slot.index;
    ++size_;
  }

  void push_front(Slot slot) noexcept {
    link(slot).before = SlotLinks::none;
    link(slot).after = front_;
    (front_ == SlotLinks::none ? back_ : links_->links_[front_].before) = slot.index;
    front_ = slot.index;
    ++size_;
  }

  void remove(Slot slot) noexcept {
    ARTFS_ASSERT(size_ > 0);
    const SlotLinks::Link& own = link(slot);
    (own.before == SlotLinks::none ? front_ : links_->links_[own.before].after) = own.after;
    (own.after == SlotLinks::none ? back_ : links_->links_[own.after].before) = own.before;
    --size_;
  }

  [[nodiscard]] std::optional<Slot> take_front() noexcept {
    const std::optional<Slot> first = front();
    if (first) remove(*first);
    return first;
  }

 private:
  SlotLinks::Link& link(Slot slot) noexcept { return links_->links_[slot.index]; }

  SlotLinks* links_;
  std::uint32_t front_ = SlotLinks::none;
  std::uint32_t back_ = SlotLinks::none;
  std::size_t size_ = 0;
};

}  // namespace artfs::data::pool
