// SPDX-License-Identifier: Apache-2.0
#include "art/plan.hpp"

#include <algorithm>
#include <optional>
#include <random>

#include "art/room.hpp"

namespace artfs::art {

std::uint32_t process_number() noexcept {
  static const std::uint32_t number = std::random_device{}() | 1U;
  return number;
}

Result<void> check_structure(const frame::Pin& pin) {
  if (View(pin.bytes()).header().checked_by == process_number()) return {};
  FrameCheck check;
  check_frame(pin.id(), pin.bytes(), check);
  if (check.problems.empty()) return {};
  return fail(Errc::frame_corrupt, pin.id().raw);
}

namespace {

// Spots read before that a write looks among: a guard and what it guards, both keys of a rename.
constexpr std::size_t reads_searched_max = 8;

std::size_t ways_out(const View& view, Ref ref) noexcept {
  Node node;
  if (!view.node(ref, node)) return 0;
  return std::size_t{node.count} + (node.own != no_ref ? 1 : 0);
}

// How many keys and edges the widest node on the way has that keeps an erase from reaching the frames above: so
// many erases in the frame are needed before one of them may. A frame that is entered by several edges
// forks at its root, and loses such an edge with the last key below it: its root does not count.
std::size_t widest_fork(const View& view, const Stop& stop, std::span<const Step> steps) noexcept {
  Node root;
  const bool is_entry_fork = view.node(view.root(), root) && root.label.empty();
  std::size_t widest = 0;
  const auto consider = [&](Ref ref) {
    if (is_entry_fork && ref == root.ref) return;
    widest = std::max(widest, ways_out(view, ref));
  };
  if (stop.kind == StopKind::end) consider(stop.ref);
  for (const Step& step : steps) consider(step.node);
  return widest;
}

// True when the way of a key that a parent's edge led into this frame ends in it, not before it.
bool is_inside(const View& view, const Stop& stop) noexcept {
  if (stop.ref != view.root()) return true;
  switch (stop.kind) {
    case StopKind::leaf:
    case StopKind::label:
      return stop.matched > 0;  // the edge byte at least
    case StopKind::no_edge: {
      Node root;
      return view.node(stop.ref, root) && !root.label.empty();
    }
    case StopKind::end:
    case StopKind::crossing:
      return true;
    case StopKind::empty:
    case StopKind::damaged:
      break;
  }
  return false;
}

// The version of the record at the end of the way; zero when the key is absent; none when the leaf is damaged.
std::optional<Lsn> record_at(const View& view, const Stop& stop, std::string_view key,
                             std::string* value) {
  const Ref ref = leaf_of(stop, key);
  if (ref == no_ref) return Lsn{};
  frame::Leaf leaf;
  if (!view.leaf(ref, leaf)) return {};
  if (value != nullptr) value->assign(leaf.value);
  return leaf.version;
}

}  // namespace

void format_root(const frame::Pin& root) {
  // A fresh frame is an empty tree; only say that its structure needs no check (AP 0).
  Editor(root).write_header().checked_by = process_number();
}

// --- What is read and written ------------------------------------------------------------------------

std::size_t WritePlan::known_spot(const TreeView& tree, std::string_view key) const noexcept {
  const std::size_t count = std::min(reads_, reads_searched_max);
  for (std::size_t i = 0; i < count; ++i) {
    if (spots_[i].tree.root == tree.root && spots_[i].key == key) return i;
  }
  return FrameSet::npos;
}

Result<std::size_t> WritePlan::add_spot(const TreeView& tree, std::string_view key,
                                        const WayEnd& end) {
  const std::size_t member = ARTFS_TRY(frames_.add(end.look));
  frames_[member].bytes_live = View(end.look.bytes()).header().bytes_live;
  spots_.push_back(
      {.tree = tree, .key = key, .member = member, .key_off = end.key_off, .stop = end.stop});
  return spots_.size() - 1;
}

Result<std::size_t> WritePlan::spot_of(const TreeView& tree, std::string_view key) {
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long);
  const std::size_t known = known_spot(tree, key);
  if (known != FrameSet::npos) return known;
  const WayEnd end = ARTFS_TRY(walk(tree, key, Goal::whole_key, nullptr));
  return add_spot(tree, key, end);
}

Result<Lsn> WritePlan::read(const TreeView& tree, std::string_view key, std::string* value) {
  ARTFS_ASSERT(reads_ == spots_.size());  // reads come first
  const WayEnd end = ARTFS_TRY(walk(tree, key, Goal::whole_key, nullptr));
  const std::optional<Lsn> seen = record_at(View(end.look.bytes()), end.stop, key, value);
  // Also an answer that ends the change (a guard that fails) has to be one.
  if (!end.look.valid()) return fail(Errc::contended);
  if (!seen) return fail(Errc::frame_corrupt, end.look.id().raw);
  Spot& spot = spots_[ARTFS_TRY(add_spot(tree, key, end))];
  spot.is_read = true;
  spot.seen = *seen;
  ++reads_;
  return spot.seen;
}

Result<bool> WritePlan::read_prefix_empty(const TreeView& tree, std::string_view prefix) {
  const WayEnd end = ARTFS_TRY(walk(tree, prefix, Goal::prefix, nullptr));
  const std::size_t member = ARTFS_TRY(frames_.add(end.look));
  frames_[member].may_move = false;
  if (!end.look.valid()) return fail(Errc::contended);
  return !is_above_keys(end.stop, prefix);
}

