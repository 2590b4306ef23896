// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <bitset>
#include <vector>

#include "art/descend.hpp"
#include "art/tree.hpp"

namespace artfs::art {

namespace {

constexpr std::size_t problems_max = 100;
constexpr std::size_t units_per_frame = format::frame_bytes / format::unit_bytes;

// Walks every object once. No two objects, free blocks included, share a unit of space.
class FrameWalk {
 public:
  FrameWalk(FrameId id, std::span<const std::byte> bytes, FrameCheck& check)
      : id_(id), view_(bytes), check_(&check) {}

  void run() {
    const format::FrameHeader& header = view_.header();
    bump_ = header.bump;
    if (header.magic != format::frame_magic || header.id != id_.raw) {
      return problem("the header names another frame", header.id);
    }
    if (bump_ < format::page_bytes || bump_ > format::frame_bytes) {
      return problem("the bump offset lies outside the frame", bump_);
    }
    if (view_.root() != no_ref) {
      note_root();
      todo_.push_back({.ref = view_.root()});
    }
    while (!todo_.empty() && !is_hopeless()) {
      const Todo todo = todo_.back();
      todo_.pop_back();
      visit(todo);
    }
    for (const CrossingSeen& seen : crossings_) check_crossing(seen);
    const std::size_t live_bytes = used_.count() * format::unit_bytes;
    const std::size_t free_bytes = check_free_lists();
    expect("live bytes", header.bytes_live, live_bytes);
    expect("free bytes", header.bytes_free, free_bytes);
    expect("leaves", header.leaves, leaves_);
    expect("nodes", header.nodes, nodes_);
    expect("crossings", header.crossings, crossings_.size());
    expect("used space (FS)", bump_ - format::page_bytes, live_bytes + free_bytes);
    check_->keys += leaves_;
    check_->bytes_live += live_bytes;
  }

 private:
  struct Todo {
    Ref ref = no_ref;
    std::size_t key_bytes = 0;  // above the object, in this frame
    bool is_own = false;
  };

  struct CrossingSeen {
    Ref ref = no_ref;
    EdgeSet edges;
  };

  [[nodiscard]] bool is_hopeless() const noexcept {
    return check_->problems.size() >= problems_max;
  }

  void problem(std::string_view what, std::size_t at) {
    if (is_hopeless()) return;
    check_->problems.push_back(fmt::format("{} ({:#x})", what, at));
  }

  void expect(std::string_view what, std::size_t stored, std::size_t counted) {
    if (stored == counted || is_hopeless()) return;
    check_->problems.push_back(
        fmt::format("{}: the header says {}, found {}", what, stored, counted));
  }

  void note_root() {
    Node root;
    frame::Leaf leaf;
    if (view_.leaf(view_.root(), leaf)) {
      if (!leaf.suffix.empty()) check_->root_edges.set(static_cast<std::uint8_t>(leaf.suffix[0]));
    } else if (view_.node(view_.root(), root) && !root.label.empty()) {
      check_->root_edges.set(static_cast<std::uint8_t>(root.label[0]));
    } else if (view_.node(view_.root(), root)) {
      const Edges edges = edges_of(root);
      for (std::size_t i = 0; i < edges.count; ++i) check_->root_edges.set(edges.bytes[i]);
    }
  }

  // Marks the object's space; false when it is taken or lies outside.
  [[nodiscard]] bool claim(Ref ref, std::size_t bytes) {
    if (ref < format::object_ref_min || format::offset_of(ref) + bytes > bump_) {
      problem("an object lies outside the used space", ref);
      return false;
    }
    const std::size_t end = ref + bytes / format::unit_bytes;
    for (std::size_t unit = ref; unit < end; ++unit) {
      if (used_[unit]) {
        problem("two objects share space", ref);
        return false;
      }
      used_[unit] = true;
    }
    return true;
  }

