// SPDX-License-Identifier: Apache-2.0
#include "art/node.hpp"

#include <algorithm>
#include <cstring>

namespace artfs::art {

using format::le16;
using format::Node16;
using format::Node256;
using format::Node4;
using format::Node48;
using format::NodeHeader;
using format::offset_of;

namespace {

Edge edge_at(const Node& node, std::size_t place, std::uint8_t byte) noexcept {
  const std::size_t off = child_slot_off(node.kind, place, byte);
  return {
      .byte = byte, .child = frame::load_ref(node.at + off), .slot_off = offset_of(node.ref) + off};
}

// Sorted edge bytes of a node4 or node16.
const std::uint8_t* sorted_keys(const Node& node) noexcept {
  return reinterpret_cast<const std::uint8_t*>(node.at) + sizeof(NodeHeader);
}

bool is_sorted_kind(ObjectKind kind) noexcept {
  return kind == ObjectKind::node4 || kind == ObjectKind::node16;
}

}  // namespace

std::size_t child_slot_off(ObjectKind kind, std::size_t place, std::uint8_t byte) noexcept {
  switch (kind) {
    case ObjectKind::node4:
      return offsetof(Node4, children) + place * sizeof(le16);
    case ObjectKind::node16:
      return offsetof(Node16, children) + place * sizeof(le16);
    case ObjectKind::node48:
      return offsetof(Node48, children) + place * sizeof(le16);
    case ObjectKind::node256:
      return offsetof(Node256, children) + byte * sizeof(le16);
    case ObjectKind::none:
    case ObjectKind::leaf:
    case ObjectKind::crossing:
    case ObjectKind::free_block:
      break;
  }
  ARTFS_ASSERT(false && "not a node");
  return 0;
}

EdgeRange::EdgeRange(const Node& node, std::size_t from, std::size_t end) noexcept
    : node_(&node), from_(from), end_(end), is_sorted_(is_sorted_kind(node.kind)) {
  if (!is_sorted_) return;
  keys_ = node.at + sizeof(NodeHeader);
  children_ = node.at + child_slot_off(node.kind, 0, 0);
}

Edge EdgeRange::next_indexed() noexcept {
  while (from_ < end_) {
    const Edge edge = find_edge(*node_, static_cast<std::uint8_t>(from_));
    ++from_;
    if (edge.child != no_ref) return edge;
  }
  return {};
}

Edge next_edge(const Node& node, std::size_t from) noexcept {
  if (is_sorted_kind(node.kind)) {
    const std::uint8_t* keys = sorted_keys(node);
    for (std::size_t i = 0; i < node.count; ++i) {
      if (keys[i] >= from) return edge_at(node, i, keys[i]);
    }
    return {};
  }
  for (std::size_t byte = from; byte < 256; ++byte) {
    const Edge edge = find_edge(node, static_cast<std::uint8_t>(byte));
    if (edge.child != no_ref) return edge;
  }
  return {};
}

Edge last_edge(const Node& node) noexcept {
  if (is_sorted_kind(node.kind)) {
    if (node.count == 0) return {};
    const std::size_t place = std::size_t{node.count} - 1;
    return edge_at(node, place, sorted_keys(node)[place]);
  }
  for (std::size_t byte = 256; byte-- > 0;) {
    const Edge edge = find_edge(node, static_cast<std::uint8_t>(byte));
    if (edge.child != no_ref) return edge;
  }
  return {};
}

Edges edges_of(const Node& node) noexcept {
  Edges edges;
  if (is_sorted_kind(node.kind)) {
    const std::uint8_t* keys = sorted_keys(node);
    for (std::size_t i = 0; i < node.count; ++i) {
      edges.add(keys[i], edge_at(node, i, keys[i]).child);
    }
    return edges;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const Edge edge = find_edge(node, static_cast<std::uint8_t>(byte));
    if (edge.child != no_ref) edges.add(edge.byte, edge.child);
  }
  return edges;
}

ObjectKind kind_for(std::size_t edge_count) noexcept {
  if (edge_count <= 4) return ObjectKind::node4;
  if (edge_count <= 16) return ObjectKind::node16;
  return edge_count <= 48 ? ObjectKind::node48 : ObjectKind::node256;
}

void encode_node(std::byte* out, const NodeContent& content, const Edges& edges) noexcept {
  const std::size_t fixed_bytes = frame::node_fixed_bytes(content.kind);
  const std::size_t bytes = frame::node_bytes(content.kind, content.label.size());
  ARTFS_ASSERT(edges.count <= frame::node_capacity(content.kind));
  std::memset(out, 0, fixed_bytes);
  std::memset(out + bytes - format::unit_bytes, 0, format::unit_bytes);
  auto& header = *reinterpret_cast<NodeHeader*>(out);
  header.kind = static_cast<std::uint8_t>(content.kind);
  header.label_bytes = static_cast<std::uint16_t>(content.label.size());
  header.count = static_cast<std::uint16_t>(edges.count);
  header.own = content.own;
  auto* keys = reinterpret_cast<std::uint8_t*>(out) + sizeof(NodeHeader);
  for (std::size_t i = 0; i < edges.count; ++i) {
    const std::uint8_t byte = edges.bytes[i];
    *reinterpret_cast<le16*>(out + child_slot_off(content.kind, i, byte)) = edges.children[i];
    if (is_sorted_kind(content.kind)) keys[i] = byte;
    if (content.kind == ObjectKind::node48) keys[byte] = static_cast<std::uint8_t>(i + 1);
  }
  std::copy_n(reinterpret_cast<const std::byte*>(content.label.data()), content.label.size(),
              out + fixed_bytes);
}

void encode_leaf(std::byte* out, const frame::Leaf& leaf) noexcept {
  std::memset(out + leaf.bytes() - format::unit_bytes, 0, format::unit_bytes);
  auto& header = *reinterpret_cast<format::LeafHeader*>(out);
  header.kind = static_cast<std::uint8_t>(ObjectKind::leaf);
  header.value_bytes = static_cast<std::uint32_t>(leaf.value.size());
  header.suffix_bytes = static_cast<std::uint16_t>(leaf.suffix.size());
  header.record_version = leaf.version.raw;
  std::byte* value = out + sizeof header;
  std::copy_n(reinterpret_cast<const std::byte*>(leaf.value.data()), leaf.value.size(), value);
  std::copy_n(reinterpret_cast<const std::byte*>(leaf.suffix.data()), leaf.suffix.size(),
              value + leaf.value.size());
}

}  // namespace artfs::art
