// SPDX-License-Identifier: Apache-2.0
#include "art/upkeep.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "art/image.hpp"
#include "art/restructure.hpp"
#include "art/room.hpp"
#include "art/walk.hpp"

namespace artfs::art {

namespace {

std::size_t bytes_live(const View& view) noexcept {
  return view.header().bytes_live;
}

// A crossing and the node whose edges lead to it.
struct Child {
  FrameId frame{};
  Ref crossing = no_ref;
  Ref node = no_ref;
};

void add_children_of(const View& view, const Node& node, std::vector<Child>& children) {
  const Edges edges = edges_of(node);
  for (std::size_t i = 0; i < edges.count; ++i) {
    const FrameId frame = view.crossing(edges.children[i]);
    if (!frame) continue;
    const auto is_same = [&](const Child& child) { return child.crossing == edges.children[i]; };
    if (std::none_of(children.begin(), children.end(), is_same)) {
      children.push_back({.frame = frame, .crossing = edges.children[i], .node = node.ref});
    }
  }
}

// All crossings of a frame that few live bytes make cheap to walk. Objects met are bounded by its size.
std::vector<Child> children_of(const View& view) {
  constexpr std::size_t objects_max = capacity / format::unit_bytes;
  std::vector<Child> children;
  std::vector<Ref> todo{view.root()};
  for (std::size_t met = 0; !todo.empty() && met < objects_max; ++met) {
    Node node;
    const bool is_node = view.node(todo.back(), node);
    todo.pop_back();
    if (!is_node) continue;
    add_children_of(view, node, children);
    const Edges edges = edges_of(node);
    todo.insert(todo.end(), edges.children.begin(),
                edges.children.begin() + static_cast<std::ptrdiff_t>(edges.count));
  }
  return children;
}

class Tender {
 public:
  Tender(const TreeView& tree, const Shrunken& shrunken, FrameSet& frames) noexcept
      : tree_(&tree), shrunken_(&shrunken), frames_(&frames) {}

  [[nodiscard]] Result<Upkeep> run() {
    std::vector<Way> ways;
    WayEnd end = ARTFS_TRY(walk(*tree_, shrunken_->key, Goal::whole_key, &ways));
    end.look.close();
    const auto place = std::find_if(ways.begin(), ways.end(), [this](const Way& way) {
      return way.look.id() == shrunken_->frame;
    });
    const bool is_end = place == ways.end();
    if (is_end && end.look.id() != shrunken_->frame) return Upkeep::none;  // merged, or moved
    frame::Look& look = is_end ? end.look : place->look;
    if (place != ways.begin()) {
      Way& above = *(place - 1);
      const Upkeep done = ARTFS_TRY(give_away(above, look));
      if (done != Upkeep::none) return done;
    }
    const Upkeep done = ARTFS_TRY(take_in_child(look));
    return done != Upkeep::none ? done : compact_if_worth(look);
  }

 private:
  [[nodiscard]] static Result<void> read_again(frame::Look& look) {
    if (!look.reopen()) return fail(Errc::contended);
    return {};
  }

  [[nodiscard]] Result<std::size_t> weigh(frame::Look& look) const {
    ARTFS_TRY(read_again(look));
    const std::size_t live = bytes_live(View(look.bytes()));
    look.close();
    return live;
  }

  // Latches both or all three of them.
  [[nodiscard]] Result<void> latch(std::initializer_list<const frame::Look*> looks) {
    frames_->release();
    for (const frame::Look* look : looks) {
      FrameSet::Member& member = (*frames_)[ARTFS_TRY(frames_->add(*look))];
      member.is_written = true;
      member.may_move = false;
    }
    ARTFS_TRY(frames_->latch());
    for (std::size_t i = 0; i < frames_->size(); ++i) {
      ARTFS_TRY(check_structure((*frames_)[i].pin));
    }
    return {};
  }

  [[nodiscard]] const frame::Pin& pin_of(const frame::Look& look) const noexcept {
    return (*frames_)[frames_->find(look.id())].pin;
  }

