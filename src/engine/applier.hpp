// SPDX-License-Identifier: Apache-2.0
// Applier: the operations of a transaction, planned and applied: the one path for live changes and
// replay.
//
// Contract:   plan() first, with every frame the operations touch made resident and pinned by the
//             plan; then apply() of the same operations cannot fail (AP of art/tree.hpp). Operations
//             are the encoded form of wal/record.hpp and were validated when they were encoded or
//             covered by the log's checksum.
// Threading:  the caller holds the latches of all trees named exclusively from plan() to the end of
//             apply(), and the commit gate shared around apply(). create_tree: one thread at a time.
// Cost:       O(bytes of the operations) and a descent for each.
// Errors:     plan: frame_not_resident (detail: its id), frame_corrupt, tree_not_found, log_corrupt.
// Invariants: replayed changes pass through Pin::write() like live ones, so they are dirty.
#pragma once

#include <cstddef>
#include <string_view>

#include "art/tree.hpp"
#include "engine/tree_table.hpp"
#include "frame/cache.hpp"

namespace artfs::engine {

class Applier {
 public:
  Applier(TreeTable& trees, frame::Cache& cache) noexcept : trees_(trees), cache_(cache) {}

  [[nodiscard]] art::TreeView view(const TreeState& tree) const noexcept {
    return {cache_, tree.root};
  }

  struct Plan {
    art::WritePlan writes;
    std::size_t trees_created = 0;

    [[nodiscard]] std::size_t frames_needed() const noexcept {
      return writes.frames_needed() + trees_created;
    }

    void clear() noexcept {
      writes.clear();
      trees_created = 0;
    }
  };

  [[nodiscard]] Result<void> plan(std::string_view operations, Plan& plan) const;
  void apply(std::string_view operations, Lsn version, frame::FrameReserve& reserve) const;

 private:
  TreeTable& trees_;
  frame::Cache& cache_;
};

}  // namespace artfs::engine