Result<void> WritePlan::add_put(const TreeView& tree, std::string_view key,
                                std::size_t value_bytes) {
  if (value_bytes > value_bytes_max) return fail(Errc::value_too_large);
  const std::size_t spot = ARTFS_TRY(spot_of(tree, key));
  FrameSet::Member& member = frames_[spots_[spot].member];
  const std::size_t need = put_need(key.size(), value_bytes);
  member.is_written = true;
  member.bytes_needed += need;
  bytes_needed_ += need;
  ops_.push_back({.kind = OpKind::put, .spot = spot});
  return {};
}

Result<void> WritePlan::add_erase(const TreeView& tree, std::string_view key) {
  const std::size_t spot = ARTFS_TRY(spot_of(tree, key));
  FrameSet::Member& member = frames_[spots_[spot].member];
  member.is_written = true;
  ++member.erases;
  ops_.push_back({.kind = OpKind::erase, .spot = spot});
  if (wants_ways_) return add_way(spots_[spot]);
  return {};
}

// Every frame that leads to the spot.
Result<void> WritePlan::add_way(const Spot& spot) {
  ways_.clear();
  const WayEnd end = ARTFS_TRY(walk(spot.tree, spot.key, Goal::whole_key, &ways_));
  const auto note = [this](const frame::Look& look) -> Result<void> {
    FrameSet::Member& member = frames_[ARTFS_TRY(frames_.add(look))];
    member.is_written = true;
    member.may_move = false;
    member.is_on_way = true;
    return {};
  };
  for (const Way& way : ways_) ARTFS_TRY(note(way.look));
  return note(end.look);
}

// Room.hpp AP (4). A put that is applied from the root may end in any frame of the ways.
std::size_t WritePlan::frames_needed() const noexcept {
  std::size_t full = 0;
  std::size_t charged = 0;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const FrameSet::Member& member = frames_[i];
    if (member.is_on_way && bytes_needed_ > 0) {
      if (member.bytes_live + bytes_needed_ > fill_max) ++full;
      charged = bytes_needed_;
      continue;
    }
    if (member.bytes_live + member.bytes_needed <= fill_max) continue;
    ++full;
    charged += member.bytes_needed;
  }
  return full + 2 * std::min(charged, bytes_needed_) / spill_charge + moves_;
}

// --- Latched -----------------------------------------------------------------------------------------

Result<void> WritePlan::latch() {
  ARTFS_TRY(frames_.latch());
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    FrameSet::Member& member = frames_[i];
    if (!member.is_written) continue;
    ARTFS_TRY(check_structure(member.pin));
    member.bytes_live = View(member.pin.bytes()).header().bytes_live;
  }
  for (Spot& spot : spots_) {
    if (frames_[spot.member].is_moved) ARTFS_TRY(find_again(spot));
  }
  for (Op& op : ops_) {
    Spot& spot = spots_[op.spot];
    op.from_root = frames_[spot.member].is_on_way;
    if (op.kind == OpKind::erase && !op.from_root) ARTFS_TRY(settle(spot));
  }
  return {};
}

// Others changed the frame before we latched it. It is still the right one when the way goes on inside, and what
// was read stands when the record has the same version.
Result<void> WritePlan::find_again(Spot& spot) const {
  const frame::Pin& pin = frames_[spot.member].pin;
  const View view(pin.bytes());
  spot.stop = descend(view, spot.key, spot.key_off, nullptr);
  if (spot.stop.kind == StopKind::damaged) return fail(Errc::frame_corrupt, pin.id().raw);
  if (spot.stop.kind == StopKind::crossing) return fail(Errc::contended);
  if (pin.id() != spot.tree.root && !is_inside(view, spot.stop)) return fail(Errc::contended);
  if (!spot.is_read) return {};
  if (record_at(view, spot.stop, spot.key, nullptr) != spot.seen) return fail(Errc::contended);
  return {};
}

// The steps of a key to erase. When the erases of this change may reach the frames above, these are needed,
// too: the next attempt registers them.
Result<void> WritePlan::settle(Spot& spot) {
  const FrameSet::Member& member = frames_[spot.member];
  const View view(member.pin.bytes());
  spot.first_step = steps_.size();
  spot.stop = descend(view, spot.key, spot.key_off, &steps_);
  spot.steps = steps_.size() - spot.first_step;
  if (member.id == spot.tree.root) return {};
  const std::span<const Step> steps(steps_.data() + spot.first_step, spot.steps);
  if (widest_fork(view, spot.stop, steps) > member.erases) return {};
  wants_ways_ = true;
  return fail(Errc::contended);
}

Place WritePlan::next(OpKind kind) noexcept {
  ARTFS_ASSERT(frames_.is_latched() && applied_ < ops_.size() && ops_[applied_].kind == kind);
  const Op& op = ops_[applied_];
  ++applied_;
  const Spot& spot = spots_[op.spot];
  if (op.from_root) {
    return {.tree = spot.tree, .key = spot.key, .member = frames_.find(spot.tree.root)};
  }
  Place place{.tree = spot.tree, .key = spot.key, .member = spot.member, .key_off = spot.key_off};
  if (frames_[spot.member].is_fresh) {
    place.stop = &spot.stop;
    place.steps = {steps_.data() + spot.first_step, spot.steps};
  }
  return place;
}

void WritePlan::put(std::string_view value, Lsn version, frame::FrameReserve& reserve) {
  insert(frames_, next(OpKind::put), value, version, reserve);
}

bool WritePlan::erase(Lsn version) {
  return art::erase(frames_, next(OpKind::erase), version, shrunken_);
}

void WritePlan::restart() noexcept {
  frames_.release();
  spots_.clear();
  ops_.clear();
  steps_.clear();
  ways_.clear();
  shrunken_.clear();
  reads_ = 0;
  applied_ = 0;
  bytes_needed_ = 0;
  moves_ = 0;
}

void WritePlan::clear() noexcept {
  restart();
  wants_ways_ = false;
}

}  // namespace artfs::art
