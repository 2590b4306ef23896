// SPDX-License-Identifier: Apache-2.0
#include "art/descend.hpp"

#include <algorithm>

namespace artfs::art {

std::size_t common_bytes(std::string_view a, std::string_view b) noexcept {
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t matched = 0;
  while (matched < limit && a[matched] == b[matched]) ++matched;
  return matched;
}

Stop descend(const View& view, std::string_view key, std::size_t key_off, Path* path) {
  Stop stop{.slot_off = root_slot_off, .ref = view.root(), .key_off = key_off};
  if (stop.ref == no_ref) {
    stop.kind = StopKind::empty;
    return stop;
  }
  std::uint64_t unit0 = view.unit0(stop.ref);
  for (;;) {
    const std::string_view rest = key.substr(stop.key_off);
    if (format::kind_of(unit0) == ObjectKind::leaf) {
      frame::Leaf leaf;
      if (!view.leaf(stop.ref, unit0, leaf)) return stop;
      stop.matched = common_bytes(leaf.suffix, rest);
      stop.is_exact = stop.matched == leaf.suffix.size();
      if (stop.is_exact) stop.note_key(stop.key_off + stop.matched);
      stop.kind = StopKind::leaf;
      return stop;
    }
    Node node;
    if (!view.node(stop.ref, unit0, node)) return stop;
    if (!node.label.empty() && !rest.starts_with(node.label)) {
      stop.matched = common_bytes(node.label, rest);
      stop.kind = StopKind::label;
      return stop;
    }
    const std::size_t label_end = stop.key_off + node.label.size();
    if (node.own != no_ref) stop.note_key(label_end);
    if (label_end == key.size()) {
      stop.child = node.own;
      stop.kind = StopKind::end;
      return stop;
    }
    const auto byte = static_cast<std::uint8_t>(key[label_end]);
    const Edge edge = find_edge(node, byte);
    if (edge.child == no_ref) {
      stop.key_off = label_end;
      stop.kind = StopKind::no_edge;
      return stop;
    }
    if (path != nullptr)
      path->push_back({.node = stop.ref, .slot_off = stop.slot_off, .byte = byte});
    // Both lines it may lie on are on their way while the first is waited for.
    view.prefetch(edge.child);
    unit0 = view.unit0(edge.child);
    if (format::kind_of(unit0) == ObjectKind::crossing) {
      stop.child = edge.child;
      stop.key_off = label_end;
      stop.kind = StopKind::crossing;
      return stop;
    }
    stop.ref = edge.child;
    stop.slot_off = edge.slot_off;
    stop.key_off = label_end + 1;
  }
}

Ref leaf_of(const Stop& stop, std::string_view key) noexcept {
  if (stop.kind == StopKind::end) return stop.child;
  const bool is_leaf =
      stop.kind == StopKind::leaf && stop.is_exact && stop.matched == key.size() - stop.key_off;
  return is_leaf ? stop.ref : no_ref;
}

bool is_above_keys(const Stop& stop, std::string_view prefix) noexcept {
  switch (stop.kind) {
    case StopKind::leaf:
    case StopKind::label:
      // The prefix is used up inside the suffix or label: what stands there starts with it.
      return stop.key_off + stop.matched == prefix.size();
    case StopKind::end:
    case StopKind::crossing:
      return true;
    case StopKind::empty:
    case StopKind::no_edge:
    case StopKind::damaged:
      break;
  }
  return false;
}

}  // namespace artfs::art