  // The frame's content goes into its parent or into a sibling.
  [[nodiscard]] Result<Upkeep> give_away(Way& above, frame::Look& look) {
    const std::size_t live = ARTFS_TRY(weigh(look));
    if (live > merge_child_max) return Upkeep::none;
    if (ARTFS_TRY(weigh(above.look)) + live <= merge_both_max) {
      ARTFS_TRY(latch({&above.look, &look}));
      if (try_merge(pin_of(above.look), above.crossing, pin_of(look))) return merged(look);
      frames_->release();
    }
    return join(above, look, live);
  }

  [[nodiscard]] Upkeep merged(const frame::Look& gone) {
    frames_->doom(frames_->find(gone.id()), tree_->cache);
    return Upkeep::merged;
  }

  // The fullest sibling that takes the frame's content.
  [[nodiscard]] Result<Upkeep> join(Way& above, frame::Look& look, std::size_t live) {
    if (above.path.empty()) return Upkeep::none;
    std::vector<Child> siblings;
    {
      ARTFS_TRY(read_again(above.look));
      const View view(above.look.bytes());
      Node node;
      if (view.node(above.path.back().node, node)) add_children_of(view, node, siblings);
      above.look.close();
    }
    frame::Look best;
    Ref best_crossing = no_ref;
    std::size_t best_live = 0;
    for (const Child& sibling : siblings) {
      if (sibling.crossing == above.crossing) continue;
      Result<frame::Look> other = tree_->cache.look(sibling.frame);
      if (!other) continue;  // not in memory: no reason to load it
      const std::size_t other_live = bytes_live(View(other->bytes()));
      other->close();
      if (other_live + live > join_both_max || other_live < best_live) continue;
      best = *std::move(other);
      best_crossing = sibling.crossing;
      best_live = other_live;
    }
    if (best_crossing == no_ref || best.id() == look.id()) return Upkeep::none;
    if (!above.look.valid()) return fail(Errc::contended);
    ARTFS_TRY(latch({&above.look, &look, &best}));
    const Joint joint{.node = above.path.back().node, .from = above.crossing, .to = best_crossing};
    if (!try_join(pin_of(above.look), joint, pin_of(look), pin_of(best))) return Upkeep::none;
    frames_->doom(frames_->find(look.id()), tree_->cache);
    return Upkeep::joined;
  }

  // One of the frame's children that fits into it.
  [[nodiscard]] Result<Upkeep> take_in_child(frame::Look& look) {
    const std::size_t live = ARTFS_TRY(weigh(look));
    if (live > merge_child_max) return Upkeep::none;
    ARTFS_TRY(read_again(look));
    const std::vector<Child> children = children_of(View(look.bytes()));
    look.close();
    for (const Child& child : children) {
      Result<frame::Look> other = tree_->cache.look(child.frame);
      if (!other) continue;
      const std::size_t other_live = bytes_live(View(other->bytes()));
      other->close();
      if (other_live > merge_child_max || other_live + live > merge_both_max) continue;
      if (!look.valid()) return fail(Errc::contended);
      ARTFS_TRY(latch({&look, &*other}));
      if (try_merge(pin_of(look), child.crossing, pin_of(*other))) return merged(*other);
      frames_->release();
    }
    return Upkeep::none;
  }

  [[nodiscard]] Result<Upkeep> compact_if_worth(frame::Look& look) {
    ARTFS_TRY(read_again(look));
    const std::size_t free = View(look.bytes()).header().bytes_free;
    look.close();
    if (free < compact_free_min) return Upkeep::none;
    ARTFS_TRY(latch({&look}));
    return compact(pin_of(look)) ? Upkeep::compacted : Upkeep::none;
  }

  const TreeView* tree_;
  const Shrunken* shrunken_;
  FrameSet* frames_;
};

// Which quarter, eighth, sixteenth ... of a frame: a frame that shrinks on is looked at once for each.
int magnitude(std::size_t bytes) noexcept {
  return static_cast<int>(std::bit_width(bytes));
}

}  // namespace

bool has_shrunken(Weight before, Weight after) noexcept {
  if (after.bytes_free >= compact_free_min && before.bytes_free < compact_free_min) return true;
  if (after.bytes_live > merge_child_max) return false;
  return before.bytes_live > merge_child_max ||
         magnitude(before.bytes_live) != magnitude(after.bytes_live);
}

Result<Upkeep> tend(const TreeView& tree, const Shrunken& shrunken, FrameSet& frames) {
  return Tender(tree, shrunken, frames).run();
}

}  // namespace artfs::art
