// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "art/edit.hpp"
#include "art/fuse.hpp"
#include "art/restructure.hpp"
#include "art/room.hpp"
#include "art/upkeep.hpp"

namespace artfs::art {

namespace {

// One frame on the way, with its steps; in all but the last the final step leads to the next frame.
struct Hop {
  std::size_t member = 0;
  Ref crossing = no_ref;  // in the frame above
  Path path{};
};

// Takes a key out and then, from below upwards, whatever became empty with it.
class Erase {
 public:
  Erase(FrameSet& frames, const Place& at, Lsn version) noexcept
      : frames_(&frames), place_(&at), version_(version) {}

  [[nodiscard]] bool run() {
    const Stop stop = find_end();
    if (!is_there(stop)) return false;
    before_ = weight();
    touch();
    editor().write_header().checked_by = process_number();  // AP (0): latch() has checked it
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

  // Everything that begins with the key.
  void run_prefix() {
    const Stop stop = find_end();
    ARTFS_ASSERT(stop.kind == StopKind::leaf || stop.kind == StopKind::label ||
                 stop.kind == StopKind::end);
    touch();
    editor().write_header().checked_by = process_number();
    // A frame that goes as a whole need not be tidy.
    if (!hop().path.empty()) remove_below(stop.ref);
    cut_off();
  }

  // Of the deepest frame that is left.
  [[nodiscard]] const frame::Pin& pin() const noexcept { return (*frames_)[hops_[at_].member].pin; }

  [[nodiscard]] bool is_worth_a_look() const noexcept { return has_shrunken(before_, weight()); }

 private:
  [[nodiscard]] Weight weight() const noexcept {
    const format::FrameHeader& header = View(pin().bytes()).header();
    return {.bytes_live = header.bytes_live, .bytes_free = header.bytes_free};
  }

  [[nodiscard]] Hop& hop() noexcept { return hops_[at_]; }

  [[nodiscard]] Editor editor() const noexcept { return Editor(pin()); }

  [[nodiscard]] Stop find_end() {
    hops_.push_back({.member = place_->member});
    FrameSet::Member& first = (*frames_)[place_->member];
    if (place_->stop != nullptr) {
      first.is_fresh = false;
      hop().path.assign(place_->steps.begin(), place_->steps.end());
      return *place_->stop;
    }
    std::size_t key_off = place_->key_off;
    for (;;) {
      (*frames_)[hop().member].is_fresh = false;
      const View view(pin().bytes());
      const Stop stop = descend(view, place_->key, key_off, &hop().path);
      if (stop.kind != StopKind::crossing) return stop;
      key_off = stop.key_off;
      const std::size_t child = frames_->find(view.crossing(stop.child));
      ARTFS_ASSERT(child != FrameSet::npos);  // AP
      hops_.push_back({.member = child, .crossing = stop.child});
      ++at_;
    }
  }

  [[nodiscard]] bool is_there(const Stop& stop) const noexcept {
    if (stop.kind == StopKind::end) return stop.child != no_ref;
    frame::Leaf leaf;
    return stop.kind == StopKind::leaf && stop.matched == place_->key.size() - stop.key_off &&
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

  void remove_below(Ref top) {
    std::vector<Ref> waiting{top};
    while (!waiting.empty()) {
      const Ref ref = waiting.back();
      waiting.pop_back();
      if (editor().view().kind(ref) == ObjectKind::leaf) {
        remove_leaf(ref);
        continue;
      }
      if (editor().view().kind(ref) == ObjectKind::crossing) {
        if (drop_crossing_edge(ref) == 0) remove_crossing(ref);
        continue;
      }
      Node node;
      const bool is_node = editor().view().node(ref, node);
      ARTFS_ASSERT(is_node);  // AP (0)
      const Edges edges = edges_of(node);
      waiting.insert(waiting.end(), edges.children.begin(), edges.children.begin() + edges.count);
      if (node.own != no_ref) waiting.push_back(node.own);
      remove_node(node);
    }
  }

  void remove_node(const Node& node) const noexcept {
    editor().release(node.ref, node.bytes());
    format::FrameHeader& header = editor().write_header();
    header.nodes = header.nodes - 1;
  }

  void remove_crossing(Ref ref) const noexcept {
    editor().release(ref, frame::crossing_bytes);
    format::FrameHeader& header = editor().write_header();
    header.crossings = header.crossings - 1;
  }

  // Nothing is left below the last step's edge, or in the frame when there is no step.
  void cut_off() {
    for (;;) {
      if (hop().path.empty()) {
        editor().set_slot(root_slot_off, no_ref);
        if (is_tree_root()) return;
        leave_empty_frame();
        continue;
      }
      const Step step = hop().path.back();
      hop().path.pop_back();
      Node node;
      const bool is_node = editor().view().node(step.node, node);
      ARTFS_ASSERT(is_node);  // AP (0)
      const bool is_entry = !is_tree_root() && step.slot_off == root_slot_off && node.label.empty();
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
    remove_node(node);
    return true;
  }

  [[nodiscard]] bool is_tree_root() const noexcept { return pin().id() == place_->tree.root; }

  // AP: the plan has registered the frames above when they may have to change.
  void go_up() noexcept {
    ARTFS_ASSERT(at_ > 0);
    --at_;
    touch();
  }

  // Up to the frame above, whose last step is the edge that lost its use.
  void leave_empty_frame() {
    const Ref ref = hop().crossing;
    const std::size_t empty = hop().member;
    go_up();
    hops_.pop_back();
    if (drop_crossing_edge(ref) > 0) return;
    remove_crossing(ref);
    frames_->doom(empty, place_->tree.cache);
  }

  [[nodiscard]] bool leave_edge() {
    const Ref ref = hop().crossing;
    ARTFS_ASSERT(at_ > 0);  // AP
    const frame::Pin& above = (*frames_)[hops_[at_ - 1].member].pin;
    const auto& crossing = *reinterpret_cast<const format::Crossing*>(View(above.bytes()).at(ref));
    if (crossing.edges < 2) return false;  // the only edge to a frame that is not empty
    go_up();
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

  FrameSet* frames_;
  const Place* place_;
  Lsn version_;
  Weight before_;
  std::vector<Hop> hops_;
  std::size_t at_ = 0;
};

}  // namespace

void cut_prefix(FrameSet& frames, const Place& at, Lsn version) {
  Erase(frames, at, version).run_prefix();
}

bool erase(FrameSet& frames, const Place& at, Lsn version, std::vector<Shrunken>& shrunken) {
  Erase work(frames, at, version);
  if (!work.run()) return false;
  if (work.is_worth_a_look()) {
    shrunken.push_back(
        {.root = at.tree.root, .frame = work.pin().id(), .key = std::string(at.key)});
  }
  return true;
}

}  // namespace artfs::art
