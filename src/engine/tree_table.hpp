// SPDX-License-Identifier: Apache-2.0
// TreeTable: the named trees of a store: roots, counters.
//
// Contract:   trees are added, never removed; a TreeState lives as long as the table. Ids are dense
//             and start at 1. A tree's root frame id never changes.
// Threading:  find: any thread, free of locks. add: one thread at a time (the caller serialises the
//             creation of trees), beside any number of readers.
// Cost:       find by id: one load. find by name: O(trees).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/store.hpp"
#include "artfs/types.hpp"

namespace artfs::engine {

inline constexpr std::size_t trees_max = 1024;  // a store holds a handful; 8 KiB of pointers

struct TreeState {
  TreeState(TreeId tree_id, std::string_view tree_name, FrameId root_frame)
      : id(tree_id), name(tree_name), root(root_frame) {}

  const TreeId id;
  const std::string name;
  const FrameId root;
  // No key put since the open is longer. Changed under a lease of the commit gate.
  std::atomic<std::size_t> key_bytes{0};
  // It had keys when the store was opened: nobody knows how long these are.
  bool has_older_keys = false;
  // A bulk load is being made durable: no change goes into the tree until then. Changed with the commit gate
  // exclusive.
  std::atomic<bool> is_loading{false};
  // How often a prefix was renamed: frames may stand elsewhere although they did not change.
  std::atomic<std::uint64_t> moves{0};
  // How often keys got longer by that.
  std::atomic<std::uint64_t> growths{0};

  void note_key(std::size_t bytes) noexcept {
    std::size_t known = key_bytes.load(std::memory_order_relaxed);
    while (bytes > known &&
           !key_bytes.compare_exchange_weak(known, bytes, std::memory_order_relaxed)) {
    }
  }

  // Keys with a prefix of `from` bytes have one of `to` bytes now.
  void note_move(std::size_t from, std::size_t to) noexcept {
    // Pairs with the acquire of who compares it before and after reading several frames.
    moves.fetch_add(1, std::memory_order_release);
    if (to <= from) return;
    growths.fetch_add(1, std::memory_order_relaxed);
    note_key(std::min(key_bytes_max, key_bytes.load(std::memory_order_relaxed) + to - from));
  }

  // Added to under a lease of the commit gate: with the gate exclusive they agree with the trees. Read by
  // anybody, each by itself.
  std::array<std::atomic<std::int64_t>, tree_counters_max> counters{};
};

class TreeTable {
 public:
  TreeTable() = default;
  TreeTable(const TreeTable&) = delete;
  TreeTable& operator=(const TreeTable&) = delete;
  ~TreeTable();

  [[nodiscard]] TreeState* find(TreeId id) const noexcept;
  [[nodiscard]] TreeState* find(std::string_view name) const noexcept;
  // In order of id.
  [[nodiscard]] std::vector<TreeState*> all() const;

  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

  [[nodiscard]] bool full() const noexcept { return size() == trees_max; }

  [[nodiscard]] TreeId next_id() const noexcept {
    return TreeId{static_cast<std::uint32_t>(size() + 1)};
  }

  // `id` must be next_id().
  TreeState& add(TreeId id, std::string_view name, FrameId root);

 private:
  // Slots below size_ are set and never change again; size_ is stored with release after the slot.
  std::array<std::unique_ptr<TreeState>, trees_max> trees_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace artfs::engine
