// SPDX-License-Identifier: Apache-2.0
#include "art/cold.hpp"

#include <algorithm>
#include <utility>

#include "art/descend.hpp"

namespace artfs::art {

namespace {

using frame::ByteRange;

// A frame, whole or in part.
struct Place {
  frame::Look look;
  frame::PartialPin part;

  [[nodiscard]] View view() const noexcept { return View(part ? part.bytes() : look.bytes()); }

  [[nodiscard]] FrameId id() const noexcept { return part ? part.id() : look.id(); }

  // A partial frame's bytes never change; what may is that they are the frame's bytes.
  [[nodiscard]] bool valid() const noexcept { return part ? part.is_current() : look.valid(); }
};

// Whether all of the object at `ref` can be read; else what is to be fetched.
bool has_object(const Place& place, Ref ref, ByteRange& missing) noexcept {
  const View view = place.view();
  const std::size_t off = format::offset_of(ref);
  // What the reader of a leaf loads first, which is the most of all kinds.
  constexpr std::size_t head_bytes = 2 * format::unit_bytes;
  missing = {off, std::min(head_bytes, format::frame_bytes - off)};
  if (!place.part.holds(missing)) return false;
  frame::Leaf leaf;
  Node node;
  if (view.leaf(ref, leaf)) {
    missing.bytes = leaf.bytes();
  } else if (view.node(ref, node)) {
    missing.bytes = node.bytes();
  }
  return place.part.holds(missing);
}

// Whether every object that descend() will read is there. It ends where that ends, or before.
bool has_way(const Place& place, std::string_view key, std::size_t key_off,
             ByteRange& missing) noexcept {
  const View view = place.view();
  for (Ref ref = view.root(); ref >= format::object_ref_min;) {
    if (!has_object(place, ref, missing)) return false;
    Node node;
    if (!view.node(ref, node)) return true;
    const std::string_view rest = key.substr(key_off);
    if (!rest.starts_with(node.label)) return true;
    key_off += node.label.size();
    if (key_off == key.size()) {
      return node.own < format::object_ref_min || has_object(place, node.own, missing);
    }
    ref = find_edge(node, static_cast<std::uint8_t>(key[key_off])).child;
    ++key_off;
  }
  return true;
}

Result<Place> enter(const TreeView& tree, FrameId id, MissingBytes& missing) {
  Result<frame::Look> look = tree.cache.look(id);
  if (look) return Place{.look = *std::move(look), .part = {}};
  Result<frame::PartialPin> part = tree.cache.peek(id);
  if (part) return Place{.look = {}, .part = *std::move(part)};
  missing = {.frame = id, .range = {}};
  return fail(part.error());
}

// The reference of the leaf that the way ends at when it is that of the key.
Ref leaf_of(const View& view, const Stop& stop, std::string_view key) noexcept {
  if (stop.kind == StopKind::end) return stop.child;
  if (stop.kind != StopKind::leaf || stop.matched != key.size() - stop.key_off) return no_ref;
  frame::Leaf leaf;
  return view.leaf(stop.ref, leaf) && leaf.suffix.size() == stop.matched ? stop.ref : no_ref;
}

Result<Lsn> read_leaf(const Place& place, Ref ref, std::string* value) {
  Result<Lsn> found = fail(Errc::key_not_found);
  if (ref != no_ref) {
    frame::Leaf leaf;
    if (place.view().leaf(ref, leaf)) {
      if (value != nullptr) value->assign(leaf.value);
      found = leaf.version;
    } else {
      found = fail(Errc::frame_corrupt, place.id().raw);
    }
  }
  // Copied; only now it is known what it was.
  if (!place.valid()) return fail(Errc::contended);
  return found;
}

}  // namespace

Result<Lsn> find_cold(const TreeView& tree, std::string_view key, std::string* value,
                      MissingBytes& missing) {
  Place at = ARTFS_TRY(enter(tree, tree.root, missing));
  std::size_t key_off = 0;
  for (std::size_t frames = 0; frames < frames_on_way_max + key.size(); ++frames) {
    if (at.part && !has_way(at, key, key_off, missing.range)) {
      missing.frame = at.id();
      return fail(Errc::frame_not_resident, at.id().raw);
    }
    const View view = at.view();
    const Stop stop = descend(view, key, key_off, nullptr);
    if (stop.kind == StopKind::damaged) break;
    if (stop.kind != StopKind::crossing) return read_leaf(at, leaf_of(view, stop, key), value);
    const FrameId child = view.crossing(stop.child);
    if (!child) break;
    at.look.close();
    Result<Place> below = enter(tree, child, missing);
    // Also what went wrong counts only if the frame that led there still says the same.
    if (!at.valid()) return fail(Errc::contended);
    if (!below) return fail(below.error());
    at = *std::move(below);
    key_off = stop.key_off;
  }
  if (!at.valid()) return fail(Errc::contended);
  return fail(Errc::frame_corrupt, at.id().raw);
}

}  // namespace artfs::art
