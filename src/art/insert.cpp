// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "art/edit.hpp"
#include "art/restructure.hpp"
#include "art/room.hpp"

namespace artfs::art {

namespace {

// One put into the frame its way ends in. Each step allocates all it needs before it changes anything.
class Put {
 public:
  Put(const frame::Pin& pin, std::string_view key, std::string_view value, Lsn version) noexcept
      : editor_(pin), key_(key), value_(value), version_(version) {}

  // False, with nothing changed, when the frame has no block that is large enough.
  [[nodiscard]] bool apply(const Stop& stop) noexcept {
    switch (stop.kind) {
      case StopKind::empty:
        return put_new(root_slot_off, key_.substr(stop.key_off));
      case StopKind::leaf:
        return at_leaf(stop);
      case StopKind::label:
        return split_label(stop);
      case StopKind::end:
        return at_end(stop);
      case StopKind::no_edge:
        return new_edge(stop);
      case StopKind::crossing:
      case StopKind::damaged:
        break;
    }
    ARTFS_ASSERT(false && "AP: the plan has walked this way");
    return false;
  }

 private:
  [[nodiscard]] frame::Leaf leaf_with(std::string_view suffix) const noexcept {
    return {.value = value_, .suffix = suffix, .version = version_};
  }

  [[nodiscard]] Ref make_leaf(std::string_view suffix) const noexcept {
    const frame::Leaf leaf = leaf_with(suffix);
    const Ref ref = editor_.allocate(leaf.bytes());
    if (ref == no_ref) return no_ref;
    encode_leaf(editor_.write(ref, leaf.bytes()), leaf);
    format::FrameHeader& header = editor_.write_header();
    header.leaves = header.leaves + 1;
    return ref;
  }

  void unmake_leaf(Ref ref, std::string_view suffix) const noexcept {
    format::FrameHeader& header = editor_.write_header();
    header.leaves = header.leaves - 1;
    editor_.release(ref, leaf_with(suffix).bytes());
  }

  [[nodiscard]] bool put_new(std::size_t slot_off, std::string_view suffix) const noexcept {
    const Ref ref = make_leaf(suffix);
    if (ref == no_ref) return false;
    editor_.set_slot(slot_off, ref);
    return true;
  }

  // The key of the leaf at `ref` gets the new value.
  [[nodiscard]] bool replace(std::size_t slot_off, Ref ref, const frame::Leaf& old) const noexcept {
    const std::size_t old_bytes = old.bytes();
    const std::string_view suffix = key_.substr(key_.size() - old.suffix.size());
    const frame::Leaf leaf = leaf_with(suffix);
    if (leaf.bytes() <= old_bytes) {
      encode_leaf(editor_.write(ref, leaf.bytes()), leaf);
      editor_.trim(ref, old_bytes, leaf.bytes());
      return true;
    }
    const Ref moved = editor_.allocate(leaf.bytes());
    if (moved == no_ref) return false;
    encode_leaf(editor_.write(moved, leaf.bytes()), leaf);
    editor_.set_slot(slot_off, moved);
    editor_.release(ref, old_bytes);
    return true;
  }

  [[nodiscard]] bool at_leaf(const Stop& stop) const noexcept {
    frame::Leaf old;
    const bool is_leaf = editor_.view().leaf(stop.ref, old);
    ARTFS_ASSERT(is_leaf);
    const std::string_view rest = key_.substr(stop.key_off);
    const std::size_t matched = stop.matched;
    if (matched == rest.size() && matched == old.suffix.size()) {
      return replace(stop.slot_off, stop.ref, old);
    }
    const bool old_ends = matched == old.suffix.size();
    const auto old_byte = old_ends ? 0 : static_cast<std::uint8_t>(old.suffix[matched]);
    const Fork fork{.slot_off = stop.slot_off, .label = rest.substr(0, matched), .rest = rest};
    if (!make_fork(fork, {.byte = static_cast<std::uint8_t>(old_byte), .child = stop.ref},
                   old_ends)) {
      return false;
    }
    shorten_suffix(stop.ref, old, old_ends ? matched : matched + 1);
    return true;
  }

  [[nodiscard]] bool split_label(const Stop& stop) const noexcept {
    Node old;
    const bool is_node = editor_.view().node(stop.ref, old);
    ARTFS_ASSERT(is_node && stop.matched < old.label.size());
    const std::string_view rest = key_.substr(stop.key_off);
    const auto old_byte = static_cast<std::uint8_t>(old.label[stop.matched]);
    const Fork fork{.slot_off = stop.slot_off, .label = rest.substr(0, stop.matched), .rest = rest};
    if (!make_fork(fork, {.byte = old_byte, .child = stop.ref}, false)) return false;
    shorten_label(editor_, old, stop.matched + 1);
    return true;
  }

  [[nodiscard]] bool at_end(const Stop& stop) const noexcept {
    const std::size_t slot_off = format::offset_of(stop.ref) + own_slot_off;
    if (stop.child == no_ref) return put_new(slot_off, {});
    frame::Leaf old;
    const bool is_leaf = editor_.view().leaf(stop.child, old);
    ARTFS_ASSERT(is_leaf);
    return replace(slot_off, stop.child, old);
  }

