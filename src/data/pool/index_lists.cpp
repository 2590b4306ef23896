// SPDX-License-Identifier: Apache-2.0
// The eviction indexes that are one order: by registration, and by the last use.
#include <map>

#include "base/assert.hpp"
#include "data/pool/eviction_index.hpp"
#include "data/pool/slot_list.hpp"

namespace artfs::data::pool {

namespace {

class FifoIndex final : public EvictionIndex {
 public:
  void add(const IndexEntry& entry) override {
    const bool is_new = order_.emplace(entry.registration, entry.slot).second;
    ARTFS_ASSERT(is_new);
  }

  void remove(const IndexEntry& entry) override {
    const std::size_t removed = order_.erase(entry.registration);
    ARTFS_ASSERT(removed == 1);
  }

  std::optional<Slot> take() override {
    if (order_.empty()) return std::nullopt;
    const auto first = order_.begin();
    const Slot slot = first->second;
    order_.erase(first);
    return slot;
  }

  void restore(const IndexEntry& entry) override { add(entry); }

  std::size_t size() const noexcept override { return order_.size(); }

 private:
  std::map<std::uint64_t, Slot> order_;  // by registration
};

class LruIndex final : public EvictionIndex {
 public:
  explicit LruIndex(std::size_t slots) : links_(slots), list_(links_) {}

  void add(const IndexEntry& entry) override { list_.push_back(entry.slot); }

  void remove(const IndexEntry& entry) override { list_.remove(entry.slot); }

  std::optional<Slot> take() override { return list_.take_front(); }

  void restore(const IndexEntry& entry) override { list_.push_front(entry.slot); }

  std::size_t size() const noexcept override { return list_.size(); }

 private:
  SlotLinks links_;
  SlotList list_;
};

}  // namespace

std::unique_ptr<EvictionIndex> make_fifo_index() {
  return std::make_unique<FifoIndex>();
}

std::unique_ptr<EvictionIndex> make_lru_index(std::size_t slots) {
  return std::make_unique<LruIndex>(slots);
}

std::unique_ptr<EvictionIndex> make_index(BlockCachePolicy policy, std::size_t slots,
                                          const FrequencySketch& sketch) {
  switch (policy) {
    case BlockCachePolicy::fifo:
      return make_fifo_index();
    case BlockCachePolicy::lru:
      return make_lru_index(slots);
    case BlockCachePolicy::multi_lru:
      return make_multi_lru_index(slots, sketch);
    case BlockCachePolicy::lineage:
      return make_lineage_index(slots);
  }
  ARTFS_ASSERT(false && "unknown policy");
  return nullptr;
}

}  // namespace artfs::data::pool
