// SPDX-License-Identifier: Apache-2.0
#include "art/fuse.hpp"

#include <string>

namespace artfs::art {

namespace {

void count_node_out(const Editor& editor) noexcept {
  format::FrameHeader& header = editor.write_header();
  header.nodes = header.nodes - 1;
}

// The leaf at `ref` takes the node's place, its suffix behind `lead`.
void fuse_leaf(const Editor& editor, const Node& node, std::size_t slot_off, Ref ref,
               const std::string& lead) {
  frame::Leaf leaf;
  if (!editor.view().leaf(ref, leaf)) return;
  const std::size_t old_bytes = leaf.bytes();
  const std::string suffix = lead + std::string(leaf.suffix);
  if (suffix.size() > key_bytes_max) return;
  leaf.suffix = suffix;
  const Ref joined = editor.allocate(leaf.bytes());
  if (joined == no_ref) return;
  encode_leaf(editor.write(joined, leaf.bytes()), leaf);
  editor.set_slot(slot_off, joined);
  editor.release(ref, old_bytes);
  editor.release(node.ref, node.bytes());
  count_node_out(editor);
}

void fuse_node(const Editor& editor, const Node& node, std::size_t slot_off, const Node& child,
               const std::string& lead) {
  const std::string label = lead + std::string(child.label);
  if (label.size() > key_bytes_max) return;
  const std::size_t bytes = frame::node_bytes(child.kind, label.size());
  const Ref joined = editor.allocate(bytes);
  if (joined == no_ref) return;
  const NodeContent content{.kind = child.kind, .label = label, .own = child.own};
  encode_node(editor.write(joined, bytes), content, edges_of(child));
  editor.set_slot(slot_off, joined);
  editor.release(child.ref, child.bytes());
  editor.release(node.ref, node.bytes());
  count_node_out(editor);
}

}  // namespace

void fuse(const Editor& editor, const Node& node, std::size_t slot_off) {
  std::string lead(node.label);
  if (node.count == 0 && node.own != no_ref) {
    fuse_leaf(editor, node, slot_off, node.own, lead);
    return;
  }
  if (node.count != 1 || node.own != no_ref) return;
  const Edge edge = next_edge(node, 0);
  lead.push_back(static_cast<char>(edge.byte));
  Node child;
  if (editor.view().node(edge.child, child)) {
    fuse_node(editor, node, slot_off, child, lead);
  } else if (editor.view().kind(edge.child) == ObjectKind::leaf) {
    fuse_leaf(editor, node, slot_off, edge.child, lead);
  }
}

}  // namespace artfs::art
