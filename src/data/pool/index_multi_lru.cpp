// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <vector>

#include "base/assert.hpp"
#include "data/pool/eviction_index.hpp"
#include "data/pool/slot_list.hpp"

namespace artfs::data::pool {

namespace {

class MultiLruIndex final : public EvictionIndex {
 public:
  MultiLruIndex(std::size_t slots, const FrequencySketch& sketch)
      : sketch_(sketch),
        links_(slots),
        levels_{SlotList(links_), SlotList(links_), SlotList(links_), SlotList(links_)},
        entries_(slots) {}

  void add(const IndexEntry& entry) override {
    sink_faded();
    push(entry.slot, entry.hash);
  }

  void remove(const IndexEntry& entry) override {
    levels_[entries_[entry.slot.index].level].remove(entry.slot);
    --size_;
  }

  std::optional<Slot> take() override {
    for (SlotList& level : levels_) {
      if (const std::optional<Slot> slot = level.take_front()) {
        --size_;
        return slot;
      }
    }
    return std::nullopt;
  }

  // The level it was taken from still stands in its entry.
  void restore(const IndexEntry& entry) override {
    levels_[entries_[entry.slot.index].level].push_front(entry.slot);
    ++size_;
  }

  std::size_t size() const noexcept override { return size_; }

 private:
  static constexpr std::size_t levels_count = 4;

  struct Entry {
    base::Hash128 hash{};
    std::uint8_t level = 0;
  };

  // 0 to 1, 2 to 3, 4 to 7, 8 to 15 touches.
  [[nodiscard]] std::uint8_t level_of(const base::Hash128& hash) const noexcept {
    const unsigned frequency = sketch_.estimate(hash);
    if (frequency < 2) return 0;
    if (frequency < 4) return 1;
    return frequency < 8 ? 2 : 3;
  }

  void push(Slot slot, const base::Hash128& hash) {
    entries_[slot.index] = {.hash = hash, .level = level_of(hash)};
    levels_[entries_[slot.index].level].push_back(slot);
    ++size_;
  }

  // One look per level and block added: what was popular once does not stay for ever. Not in take(), whose
  // order restore() must be able to bring back.
  void sink_faded() {
    for (std::size_t level = 1; level < levels_count; ++level) {
      const std::optional<Slot> oldest = levels_[level].front();
      if (!oldest) continue;
      const base::Hash128 hash = entries_[oldest->index].hash;
      if (level_of(hash) >= level) continue;
      levels_[level].remove(*oldest);
      --size_;
      push(*oldest, hash);
    }
  }

  const FrequencySketch& sketch_;
  SlotLinks links_;
  std::array<SlotList, levels_count> levels_;
  std::vector<Entry> entries_;  // by slot
  std::size_t size_ = 0;
};

}  // namespace

std::unique_ptr<EvictionIndex> make_multi_lru_index(std::size_t slots,
                                                    const FrequencySketch& sketch) {
  return std::make_unique<MultiLruIndex>(slots, sketch);
}

}  // namespace artfs::data::pool
