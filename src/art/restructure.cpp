// SPDX-License-Identifier: Apache-2.0
#include "art/restructure.hpp"

#include <optional>
#include <utility>

#include "art/image.hpp"
#include "art/room.hpp"
#include "art/spill.hpp"

namespace artfs::art {

namespace {

// Of a single edge: the front of the child's label up to the last '/' of it, when it has one. Short, so that
// the spilled frame does not grow by more than AP (3) allows.
std::optional<std::string_view> kept_label(const View& view, const SpillChoice& choice) {
  constexpr std::size_t kept_bytes_max = 512;
  if (choice.edges.count() != 1) return {};
  Node child;
  std::size_t byte = 0;
  while (!choice.edges[byte]) ++byte;
  if (!view.node(find_edge(choice.node, static_cast<std::uint8_t>(byte)).child, child)) return {};
  const std::size_t at = child.label.rfind('/');
  if (at == std::string_view::npos || at > kept_bytes_max) return {};
  return child.label.substr(0, at);
}

// The content of another frame has come to this one.
void raise_page_lsn(const frame::Pin& pin, std::uint64_t lsn) {
  format::FrameHeader& header = Editor(pin).write_header();
  if (lsn > header.page_lsn) header.page_lsn = lsn;
}

// Who still waits for the latch of a frame that nothing leads to sees so; its counts, which are wrong now,
// are no damage.
void make_empty(const frame::Pin& pin) {
  Editor(pin).set_slot(root_slot_off, no_ref);
  Editor(pin).write_header().checked_by = process_number();
}

void spill(const TreeView& tree, FrameSet& frames, const RoomRequest& request,
           frame::FrameReserve& reserve) {
  // Adding a member moves the others.
  const std::size_t added = frames.adopt(tree.cache.create(reserve));
  const frame::Pin& child = frames[added].pin;
  const frame::Pin& pin = frames[request.member].pin;
  const View view(pin.bytes());
  const SpillChoice choice = choose_spill(view, request);
  ARTFS_ASSERT(choice.edges.any());  // AP (3)
  const Cut cut{.node = choice.node.ref,
                .edges = choice.edges,
                .frame = child.id(),
                .kept = kept_label(view, choice)};
  {
    Image moved;
    const bool is_copied = moved.copy_edges(view, choice.node, cut);
    ARTFS_ASSERT(is_copied);
    moved.install(child);
    Editor(child).write_header().page_lsn = view.header().page_lsn;
  }
  Image rest;
  const bool is_copied = rest.copy_frame(view, cut, {});
  ARTFS_ASSERT(is_copied);
  rest.install(pin);
}

}  // namespace

bool compact(const frame::Pin& pin) {
  Image image;
  if (!image.copy_frame(View(pin.bytes()), {}, {})) return false;
  image.install(pin);
  return true;
}

void make_room(const TreeView& tree, FrameSet& frames, const RoomRequest& request,
               frame::FrameReserve& reserve) {
  const frame::Pin& pin = frames[request.member].pin;
  if (View(pin.bytes()).header().bytes_live + request.need > fill_max) {
    return spill(tree, frames, request, reserve);
  }
  const bool is_compacted = compact(pin);
  ARTFS_ASSERT(is_compacted);
}

bool try_merge(const frame::Pin& parent, Ref crossing, const frame::Pin& child) {
  const View parent_view(parent.bytes());
  const View child_view(child.bytes());
  const std::size_t child_live = child_view.header().bytes_live;
  if (child_live > merge_child_max) return false;
  if (parent_view.header().bytes_live + child_live > merge_both_max) return false;
  Image both;
  if (!both.copy_frame(parent_view, {}, {.crossing = crossing, .child = &child_view})) return false;
  both.install(parent);
  raise_page_lsn(parent, child_view.header().page_lsn);
  make_empty(child);
  return true;
}

bool try_join(const frame::Pin& parent, const Joint& joint, const frame::Pin& from,
              const frame::Pin& to) {
  const View from_view(from.bytes());
  const View to_view(to.bytes());
  if (from_view.header().bytes_live + to_view.header().bytes_live > join_both_max) return false;
  const Editor editor(parent);
  Node node;
  if (!editor.view().node(joint.node, node)) return false;
  {
    Image both;
    if (!both.copy_joined(to_view, from_view)) return false;
    both.install(to);
  }
  raise_page_lsn(to, from_view.header().page_lsn);
  const Edges edges = edges_of(node);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < edges.count; ++i) {
    if (edges.children[i] != joint.from) continue;
    editor.set_slot(find_edge(node, edges.bytes[i]).slot_off, joint.to);
    ++moved;
  }
  auto& crossing = editor.write<format::Crossing>(format::offset_of(joint.to));
  crossing.edges = static_cast<std::uint16_t>(crossing.edges + moved);
  editor.release(joint.from, frame::crossing_bytes);
  format::FrameHeader& header = editor.write_header();
  header.crossings = header.crossings - 1;
  header.checked_by = process_number();
  make_empty(from);
  return true;
}

}  // namespace artfs::art
