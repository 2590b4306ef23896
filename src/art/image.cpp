// SPDX-License-Identifier: Apache-2.0
#include "art/image.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "art/descend.hpp"
#include "art/room.hpp"

namespace artfs::art {

namespace {

std::byte* scratch() {
  thread_local const auto memory = std::make_unique<std::byte[]>(format::frame_bytes);
  return memory.get();
}

}  // namespace

Image::Image() : base_(scratch()) {}

Ref Image::append(std::size_t bytes) noexcept {
  const std::size_t rounded = format::round_to_unit(bytes);
  if (bump_ + rounded > format::frame_bytes) return no_ref;
  const auto ref = static_cast<Ref>(bump_ / format::unit_bytes);
  bump_ += rounded;
  return ref;
}

Ref Image::append_crossing(FrameId frame) noexcept {
  const Ref ref = append(frame::crossing_bytes);
  if (ref == no_ref) return no_ref;
  auto& crossing = *reinterpret_cast<format::Crossing*>(base_ + format::offset_of(ref));
  crossing = format::Crossing{};
  crossing.kind = static_cast<std::uint8_t>(ObjectKind::crossing);
  crossing.frame = frame.raw;
  ++crossings_;
  return ref;
}

void Image::set_slot(std::size_t slot_off, Ref ref) noexcept {
  *reinterpret_cast<format::le16*>(base_ + slot_off) = ref;
}

bool Image::copy_frame(const View& source, const Cut& cut, const Graft& graft) {
  cut_ = cut;
  graft_ = graft;
  set_slot(root_slot_off, no_ref);
  if (source.root() == no_ref) return true;
  work_.push_back({.source = &source, .ref = source.root(), .slot_off = root_slot_off});
  return run();
}

bool Image::copy_below(const View& source, Below below) {
  set_slot(root_slot_off, no_ref);
  work_.push_back({.source = &source,
                   .ref = below.ref,
                   .slot_off = root_slot_off,
                   .lead = std::move(below.lead),
                   .dropped = below.dropped});
  return run();
}

bool Image::copy_edges(const View& source, const Node& node, const Cut& cut) {
  add_entries(source, node, cut.edges);
  if (entries_.size() != 1) return copy_entries();
  Work work{.source = &source, .ref = entries_[0].ref, .slot_off = root_slot_off};
  if (cut.kept) {
    work.dropped = cut.kept->size();
  } else {
    work.lead.push_back(static_cast<char>(entries_[0].byte));
  }
  set_slot(root_slot_off, no_ref);
  work_.push_back(std::move(work));
  return run();
}

bool Image::copy_joined(const View& frame, const View& other) {
  return add_entries(frame) && add_entries(other) && copy_entries();
}

bool Image::copy_joined(const View& frame, const View& source, const Cut& cut) {
  Node node;
  if (!add_entries(frame) || !source.node(cut.node, node)) return false;
  add_entries(source, node, cut.edges);
  return copy_entries();
}

void Image::add_entries(const View& source, const Node& node, const EdgeSet& edges) {
  const Edges all = edges_of(node);
  for (std::size_t i = 0; i < all.count; ++i) {
    if (!edges[all.bytes[i]]) continue;
    entries_.push_back({.byte = all.bytes[i], .source = &source, .ref = all.children[i]});
  }
}

bool Image::add_entries(const View& frame) {
  Node root;
  frame::Leaf leaf;
  std::string_view front;
  if (frame.node(frame.root(), root)) {
    if (root.label.empty()) {
      add_entries(frame, root, ~EdgeSet{});
      return root.own == no_ref;
    }
    front = root.label;
  } else if (frame.leaf(frame.root(), leaf)) {
    front = leaf.suffix;
  }
  if (front.empty()) return false;
  entries_.push_back({.byte = static_cast<std::uint8_t>(front[0]),
                      .source = &frame,
                      .ref = frame.root(),
                      .dropped = 1});
  return true;
}

// A root that forks on the bytes of all entries.
bool Image::copy_entries() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& left, const Entry& right) { return left.byte < right.byte; });
  Edges edges;
  for (const Entry& entry : entries_) {
    if (edges.count > 0 && edges.bytes[edges.count - 1] == entry.byte) return false;
    edges.add(entry.byte, entry.ref);
  }
  const NodeContent content{.kind = kind_for(edges.count)};
  const Ref root = append(frame::node_bytes(content.kind, 0));
  if (root == no_ref || edges.count == 0) return false;
  ++nodes_;
  const std::size_t root_off = format::offset_of(root);
  encode_node(base_ + root_off, content, edges);
  set_slot(root_slot_off, root);
  shared_.clear();
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const Entry& entry = entries_[i];
    Work work{.source = entry.source,
              .ref = entry.ref,
              .slot_off = root_off + child_slot_off(content.kind, i, entry.byte),
              .dropped = entry.dropped};
    if (entry.source->kind(entry.ref) == ObjectKind::crossing) {
      if (!lead_to(copy_crossing(work), work.slot_off)) return false;
    } else {
      work_.push_back(std::move(work));
    }
  }
  return run();
}

