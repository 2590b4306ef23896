// SPDX-License-Identifier: Apache-2.0
#include "art/count.hpp"

#include <algorithm>

#include "art/walk.hpp"

namespace artfs::art {

namespace {

// More objects than a frame has room for: the bytes change under us, and lead in circles.
constexpr std::size_t objects_max = format::frame_capacity_bytes / format::unit_bytes;

struct Task {
  Ref ref = no_ref;
  std::size_t key_off = 0;  // before the object's label or suffix
};

// Adds what hangs below the objects in `tasks`. False when the frame cannot be read that way.
bool tally_below(const View& view, std::vector<Task>& tasks, Tally& tally) {
  for (std::size_t seen = 0; !tasks.empty(); ++seen) {
    if (seen > objects_max) return false;
    const Task task = tasks.back();
    tasks.pop_back();
    frame::Leaf leaf;
    Node node;
    if (view.leaf(task.ref, leaf)) {
      ++tally.keys;
      tally.key_bytes = std::max(tally.key_bytes, task.key_off + leaf.suffix.size());
      continue;
    }
    if (!view.node(task.ref, node)) return false;
    const std::size_t key_off = task.key_off + node.label.size();
    if (key_off > key_bytes_max) return false;
    if (node.own != no_ref) {
      ++tally.keys;
      tally.key_bytes = std::max(tally.key_bytes, key_off);
    }
    const Edges edges = edges_of(node);
    FrameId previous;
    for (std::size_t i = 0; i < edges.count; ++i) {
      if (view.kind(edges.children[i]) != ObjectKind::crossing) {
        tasks.push_back({.ref = edges.children[i], .key_off = key_off + 1});
        continue;
      }
      const FrameId child = view.crossing(edges.children[i]);
      if (!child) return false;
      const auto is_same = [child](const Tally::Child& known) { return known.frame == child; };
      // Several edges of one node may lead to one frame, mostly neighbours.
      if (child == previous || std::any_of(tally.children.begin(), tally.children.end(), is_same)) {
        continue;
      }
      previous = child;
      tally.children.push_back({.frame = child, .key_off = key_off});
    }
  }
  return true;
}

// Where the prefix ends inside the frame: the object whose subtree begins with it, or none.
Task start_of(const Stop& stop, std::string_view prefix) {
  switch (stop.kind) {
    case StopKind::leaf:
    case StopKind::label:
      if (stop.key_off + stop.matched != prefix.size()) return {};
      return {.ref = stop.ref, .key_off = stop.key_off};
    case StopKind::end:
      return {.ref = stop.ref, .key_off = stop.key_off};
    case StopKind::empty:
    case StopKind::no_edge:
    case StopKind::crossing:
    case StopKind::damaged:
      break;
  }
  return {};
}

}  // namespace

Result<Tally> tally_prefix(const TreeView& tree, std::string_view prefix, TallyOf /*of*/) {
  return answer(tree, prefix, Goal::whole_key, [&](WayEnd& end) -> Result<Tally> {
    Tally tally;
    const Task start = start_of(end.stop, prefix);
    if (start.ref == no_ref) return tally;
    std::vector<Task> tasks{start};
    if (!tally_below(View(end.look.bytes()), tasks, tally)) {
      return fail(Errc::frame_corrupt, end.look.id().raw);
    }
    return tally;
  });
}

Result<Tally> tally_frame(const TreeView& tree, const Tally::Child& child, TallyOf of) {
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    const frame::Look look = ARTFS_TRY(tree.cache.look(child.frame));
    const View view(look.bytes());
    Tally tally;
    bool is_read = true;
    if (of == TallyOf::keys && view.header().crossings == 0) {
      tally.keys = view.header().leaves;
    } else if (view.root() != no_ref) {
      std::vector<Task> tasks{{.ref = view.root(), .key_off = child.key_off}};
      is_read = tally_below(view, tasks, tally);
    }
    if (!look.valid()) continue;
    if (!is_read) return fail(Errc::frame_corrupt, child.frame.raw);
    return tally;
  }
  return fail(Errc::contended);
}

}  // namespace artfs::art
