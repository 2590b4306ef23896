// SPDX-License-Identifier: Apache-2.0
// Nodes inside one frame: walk the edges, add, remove and redirect one.
//
// Contract:   readers take a frame::Node that View::node() has checked. Writers keep a node's edges sorted
//             (node4, node16) or indexed (node48, node256), grow it when it is full and shrink it in
//             place when few edges are left, with a gap between both so that it does not flap.
// Threading:  as frame::View and frame::Editor.
// Cost:       O(1) to O(16) compares; growing and shrinking copy the node.
// Errors:     add_edge returns no_ref, with nothing changed, when the frame has no room to grow the node.
// Source:     Leis et al. (ICDE 2013).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "art/node_search.hpp"
#include "frame/frame.hpp"
#include "frame/frame_alloc.hpp"

namespace artfs::art {

using frame::Editor;
using frame::View;

// All edges of a node, in order of their byte.
struct Edges {
  std::size_t count = 0;
  std::array<std::uint8_t, 256> bytes{};
  std::array<Ref, 256> children{};

  void add(std::uint8_t byte, Ref child) noexcept {
    bytes[count] = byte;
    children[count] = child;
    ++count;
  }
};

// The first edge with a byte >= `from`; `from` may be 256.
[[nodiscard]] Edge next_edge(const Node& node, std::size_t from) noexcept;

// The edges of a node with bytes in [from, end), in order; both may be 256. Of a node that changes
// meanwhile: some edges, not more than it has room for.
class EdgeRange {
 public:
  EdgeRange(const Node& node, std::size_t from, std::size_t end) noexcept;

  // The next edge; no child when there is none.
  [[nodiscard]] Edge next() noexcept {
    if (!is_sorted_) return next_indexed();
    while (place_ < node_->count) {
      const std::size_t place = place_++;
      const auto byte = sync::racy_load<std::uint8_t>(keys_ + place);
      if (byte < from_) continue;
      if (byte >= end_) break;
      const std::byte* const slot = children_ + place * sizeof(format::le16);
      return {
          .byte = byte,
          .child = frame::load_ref(slot),
          .slot_off = format::offset_of(node_->ref) + static_cast<std::size_t>(slot - node_->at)};
    }
    return {};
  }

 private:
  [[nodiscard]] Edge next_indexed() noexcept;

  const Node* node_;
  std::size_t from_;
  std::size_t end_;
  std::size_t place_ = 0;  // of sorted kinds
  bool is_sorted_;
  const std::byte* keys_ = nullptr;
  const std::byte* children_ = nullptr;
};

// The edge with the greatest byte; the node has one.
[[nodiscard]] Edge last_edge(const Node& node) noexcept;
[[nodiscard]] Edges edges_of(const Node& node) noexcept;

// The smallest kind that holds so many edges.
[[nodiscard]] ObjectKind kind_for(std::size_t edge_count) noexcept;

// What an object is made of when it is written whole.
struct NodeContent {
  ObjectKind kind = ObjectKind::node4;
  std::string_view label{};
  Ref own = no_ref;
};

// Writes the node, padding included, into node_bytes(kind, label) bytes at `out`. `label` may not lie
// inside those bytes.
void encode_node(std::byte* out, const NodeContent& content, const Edges& edges) noexcept;
// Writes the leaf, padding included, into leaf_bytes() bytes at `out`, which neither view overlaps.
void encode_leaf(std::byte* out, const frame::Leaf& leaf) noexcept;

// Byte offset, from the start of a node, of the child reference of its edge number `place`.
[[nodiscard]] std::size_t child_slot_off(ObjectKind kind, std::size_t place,
                                         std::uint8_t byte) noexcept;
inline constexpr std::size_t own_slot_off = 0x06;

// Adds an edge the node does not have. The node may move: `slot_off` is where its reference stands, and is
// updated. Returns the node's reference.
[[nodiscard]] Ref add_edge(const Editor& editor, const Node& node, std::size_t slot_off,
                           Edge edge) noexcept;
// Removes an edge the node has; the node stays where it is.
void remove_edge(const Editor& editor, const Node& node, std::uint8_t byte) noexcept;
// Drops the first `dropped` bytes of the node's label in place.
void shorten_label(const Editor& editor, const Node& node, std::size_t dropped) noexcept;

}  // namespace artfs::art
