// SPDX-License-Identifier: Apache-2.0
#include "art/walk.hpp"

#include <algorithm>
#include <utility>

namespace artfs::art {

namespace {

// The frame behind the crossing that `stop` found in the frame of `above`, which may be changing.
Result<frame::Look> look_behind(const TreeView& tree, frame::Look& above, Ref crossing) {
  const FrameId child = View(above.bytes()).crossing(crossing);
  above.close();
  Result<frame::Look> look =
      child ? tree.cache.look(child) : fail(Errc::frame_corrupt, above.id().raw);
  // Also what went wrong counts only if the frame that led here still says the same.
  if (!above.valid()) return fail(Errc::contended);
  return look;
}

}  // namespace

Result<WayEnd> try_walk(const TreeView& tree, std::string_view key, Goal goal,
                        std::vector<Way>* ways) {
  if (ways != nullptr) ways->clear();
  WayEnd end{.look = ARTFS_TRY(tree.cache.look(tree.root)), .path = {}, .stop = {}};
  std::ptrdiff_t longest_prefix = -1;
  for (std::size_t frames = 0; frames < frames_on_way_max + key.size(); ++frames) {
    const View view(end.look.bytes());
    end.stop = descend(view, key, end.key_off, ways != nullptr ? &end.path : nullptr);
    Stop& stop = end.stop;
    if (stop.kind == StopKind::damaged) break;
    longest_prefix = std::max(longest_prefix, stop.longest_prefix);
    stop.longest_prefix = longest_prefix;
    const bool is_enough = goal == Goal::prefix && stop.key_off + 1 == key.size();
    if (stop.kind != StopKind::crossing || is_enough) return end;
    frame::Look child = ARTFS_TRY(look_behind(tree, end.look, stop.child));
    if (ways != nullptr) {
      ways->push_back({.look = std::move(end.look),
                       .key_off = end.key_off,
                       .path = std::exchange(end.path, {}),
                       .crossing = stop.child});
    }
    end.look = std::move(child);
    end.key_off = stop.key_off;
  }
  if (!end.look.valid()) return fail(Errc::contended);
  return fail(Errc::frame_corrupt, end.look.id().raw);
}

Result<WayEnd> walk(const TreeView& tree, std::string_view key, Goal goal, std::vector<Way>* ways) {
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    Result<WayEnd> end = try_walk(tree, key, goal, ways);
    if (end || end.error().code != Errc::contended) return end;
  }
  return fail(Errc::contended);
}

}  // namespace artfs::art
