// SPDX-License-Identifier: Apache-2.0
// Applier: the operations of a transaction, planned and applied: the one path for live changes and
// replay.
//
// Contract:   plan() first, into a plan that may hold what the change read; then plan.writes.latch(); then
//             apply() of the same operations cannot fail (AP of art/plan.hpp). Operations are the
//             encoded form of wal/record.hpp, stay where they are until the plan is cleared, and were
//             validated when they were encoded or covered by the log's checksum.
// Threading:  the caller holds a lease of the commit gate, or the gate exclusive, from the plan's first use
//             to its end. create_tree: one thread at a time.
// Cost:       O(bytes of the operations) and a descent for each.
// Errors:     plan: frame_not_resident (detail: its id), contended, frame_corrupt, tree_not_found,
//             log_corrupt.
// Invariants: replayed changes pass through Pin::write() like live ones, so they are dirty.
#pragma once

#include <cstddef>
#include <string_view>

#include "art/plan.hpp"
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
    bool must_wait = false;  // why plan() was contended: a bulk load is about to publish the tree

    [[nodiscard]] std::size_t frames_needed() const noexcept {
      return writes.frames_needed() + trees_created;
    }

    // For another attempt of the same change.
    void restart() noexcept {
      writes.restart();
      trees_created = 0;
      must_wait = false;
    }

    void clear() noexcept {
      writes.clear();
      trees_created = 0;
      must_wait = false;
    }
  };

  [[nodiscard]] Result<void> plan(std::string_view operations, Plan& plan) const;
  // `plan` is latched, and holds what `reserve` must have.
  void apply(std::string_view operations, Lsn version, Plan& plan,
             frame::FrameReserve& reserve) const;

 private:
  TreeTable& trees_;
  frame::Cache& cache_;
};

}  // namespace artfs::engine