  [[nodiscard]] bool new_edge(const Stop& stop) const noexcept {
    Node node;
    const bool is_node = editor_.view().node(stop.ref, node);
    ARTFS_ASSERT(is_node);
    const std::string_view suffix = key_.substr(stop.key_off + 1);
    const Ref leaf = make_leaf(suffix);
    if (leaf == no_ref) return false;
    const Edge edge{.byte = static_cast<std::uint8_t>(key_[stop.key_off]), .child = leaf};
    if (add_edge(editor_, node, stop.slot_off, edge) != no_ref) return true;
    unmake_leaf(leaf, suffix);
    return false;
  }

  // A new node4 between a reference and what it led to.
  struct Fork {
    std::size_t slot_off = 0;
    std::string_view label;  // the node's
    std::string_view rest;   // of the key, the label included
  };

  // The new leaf and the old object hang below a new node. `old_ends`: the old object is its own value.
  [[nodiscard]] bool make_fork(const Fork& fork, Edge old, bool old_ends) const noexcept {
    const bool new_ends = fork.rest.size() == fork.label.size();
    const std::string_view suffix =
        fork.rest.substr(new_ends ? fork.label.size() : fork.label.size() + 1);
    const std::size_t bytes = frame::node_bytes(ObjectKind::node4, fork.label.size());
    const Ref ref = editor_.allocate(bytes);
    if (ref == no_ref) return false;
    const Ref leaf = make_leaf(suffix);
    if (leaf == no_ref) {
      editor_.release(ref, bytes);
      return false;
    }
    Edges edges;
    if (!new_ends) edges.add(static_cast<std::uint8_t>(fork.rest[fork.label.size()]), leaf);
    if (!old_ends) edges.add(old.byte, old.child);
    if (edges.count == 2 && edges.bytes[0] > edges.bytes[1]) {
      std::swap(edges.bytes[0], edges.bytes[1]);
      std::swap(edges.children[0], edges.children[1]);
    }
    NodeContent content{.kind = ObjectKind::node4, .label = fork.label};
    if (new_ends) content.own = leaf;
    if (old_ends) content.own = old.child;
    encode_node(editor_.write(ref, bytes), content, edges);
    editor_.set_slot(fork.slot_off, ref);
    format::FrameHeader& header = editor_.write_header();
    header.nodes = header.nodes + 1;
    return true;
  }

  // Drops the first bytes of a leaf's suffix in place; the value before it does not move.
  void shorten_suffix(Ref ref, const frame::Leaf& leaf, std::size_t dropped) const noexcept {
    const std::size_t kept = leaf.suffix.size() - dropped;
    const std::size_t old_bytes = leaf.bytes();
    const std::size_t bytes = frame::leaf_bytes(leaf.value.size(), kept);
    const std::size_t suffix_off = sizeof(format::LeafHeader) + leaf.value.size();
    std::byte* at = editor_.write(ref, old_bytes);
    std::copy_n(at + suffix_off + dropped, kept, at + suffix_off);
    std::fill_n(at + suffix_off + kept, bytes - suffix_off - kept, std::byte{0});
    reinterpret_cast<format::LeafHeader*>(at)->suffix_bytes = static_cast<std::uint16_t>(kept);
    editor_.trim(ref, old_bytes, bytes);
  }

  Editor editor_;
  std::string_view key_;
  std::string_view value_;
  Lsn version_;
};

// The way of the put, with the edge it is about to add: what a spill looks at to see a run of keys.
void note_new_edge(Path& path, const Stop& stop, std::string_view key) {
  if (stop.kind != StopKind::no_edge) return;
  path.push_back({.node = stop.ref,
                  .slot_off = stop.slot_off,
                  .byte = static_cast<std::uint8_t>(key[stop.key_off])});
}

// Where the change goes on: the frame behind the crossing is latched too, or our own.
std::size_t behind(const FrameSet& frames, const View& view, Ref crossing) noexcept {
  const std::size_t child = frames.find(view.crossing(crossing));
  ARTFS_ASSERT(child != FrameSet::npos);  // AP
  return child;
}

void make_room_for(FrameSet& frames, Place& at, std::size_t need, frame::FrameReserve& reserve) {
  Path path;
  const View view(frames[at.member].pin.bytes());
  const Stop stop = descend(view, at.key, at.key_off, &path);
  note_new_edge(path, stop, at.key);
  make_room(at.tree, frames, {.member = at.member, .path = &path, .need = need}, reserve);
}

}  // namespace

void insert(FrameSet& frames, const Place& at, std::string_view value, Lsn version,
            frame::FrameReserve& reserve) {
  ARTFS_ASSERT(at.key.size() <= key_bytes_max && value.size() <= value_bytes_max);
  Place place = at;
  bool has_room_made = false;
  for (;;) {
    const View view(frames[place.member].pin.bytes());
    const Stop stop =
        place.stop != nullptr ? *place.stop : descend(view, place.key, place.key_off, nullptr);
    place.stop = nullptr;
    frames[place.member].is_fresh = false;
    if (stop.kind == StopKind::crossing) {
      place.key_off = stop.key_off;
      place.member = behind(frames, view, stop.child);
      continue;
    }
    if (Put(frames[place.member].pin, place.key, value, version).apply(stop)) break;
    ARTFS_ASSERT(!has_room_made);  // AP (2), (3): once is enough
    make_room_for(frames, place, put_need(place.key.size(), value.size()), reserve);
    has_room_made = true;
  }
  format::FrameHeader& header = Editor(frames[place.member].pin).write_header();
  header.checked_by = process_number();  // AP (0): latch() has checked it
  if (version.raw > header.page_lsn) header.page_lsn = version.raw;
}

}  // namespace artfs::art
