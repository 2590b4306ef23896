// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <vector>

#include "art/node.hpp"

namespace artfs::art {

using format::le16;
using format::Node16;
using format::Node256;
using format::Node4;
using format::Node48;
using format::NodeHeader;
using format::offset_of;

namespace {

// A node shrinks to `kind` when so few edges are left; a few below the capacity it would grow at.
ObjectKind shrunken_kind(ObjectKind kind, std::size_t edge_count) noexcept {
  if (kind == ObjectKind::node256 && edge_count <= 40) return ObjectKind::node48;
  if (kind == ObjectKind::node48 && edge_count <= 12) return ObjectKind::node16;
  if (kind == ObjectKind::node16 && edge_count <= 3) return ObjectKind::node4;
  return kind;
}

template <typename Layout>
void add_sorted(Layout& node, Edge edge) noexcept {
  std::size_t place = node.header.count;
  for (; place > 0 && node.keys[place - 1] > edge.byte; --place) {
    node.keys[place] = node.keys[place - 1];
    node.children[place] = node.children[place - 1];
  }
  node.keys[place] = edge.byte;
  node.children[place] = edge.child;
}

template <typename Layout>
void remove_sorted(Layout& node, std::uint8_t byte) noexcept {
  const std::size_t count = node.header.count;
  std::size_t place = 0;
  while (place < count && node.keys[place] != byte) ++place;
  ARTFS_ASSERT(place < count);
  for (; place + 1 < count; ++place) {
    node.keys[place] = node.keys[place + 1];
    node.children[place] = node.children[place + 1];
  }
  node.keys[count - 1] = 0;
  node.children[count - 1] = no_ref;
}

void remove_indexed(Node48& node, std::uint8_t byte) noexcept {
  const std::uint8_t hole = node.index[byte];
  const auto last = static_cast<std::uint8_t>(node.header.count.value());
  ARTFS_ASSERT(hole != 0 && hole <= last);
  // The places in use stay dense: the last one moves into the hole.
  node.children[hole - 1U] = node.children[last - 1U];
  node.children[last - 1U] = no_ref;
  std::replace(node.index.begin(), node.index.end(), last, hole);
  node.index[byte] = 0;
}

void add_in_place(const Editor& editor, const Node& node, Edge edge) noexcept {
  std::byte* at = editor.write(node.ref, frame::node_fixed_bytes(node.kind));
  auto& header = *reinterpret_cast<NodeHeader*>(at);
  if (node.kind == ObjectKind::node4) add_sorted(*reinterpret_cast<Node4*>(at), edge);
  if (node.kind == ObjectKind::node16) add_sorted(*reinterpret_cast<Node16*>(at), edge);
  if (node.kind == ObjectKind::node48) {
    auto& wide = *reinterpret_cast<Node48*>(at);
    wide.children[node.count] = edge.child;
    wide.index[edge.byte] = static_cast<std::uint8_t>(node.count + 1);
  }
  if (node.kind == ObjectKind::node256) {
    reinterpret_cast<Node256*>(at)->children[edge.byte] = edge.child;
  }
  header.count = static_cast<std::uint16_t>(node.count + 1);
}

// Rewrites the node as `kind` where it stands; the new form is not larger.
void recode_in_place(const Editor& editor, const Node& node, ObjectKind kind) noexcept {
  const Edges edges = edges_of(node);
  const std::vector<char> label(node.label.begin(), node.label.end());
  const NodeContent content{.kind = kind, .label = {label.data(), label.size()}, .own = node.own};
  const std::size_t bytes = frame::node_bytes(kind, label.size());
  const std::size_t old_bytes = node.bytes();
  encode_node(editor.write(node.ref, bytes), content, edges);
  editor.trim(node.ref, old_bytes, bytes);
}

}  // namespace

Ref add_edge(const Editor& editor, const Node& node, std::size_t slot_off, Edge edge) noexcept {
  if (node.count < frame::node_capacity(node.kind)) {
    add_in_place(editor, node, edge);
    return node.ref;
  }
  Edges edges = edges_of(node);
  // A full node of a damaged frame may already say 256 edges.
  if (edges.count >= 256) return no_ref;
  const ObjectKind kind = kind_for(edges.count + 1);
  const std::size_t bytes = frame::node_bytes(kind, node.label.size());
  const Ref grown = editor.allocate(bytes);
  if (grown == no_ref) return no_ref;
  std::size_t place = edges.count;
  for (; place > 0 && edges.bytes[place - 1] > edge.byte; --place) {
    edges.bytes[place] = edges.bytes[place - 1];
    edges.children[place] = edges.children[place - 1];
  }
  edges.bytes[place] = edge.byte;
  edges.children[place] = edge.child;
  ++edges.count;
  const NodeContent content{.kind = kind, .label = node.label, .own = node.own};
  encode_node(editor.write(grown, bytes), content, edges);
  editor.set_slot(slot_off, grown);
  editor.release(node.ref, node.bytes());
  return grown;
}

void remove_edge(const Editor& editor, const Node& node, std::uint8_t byte) noexcept {
  std::byte* at = editor.write(node.ref, frame::node_fixed_bytes(node.kind));
  if (node.kind == ObjectKind::node4) remove_sorted(*reinterpret_cast<Node4*>(at), byte);
  if (node.kind == ObjectKind::node16) remove_sorted(*reinterpret_cast<Node16*>(at), byte);
  if (node.kind == ObjectKind::node48) remove_indexed(*reinterpret_cast<Node48*>(at), byte);
  if (node.kind == ObjectKind::node256) {
    reinterpret_cast<Node256*>(at)->children[byte] = no_ref;
  }
  const std::size_t left = node.count == 0 ? 0 : std::size_t{node.count} - 1;
  reinterpret_cast<NodeHeader*>(at)->count = static_cast<std::uint16_t>(left);
  const ObjectKind kind = shrunken_kind(node.kind, left);
  if (kind == node.kind) return;
  Node now;
  if (editor.view().node(node.ref, now)) recode_in_place(editor, now, kind);
}

void shorten_label(const Editor& editor, const Node& node, std::size_t dropped) noexcept {
  ARTFS_ASSERT(dropped <= node.label.size());
  const std::size_t kept = node.label.size() - dropped;
  const std::size_t old_bytes = node.bytes();
  const std::size_t fixed_bytes = frame::node_fixed_bytes(node.kind);
  const std::size_t bytes = frame::node_bytes(node.kind, kept);
  std::byte* at = editor.write(node.ref, old_bytes);
  std::byte* label = at + fixed_bytes;
  std::memmove(label, label + dropped, kept);
  std::memset(label + kept, 0, bytes - fixed_bytes - kept);
  reinterpret_cast<NodeHeader*>(at)->label_bytes = static_cast<std::uint16_t>(kept);
  editor.trim(node.ref, old_bytes, bytes);
}

}  // namespace artfs::art
