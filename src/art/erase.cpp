// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "art/descend.hpp"
#include "art/fuse.hpp"
#include "art/restructure.hpp"
#include "art/room.hpp"
#include "art/tree.hpp"

namespace artfs::art {

namespace {

// One frame on the way, with its steps; in all but the last the final step leads to the next frame.
struct Hop {
  frame::Pin pin;
  Ref crossing = no_ref;  // in the frame above
  Path path;
};

// Takes a key out and then, from below upwards, whatever became empty with it.
class Erase {
 public:
  Erase(const TreeView& tree, Lsn version) noexcept : tree_(&tree), version_(version) {}

  [[nodiscard]] bool run(std::string_view key) {
    const Stop stop = descend_all(key);
    if (!is_there(stop, key)) return false;
    touch();
    editor().write_header().checked_by = process_number();  // AP (0): the plan has checked it
    if (stop.kind == StopKind::end) {
      remove_leaf(stop.child);
      editor().set_slot(format::offset_of(stop.ref) + own_slot_off, no_ref);
      if (tidy({.node = stop.ref, .slot_off = stop.slot_off})) cut_off();
    } else {
      remove_leaf(stop.ref);
      cut_off();
    }
    return true;
  }

  // The deepest frame that is left goes back into its parent when both fit.
  void merge() {
    if (hops_.size() < 2) return;
    Hop& child = hops_.back();
    const frame::Pin& parent = hops_[hops_.size() - 2].pin;
    if (View(parent.bytes()).crossing(child.crossing) != child.pin.id()) return;
    static_cast<void>(try_merge(*tree_, parent, child.crossing, child.pin));
  }

 private:
  [[nodiscard]] Hop& hop() noexcept { return hops_[at_]; }

  [[nodiscard]] Editor editor() const noexcept { return Editor(hops_[at_].pin); }

  [[nodiscard]] Stop descend_all(std::string_view key) {
    FrameId id = tree_->root;
    Ref crossing = no_ref;
    std::size_t key_off = 0;
    for (;;) {
      Result<frame::Pin> pin = tree_->cache.pin(id);
      ARTFS_ASSERT(pin.has_value());  // AP: planned and therefore resident
      hops_.push_back({.pin = *std::move(pin), .crossing = crossing, .path = {}});
      at_ = hops_.size() - 1;
      const View view(hop().pin.bytes());
      const Stop stop = descend(view, key, key_off, &hop().path);
      if (stop.kind != StopKind::crossing) return stop;
      key_off = stop.key_off;
      crossing = stop.child;
      id = view.crossing(crossing);
    }
  }

  [[nodiscard]] bool is_there(const Stop& stop, std::string_view key) const noexcept {
    if (stop.kind == StopKind::end) return stop.child != no_ref;
    frame::Leaf leaf;
    return stop.kind == StopKind::leaf && stop.matched == key.size() - stop.key_off &&
           editor().view().leaf(stop.ref, leaf) && leaf.suffix.size() == stop.matched;
  }

  // The frame at hand is about to change.
  void touch() const noexcept {
    format::FrameHeader& header = editor().write_header();
    header.page_lsn = std::max<std::uint64_t>(header.page_lsn, version_.raw);
  }

  void remove_leaf(Ref ref) const noexcept {
    frame::Leaf leaf;
    const bool is_leaf = editor().view().leaf(ref, leaf);
    ARTFS_ASSERT(is_leaf);  // AP (0)
    editor().release(ref, leaf.bytes());
    format::FrameHeader& header = editor().write_header();
    header.leaves = header.leaves - 1;
  }

  // Nothing is left below the last step's edge, or in the frame when there is no step.
  void cut_off() {
    for (;;) {
      if (hop().path.empty()) {
        editor().set_slot(root_slot_off, no_ref);
        if (at_ == 0) return;
        leave_empty_frame();
        continue;
      }
      const Step step = hop().path.back();
      hop().path.pop_back();
      Node node;
      const bool is_node = editor().view().node(step.node, node);
      ARTFS_ASSERT(is_node);  // AP (0)
      const bool is_entry = at_ > 0 && step.slot_off == root_slot_off && node.label.empty();
      remove_edge(editor(), node, step.byte);
      if (tidy(step)) continue;
      // The root of a child frame forks on the byte its parent has edges for: that edge goes as well.
      if (!is_entry || !leave_edge()) return;
    }
  }

  // The node lost an edge or its value. True when nothing is left of it: it is gone.
  [[nodiscard]] bool tidy(const Step& step) const {
    Node node;
    const bool is_node = editor().view().node(step.node, node);
    ARTFS_ASSERT(is_node);  // AP (0)
    if (node.count != 0 || node.own != no_ref) {
      fuse(editor(), node, step.slot_off);
      return false;
    }
    editor().release(step.node, node.bytes());
    format::FrameHeader& header = editor().write_header();
    header.nodes = header.nodes - 1;
    return true;
  }

  // Up to the frame above, whose last step is the edge that lost its use.
  void leave_empty_frame() {
    const Ref ref = hop().crossing;
    --at_;
    touch();
    if (drop_crossing_edge(ref) > 0) return;
    editor().release(ref, frame::crossing_bytes);
    format::FrameHeader& header = editor().write_header();
    header.crossings = header.crossings - 1;
    tree_->cache.remove(std::move(hops_.back().pin));
    hops_.pop_back();
  }

  [[nodiscard]] bool leave_edge() {
    const Ref ref = hop().crossing;
    const auto& crossing =
        *reinterpret_cast<const format::Crossing*>(View(hops_[at_ - 1].pin.bytes()).at(ref));
    if (crossing.edges < 2) return false;  // the only edge to a frame that is not empty
    --at_;
    touch();
    static_cast<void>(drop_crossing_edge(ref));
    return true;
  }

  // Returns how many edges still lead to the child.
  std::size_t drop_crossing_edge(Ref ref) const noexcept {
    auto& crossing = editor().write<format::Crossing>(format::offset_of(ref));
    const std::size_t left = crossing.edges == 0 ? 0 : std::size_t{crossing.edges} - 1;
    crossing.edges = static_cast<std::uint16_t>(left);
    return left;
  }

  const TreeView* tree_;
  Lsn version_;
  std::vector<Hop> hops_;
  std::size_t at_ = 0;
};

}  // namespace

bool erase(const TreeView& tree, std::string_view key, Lsn version) {
  Erase work(tree, version);
  if (!work.run(key)) return false;
  work.merge();
  return true;
}

}  // namespace artfs::art