  void visit(const Todo& todo) {
    frame::Leaf leaf;
    Node node;
    if (view_.leaf(todo.ref, leaf)) {
      if (!claim(todo.ref, leaf.bytes())) return;
      ++leaves_;
      if (todo.is_own && !leaf.suffix.empty()) problem("an own value has a suffix", todo.ref);
      check_key_bytes(todo.key_bytes + leaf.suffix.size(), todo.ref);
    } else if (!todo.is_own && view_.node(todo.ref, node)) {
      if (!claim(todo.ref, node.bytes())) return;
      ++nodes_;
      visit_node(todo, node);
    } else {
      problem("a reference leads to no leaf or node", todo.ref);
    }
  }

  void visit_node(const Todo& todo, const Node& node) {
    const Edges edges = edges_of(node);
    const std::size_t key_bytes = todo.key_bytes + node.label.size();
    check_key_bytes(key_bytes, todo.ref);
    if (edges.count != node.count) problem("the edge count is wrong", todo.ref);
    if (edges.count == 0 && node.own == no_ref) problem("a node is empty", todo.ref);
    for (std::size_t i = 1; i < edges.count; ++i) {
      if (edges.bytes[i - 1] >= edges.bytes[i]) problem("edges are out of order", todo.ref);
    }
    if (node.own != no_ref) {
      todo_.push_back({.ref = node.own, .key_bytes = key_bytes, .is_own = true});
    }
    const std::size_t first_crossing = crossings_.size();
    for (std::size_t i = 0; i < edges.count; ++i) {
      if (view_.kind(edges.children[i]) == ObjectKind::crossing) {
        note_crossing(first_crossing, edges.children[i], edges.bytes[i]);
      } else {
        todo_.push_back({.ref = edges.children[i], .key_bytes = key_bytes + 1});
      }
    }
  }

  // Edges of one node share a crossing; edges of different nodes do not (claim finds them).
  void note_crossing(std::size_t first_of_node, Ref ref, std::uint8_t byte) {
    std::size_t i = crossings_.size();
    while (i > first_of_node && crossings_[i - 1].ref != ref) --i;
    if (i == first_of_node) {
      if (!claim(ref, frame::crossing_bytes)) return;
      crossings_.push_back({.ref = ref, .edges = {}});
      i = crossings_.size();
    }
    crossings_[i - 1].edges.set(byte);
  }

  void check_crossing(const CrossingSeen& seen) {
    const FrameId child = view_.crossing(seen.ref);
    const auto& crossing = *reinterpret_cast<const format::Crossing*>(view_.at(seen.ref));
    if (!child || child == id_) problem("a crossing leads nowhere", seen.ref);
    if (crossing.edges != seen.edges.count()) problem("a crossing's edge count is wrong", seen.ref);
    check_->children.push_back(child);
    check_->child_edges.push_back(seen.edges);
  }

  void check_key_bytes(std::size_t bytes, Ref ref) {
    if (bytes > key_bytes_max) problem("a key is too long", ref);
  }

  // Claims the free blocks; returns their bytes.
  std::size_t check_free_lists() {
    std::size_t free_units = 0;
    for (std::size_t list = 0; list < format::free_lists; ++list) {
      Ref ref = view_.header().free_heads[list];
      while (ref != no_ref) {
        const auto& block = *reinterpret_cast<const format::FreeBlock*>(view_.at(ref));
        const std::size_t units = block.units;
        const bool is_listed = view_.kind(ref) == ObjectKind::free_block && units != 0 &&
                               frame::free_list_of(units) == list;
        if (!is_listed) {
          problem("a free list leads to no free block of its size", ref);
          break;
        }
        if (!claim(ref, units * format::unit_bytes)) break;
        free_units += units;
        ref = block.next;
      }
    }
    return free_units * format::unit_bytes;
  }

  FrameId id_;
  View view_;
  FrameCheck* check_;
  std::size_t bump_ = 0;
  std::size_t leaves_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Todo> todo_;
  std::vector<CrossingSeen> crossings_;
  std::bitset<units_per_frame> used_;
};

}  // namespace

void check_frame(FrameId id, std::span<const std::byte> bytes, FrameCheck& check) {
  FrameWalk(id, bytes, check).run();
}

void check_entry(const EdgeSet& edges, FrameCheck& check) {
  if (edges == check.root_edges) return;
  check.problems.emplace_back("the parent's edges are not those at the root");
}

}  // namespace artfs::art