// In two passes, so that the way to a key leads through few pages: what branches far up stands together at the
// front, and behind it each node of leaves with them, in key order.
bool Image::run() {
  std::vector<Work> ends;
  while (!work_.empty()) {
    Work work = std::move(work_.back());
    work_.pop_back();
    if (!resolve(work)) return false;
    Node node;
    if (!work.source->node(work.ref, node) || !has_node_below(work, node)) {
      // As many objects do not fit in any frame: the source is damaged.
      if (ends.size() == format::frame_bytes / format::unit_bytes) return false;
      ends.push_back(std::move(work));
    } else if (!copy_node(work, node)) {
      return false;
    }
  }
  return std::all_of(ends.begin(), ends.end(), [this](const Work& end) { return copy_end(end); });
}

bool Image::has_node_below(const Work& work, const Node& node) const {
  const Edges edges = edges_of(node);
  return std::any_of(edges.children.begin(), edges.children.begin() + edges.count, [&](Ref child) {
    const ObjectKind kind = work.source->kind(child);
    // What is grafted may be anything.
    return kind != ObjectKind::leaf && (kind != ObjectKind::crossing || child == graft_.crossing);
  });
}

// A leaf, or a node of leaves with them.
bool Image::copy_end(const Work& end) {
  work_.push_back(end);
  while (!work_.empty()) {
    const Work work = std::move(work_.back());
    work_.pop_back();
    Node node;
    const bool is_copied =
        work.source->node(work.ref, node) ? copy_node(work, node) : copy_leaf(work);
    if (!is_copied) return false;
  }
  return true;
}

bool Image::is_graft(const Work& work) const noexcept {
  return graft_.child != nullptr && work.source != graft_.child && work.ref == graft_.crossing;
}

// The crossing at `byte` is grafted: go on inside the child, whose root is entered with the byte ahead.
bool Image::enter_graft(Work& work, std::uint8_t byte) const {
  const View& child = *graft_.child;
  Node root;
  const bool is_fork = child.node(child.root(), root) && root.label.empty() && root.own == no_ref;
  work.source = &child;
  work.ref = is_fork ? find_edge(root, byte).child : child.root();
  // A label or suffix at the root begins with the edge byte, which the parent's edge already stands for.
  work.dropped = is_fork ? 0 : 1;
  return work.ref != no_ref;
}

// Fuses what has a single way on: the label goes before that of the child.
bool Image::resolve(Work& work) const {
  for (;;) {
    Node node;
    if (!work.source->node(work.ref, node)) return true;  // a leaf, or damage that copy_leaf finds
    if (work.dropped > node.label.size()) return false;
    const std::string_view label = node.label.substr(work.dropped);
    if (work.lead.size() + label.size() > key_bytes_max) return false;
    if (node.count == 0) {
      if (node.own == no_ref) return false;
      work.lead.append(label);
      work.ref = node.own;
      work.dropped = 0;
      return true;
    }
    if (node.count > 1 || node.own != no_ref) return true;
    const Edge edge = next_edge(node, 0);
    if (edge.child == no_ref) return false;
    if (work.source != graft_.child && cut_.node == node.ref && cut_.edges[edge.byte]) return true;
    Work next{.source = work.source, .ref = edge.child};
    if (is_graft(next) && !enter_graft(next, edge.byte)) return false;
    if (next.source->kind(next.ref) == ObjectKind::crossing) return true;
    work.lead.append(label);
    work.lead.push_back(static_cast<char>(edge.byte));
    work.source = next.source;
    work.ref = next.ref;
    work.dropped = next.dropped;
  }
}

std::string_view Image::joined(std::string_view lead, std::string_view rest) {
  if (lead.empty()) return rest;
  label_.assign(lead);
  label_.append(rest);
  return label_;
}

bool Image::copy_leaf(const Work& work) {
  frame::Leaf leaf;
  if (!work.source->leaf(work.ref, leaf) || work.dropped > leaf.suffix.size()) return false;
  leaf.suffix = joined(work.lead, leaf.suffix.substr(work.dropped));
  if (leaf.suffix.size() > key_bytes_max) return false;
  const Ref ref = append(leaf.bytes());
  if (ref == no_ref) return false;
  encode_leaf(base_ + format::offset_of(ref), leaf);
  set_slot(work.slot_off, ref);
  ++leaves_;
  return true;
}

