// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "art/descend.hpp"
#include "art/tree.hpp"

namespace artfs::art {

namespace {

tl::unexpected<Error> damaged(const frame::Pin& pin) {
  return fail(Errc::frame_corrupt, pin.id().raw);
}

// The frame the way of a key ends in, and how; with the longest prefix of it met on the way.
struct End {
  frame::Pin pin;
  Stop stop;
};

// Where a prefix may stop early: the edge byte of a crossing is its last byte, and a frame is never empty.
enum class Goal : std::uint8_t { whole_key, prefix };

Result<End> walk(const TreeView& tree, std::string_view key, Goal goal) {
  frame::Pin pin = ARTFS_TRY(tree.cache.pin(tree.root));
  std::ptrdiff_t longest_prefix = -1;
  std::size_t key_off = 0;
  for (std::size_t frames = 0; frames < frames_on_way_max + key.size(); ++frames) {
    const View view(pin.bytes());
    Stop stop = descend(view, key, key_off, nullptr);
    if (stop.kind == StopKind::damaged) break;
    longest_prefix = std::max(longest_prefix, stop.longest_prefix);
    stop.longest_prefix = longest_prefix;
    const bool is_enough = goal == Goal::prefix && stop.key_off + 1 == key.size();
    if (stop.kind != StopKind::crossing || is_enough)
      return End{.pin = std::move(pin), .stop = stop};
    const FrameId child = view.crossing(stop.child);
    if (!child) break;
    key_off = stop.key_off;
    pin = ARTFS_TRY(tree.cache.pin(child));
  }
  return damaged(pin);
}

Result<Found> found_leaf(frame::Pin&& pin, Ref ref) {
  frame::Leaf leaf;
  if (!View(pin.bytes()).leaf(ref, leaf)) return damaged(pin);
  return Found{.value = leaf.value, .version = leaf.version, .pin = std::move(pin)};
}

}  // namespace

Result<Found> find(const TreeView& tree, std::string_view key) {
  End end = ARTFS_TRY(walk(tree, key, Goal::whole_key));
  const Stop& stop = end.stop;
  if (stop.kind == StopKind::end && stop.child != no_ref) {
    return found_leaf(std::move(end.pin), stop.child);
  }
  if (stop.kind != StopKind::leaf || stop.matched != key.size() - stop.key_off) {
    return fail(Errc::key_not_found);
  }
  frame::Leaf leaf;
  if (!View(end.pin.bytes()).leaf(stop.ref, leaf)) return damaged(end.pin);
  if (leaf.suffix.size() != stop.matched) return fail(Errc::key_not_found);
  return Found{.value = leaf.value, .version = leaf.version, .pin = std::move(end.pin)};
}

Result<bool> prefix_empty(const TreeView& tree, std::string_view prefix) {
  const End end = ARTFS_TRY(walk(tree, prefix, Goal::prefix));
  switch (end.stop.kind) {
    case StopKind::leaf:
    case StopKind::label:
      // The prefix is used up inside the suffix or label: what stands there starts with it.
      return end.stop.key_off + end.stop.matched != prefix.size();
    case StopKind::end:
    case StopKind::crossing:
      return false;
    case StopKind::empty:
    case StopKind::no_edge:
    case StopKind::damaged:
      break;
  }
  return true;
}

Result<std::size_t> longest_prefix(const TreeView& tree, std::string_view key) {
  const End end = ARTFS_TRY(walk(tree, key, Goal::whole_key));
  if (end.stop.longest_prefix < 0) return fail(Errc::key_not_found);
  return static_cast<std::size_t>(end.stop.longest_prefix);
}

}  // namespace artfs::art
