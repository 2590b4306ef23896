// SPDX-License-Identifier: Apache-2.0
// EvictionIndex: the inactive blocks of a pool, in the order in which they will be taken.
//
// Contract:   add() when the last handle of a block is gone, remove() when the block is found again, take()
//             the next to go. A taken slot is put back by restore(): called in the reverse order of the
//             takes, with nothing between, the order is what it was. A slot is in the index at most once.
//             fifo       what was registered first goes first, used again or not
//             lru        what was used last the longest ago goes first
//             multi_lru  four levels by frequency; the lowest first, inside a level as lru. A block whose
//                        frequency faded moves down when it comes to the front of its level
//             lineage    files as lru; of the file that is next, later blocks before earlier ones, so that
//                        what stays is a prefix. A block without lineage counts as a file of its own
// Threading:  the pool's lock serialises. The sketch is read, never changed.
// Cost:       O(1); fifo and lineage O(log slots). No allocation for lru and multi_lru.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "artfs/options.hpp"

#include "data/pool/frequency_sketch.hpp"
#include "data/pool/slot.hpp"

namespace artfs::data::pool {

struct IndexEntry {
  Slot slot;
  base::Hash128 hash{};
  Lineage lineage{};
  std::uint64_t registration = 0;  // ascending in the order of registration
};

class EvictionIndex {
 public:
  EvictionIndex() = default;
  EvictionIndex(const EvictionIndex&) = delete;
  EvictionIndex& operator=(const EvictionIndex&) = delete;
  virtual ~EvictionIndex() = default;

  virtual void add(const IndexEntry& entry) = 0;
  virtual void remove(const IndexEntry& entry) = 0;
  [[nodiscard]] virtual std::optional<Slot> take() = 0;
  virtual void restore(const IndexEntry& entry) = 0;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
};

// The sketch outlives the index.
[[nodiscard]] std::unique_ptr<EvictionIndex> make_index(BlockCachePolicy policy, std::size_t slots,
                                                        const FrequencySketch& sketch);

[[nodiscard]] std::unique_ptr<EvictionIndex> make_fifo_index();
[[nodiscard]] std::unique_ptr<EvictionIndex> make_lru_index(std::size_t slots);
[[nodiscard]] std::unique_ptr<EvictionIndex> make_multi_lru_index(std::size_t slots,
                                                                  const FrequencySketch& sketch);
[[nodiscard]] std::unique_ptr<EvictionIndex> make_lineage_index(std::size_t slots);

}  // namespace artfs::data::pool