bool Image::copy_node(const Work& work, const Node& node) {
  const std::string_view label = joined(work.lead, node.label.substr(work.dropped));
  const Edges edges = edges_of(node);
  const NodeContent content{.kind = kind_for(edges.count), .label = label};
  const Ref ref = append(frame::node_bytes(content.kind, label.size()));
  if (ref == no_ref) return false;
  encode_node(base_ + format::offset_of(ref), content, edges);
  set_slot(work.slot_off, ref);
  ++nodes_;
  return queue_children(work, node, ref);
}

bool Image::queue_children(const Work& work, const Node& node, Ref copy) {
  const bool has_cut = work.source != graft_.child && cut_.node == node.ref;
  const Edges edges = edges_of(node);
  const ObjectKind kind = kind_for(edges.count);
  const std::size_t copy_off = format::offset_of(copy);
  const std::size_t first_work = work_.size();
  Ref cut_crossing = no_ref;
  shared_.clear();
  for (std::size_t i = 0; i < edges.count; ++i) {
    const std::uint8_t byte = edges.bytes[i];
    const std::size_t slot_off = copy_off + child_slot_off(kind, i, byte);
    if (has_cut && cut_.edges[byte]) {
      // The node may have a crossing to that frame already.
      if (cut_crossing == no_ref) cut_crossing = crossing_to(cut_.frame);
      const bool is_led =
          cut_.kept ? keep_before(cut_crossing, slot_off) : lead_to(cut_crossing, slot_off);
      if (!is_led) return false;
      continue;
    }
    Work child{.source = work.source, .ref = edges.children[i], .slot_off = slot_off};
    if (is_graft(child) && !enter_graft(child, byte)) return false;
    if (child.source->kind(child.ref) == ObjectKind::crossing) {
      if (!lead_to(copy_crossing(child), slot_off)) return false;
    } else {
      work_.push_back(std::move(child));
    }
  }
  // The last pushed is copied first: bring them into key order, the own value before all.
  std::reverse(work_.begin() + static_cast<std::ptrdiff_t>(first_work), work_.end());
  if (node.own != no_ref) {
    work_.push_back({.source = work.source, .ref = node.own, .slot_off = copy_off + own_slot_off});
  }
  return true;
}

// One copy for all edges of the node that lead to the same frame.
Ref Image::copy_crossing(const Work& work) {
  const FrameId frame = work.source->crossing(work.ref);
  return frame ? crossing_to(frame) : no_ref;
}

Ref Image::crossing_to(FrameId frame) {
  const auto known = std::find_if(shared_.begin(), shared_.end(),
                                  [frame](const auto& shared) { return shared.first == frame; });
  if (known != shared_.end()) return known->second;
  const Ref copy = append_crossing(frame);
  shared_.emplace_back(frame, copy);
  return copy;
}

// The kept label as a node whose only edge leads to the crossing.
bool Image::keep_before(Ref crossing, std::size_t slot_off) noexcept {
  const NodeContent content{.kind = ObjectKind::node4, .label = *cut_.kept};
  const Ref ref = append(frame::node_bytes(content.kind, content.label.size()));
  if (ref == no_ref) return false;
  ++nodes_;
  Edges edges;
  edges.add('/', no_ref);
  encode_node(base_ + format::offset_of(ref), content, edges);
  set_slot(slot_off, ref);
  return lead_to(crossing, format::offset_of(ref) + child_slot_off(content.kind, 0, '/'));
}

bool Image::lead_to(Ref crossing, std::size_t slot_off) noexcept {
  if (crossing == no_ref) return false;
  auto& copy = *reinterpret_cast<format::Crossing*>(base_ + format::offset_of(crossing));
  copy.edges = static_cast<std::uint16_t>(copy.edges + 1);
  set_slot(slot_off, crossing);
  return true;
}

void Image::install(const frame::Pin& pin) const {
  const Editor editor(pin);
  format::FrameHeader& header = editor.write_header();
  std::memcpy(pin.write(format::page_bytes, bytes_live()), base_ + format::page_bytes,
              bytes_live());
  header.root = *reinterpret_cast<const format::le16*>(base_ + root_slot_off);
  header.generation = header.generation + 1;
  header.bytes_live = static_cast<std::uint32_t>(bytes_live());
  header.bytes_free = 0;
  header.bump = static_cast<std::uint32_t>(bump_);
  header.leaves = static_cast<std::uint32_t>(leaves_);
  header.nodes = static_cast<std::uint32_t>(nodes_);
  header.crossings = static_cast<std::uint32_t>(crossings_);
  header.free_heads = {};
  header.checked_by = process_number();
}

}  // namespace artfs::art
