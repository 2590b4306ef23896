// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "data/pool/eviction_index.hpp"

namespace artfs::data::pool {

namespace {

class LineageIndex final : public EvictionIndex {
 public:
  explicit LineageIndex(std::size_t slots) : taken_in_turn_(slots) {}

  void add(const IndexEntry& entry) override {
    Family& family = families_[family_of(entry)];
    if (family.turn != 0) turns_.erase(family.turn);
    family.turn = ++last_turn_;
    turns_.emplace(family.turn, family_of(entry));
    insert(family, entry);
  }

  void remove(const IndexEntry& entry) override {
    const auto found = families_.find(family_of(entry));
    ARTFS_ASSERT(found != families_.end());
    const std::size_t removed = found->second.blocks.erase(place_of(entry));
    ARTFS_ASSERT(removed == 1);
    --size_;
    drop_if_empty(found);
  }

  std::optional<Slot> take() override {
    if (turns_.empty()) return std::nullopt;
    const auto found = families_.find(turns_.begin()->second);
    Family& family = found->second;
    const auto last = std::prev(family.blocks.end());
    const Slot slot = last->second;
    family.blocks.erase(last);
    taken_in_turn_[slot.index] = family.turn;
    --size_;
    drop_if_empty(found);
    return slot;
  }

  void restore(const IndexEntry& entry) override {
    Family& family = families_[family_of(entry)];
    if (family.turn == 0) {
      family.turn = taken_in_turn_[entry.slot.index];
      turns_.emplace(family.turn, family_of(entry));
    }
    insert(family, entry);
  }

  std::size_t size() const noexcept override { return size_; }

 private:
  // A file, or one block of which no file is known.
  using Name = std::pair<bool, std::uint64_t>;
  // Two contents of one block number: the one registered later is the later block.
  using Place = std::pair<std::uint64_t, std::uint64_t>;

  struct Family {
    std::uint64_t turn = 0;
    std::map<Place, Slot> blocks;
  };

  using Families = std::map<Name, Family>;

  static Name family_of(const IndexEntry& entry) noexcept {
    if (entry.lineage.known()) return {true, entry.lineage.file};
    return {false, entry.registration};
  }

  static Place place_of(const IndexEntry& entry) noexcept {
    return {entry.lineage.position, entry.registration};
  }

  void insert(Family& family, const IndexEntry& entry) {
    const bool is_new = family.blocks.emplace(place_of(entry), entry.slot).second;
    ARTFS_ASSERT(is_new);
    ++size_;
  }

  void drop_if_empty(Families::iterator found) {
    if (!found->second.blocks.empty()) return;
    turns_.erase(found->second.turn);
    families_.erase(found);
  }

  Families families_;
  std::map<std::uint64_t, Name> turns_;  // the one used last the longest ago first
  std::uint64_t last_turn_ = 0;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> taken_in_turn_;  // by slot: its family's turn when it was taken
};

}  // namespace

std::unique_ptr<EvictionIndex> make_lineage_index(std::size_t slots) {
  return std::make_unique<LineageIndex>(slots);
}

}  // namespace artfs::data::pool
