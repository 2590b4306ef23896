// SPDX-License-Identifier: Apache-2.0
#include "art/move.hpp"

#include <algorithm>
#include <string>

#include "art/image.hpp"
#include "art/plan.hpp"
#include "art/restructure.hpp"
#include "art/room.hpp"

namespace artfs::art {

namespace {

// Where a way ends among the frames of the set.
struct End {
  std::size_t member = 0;
  Stop stop;
};

End end_of(const FrameSet& frames, const TreeView& tree, std::string_view key) {
  End end{.member = frames.find(tree.root), .stop = {}};
  std::size_t key_off = 0;
  for (;;) {
    ARTFS_ASSERT(end.member != FrameSet::npos);  // AP
    const View view(frames[end.member].pin.bytes());
    end.stop = descend(view, key, key_off, nullptr);
    if (end.stop.kind != StopKind::crossing) return end;
    key_off = end.stop.key_off;
    end.member = frames.find(view.crossing(end.stop.child));
  }
}

// What begins with the prefix, in the frame where the way ends: an object without the front of its label.
Image::Below below(const View& view, const Stop& stop, std::string_view lead) {
  Image::Below below{.ref = stop.ref, .lead = std::string(lead), .dropped = stop.matched};
  if (stop.kind == StopKind::end) {
    Node node;
    const bool is_node = view.node(stop.ref, node);
    ARTFS_ASSERT(is_node);  // AP (0)
    below.dropped = node.label.size();
  }
  return below;
}

// The leaf that was put at `to` gives its place to a crossing. Returns the crossing.
Ref lead_to(const frame::Pin& pin, const Stop& placeholder, FrameId child) {
  const Editor editor(pin);
  frame::Leaf leaf;
  const bool is_leaf = editor.view().leaf(placeholder.ref, leaf);
  ARTFS_ASSERT(is_leaf && placeholder.slot_off != root_slot_off);
  const std::size_t leaf_bytes = leaf.bytes();
  static_assert(frame::leaf_bytes(0, 0) >= frame::crossing_bytes);
  auto& crossing = editor.write<format::Crossing>(format::offset_of(placeholder.ref));
  crossing = format::Crossing{};
  crossing.kind = static_cast<std::uint8_t>(ObjectKind::crossing);
  crossing.edges = 1;
  crossing.frame = child.raw;
  if (leaf_bytes > frame::crossing_bytes) {
    editor.trim(placeholder.ref, leaf_bytes, frame::crossing_bytes);
  }
  format::FrameHeader& header = editor.write_header();
  header.leaves = header.leaves - 1;
  header.crossings = header.crossings + 1;
  return placeholder.ref;
}

}  // namespace

void move_prefix(FrameSet& frames, const PrefixMove& move, Lsn version,
                 frame::FrameReserve& reserve) {
  // A record at `to` finds the place, makes the room and the edge; then it becomes the crossing.
  insert(frames, {.tree = move.tree, .key = move.to, .member = frames.find(move.tree.root)}, {},
         version, reserve);
  const std::size_t made = frames.adopt(move.tree.cache.create(reserve));
  const End to = end_of(frames, move.tree, move.to);
  const End from = end_of(frames, move.tree, move.from);
  ARTFS_ASSERT(to.stop.kind == StopKind::leaf && to.stop.key_off > 0);
  {
    // The new frame is entered with the edge byte ahead.
    const View source(frames[from.member].pin.bytes());
    Image image;
    const bool is_copied =
        image.copy_below(source, below(source, from.stop, move.to.substr(to.stop.key_off - 1)));
    ARTFS_ASSERT(is_copied);
    image.install(frames[made].pin);
    Editor(frames[made].pin).write_header().page_lsn =
        std::max<std::uint64_t>(source.header().page_lsn, version.raw);
  }
  const Ref crossing = lead_to(frames[to.member].pin, to.stop, frames[made].id);
  cut_prefix(frames, {.tree = move.tree, .key = move.from, .member = frames.find(move.tree.root)},
             version);
  if (try_merge(frames[to.member].pin, crossing, frames[made].pin)) {
    frames.doom(made, move.tree.cache);
  }
}

Result<void> WritePlan::add_move(const TreeView& tree, std::string_view from, std::string_view to) {
  if (from.starts_with(to) || to.starts_with(from)) return fail(Errc::invalid_argument);
  const bool is_nothing = ARTFS_TRY(add_move_way(tree, from));
  if (is_nothing) return fail(Errc::key_not_found);
  const bool is_free = ARTFS_TRY(add_move_way(tree, to));
  if (!is_free) return fail(Errc::prefix_not_empty);
  bytes_needed_ += put_need(to.size(), 0);
  ++moves_;
  return {};
}

// Registers every frame on the way; true when nothing begins with the prefix.
Result<bool> WritePlan::add_move_way(const TreeView& tree, std::string_view prefix) {
  Spot spot{.tree = tree, .key = prefix};
  ARTFS_TRY(add_way(spot));
  return read_prefix_empty(tree, prefix);
}

void WritePlan::move(const PrefixMove& move, Lsn version, frame::FrameReserve& reserve) {
  ARTFS_ASSERT(frames_.is_latched() && moves_ > 0);
  move_prefix(frames_, move, version, reserve);
}

}  // namespace artfs::art
