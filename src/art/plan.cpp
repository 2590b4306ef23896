// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "art/descend.hpp"
#include "art/room.hpp"
#include "art/tree.hpp"

namespace artfs::art {

std::uint32_t process_number() noexcept {
  static const std::uint32_t number = std::random_device{}() | 1U;
  return number;
}

namespace {

// AP (0).
Result<void> check_structure(const frame::Pin& pin) {
  if (View(pin.bytes()).header().checked_by == process_number()) return {};
  FrameCheck check;
  check_frame(pin.id(), pin.bytes(), check);
  if (check.problems.empty()) return {};
  return fail(Errc::frame_corrupt, pin.id().raw);
}

}  // namespace

void format_root(const frame::Pin& root) {
  // A fresh frame is an empty tree; only say that its structure needs no check (AP 0).
  Editor(root).write_header().checked_by = process_number();
}

bool WritePlan::Target::fits() const noexcept {
  return bytes_live + bytes_needed <= fill_max;
}

Result<std::size_t> WritePlan::pin_frame(const TreeView& tree, FrameId id) {
  for (std::size_t i = pins_.size(); i-- > 0;) {
    if (pins_[i].id() == id) return i;
  }
  pins_.push_back(ARTFS_TRY(tree.cache.pin(id)));
  return pins_.size() - 1;
}

Result<std::size_t> WritePlan::walk(const TreeView& tree, std::string_view key) {
  FrameId id = tree.root;
  std::size_t key_off = 0;
  for (std::size_t frames = 0; frames < frames_on_way_max + key.size(); ++frames) {
    const std::size_t index = ARTFS_TRY(pin_frame(tree, id));
    const View view(pins_[index].bytes());
    const Stop stop = descend(view, key, key_off, nullptr);
    if (stop.kind == StopKind::damaged) break;
    if (stop.kind != StopKind::crossing) {
      ARTFS_TRY(check_structure(pins_[index]));
      return index;
    }
    const FrameId child = view.crossing(stop.child);
    if (!child) break;
    key_off = stop.key_off;
    id = child;
  }
  return fail(Errc::frame_corrupt, id.raw);
}

Result<void> WritePlan::add_put(const TreeView& tree, std::string_view key,
                                std::size_t value_bytes) {
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long);
  if (value_bytes > value_bytes_max) return fail(Errc::value_too_large);
  const std::size_t pin = ARTFS_TRY(walk(tree, key));
  auto target = std::find_if(targets_.begin(), targets_.end(),
                             [pin](const Target& known) { return known.pin == pin; });
  if (target == targets_.end()) {
    const std::size_t bytes_live = View(pins_[pin].bytes()).header().bytes_live;
    target = targets_.insert(target, {.pin = pin, .bytes_live = bytes_live});
  }
  const std::size_t need = put_need(key.size(), value_bytes);
  target->bytes_needed += need;
  bytes_needed_ += need;
  return {};
}

Result<void> WritePlan::add_erase(const TreeView& tree, std::string_view key) {
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long);
  static_cast<void>(ARTFS_TRY(walk(tree, key)));
  has_erases_ = true;
  return {};
}

// Room.hpp AP (4). Without erases nothing merges, and targets that fit stay out of the account.
std::size_t WritePlan::frames_needed() const noexcept {
  std::size_t full_targets = 0;
  std::size_t charged = 0;
  for (const Target& target : targets_) {
    if (target.fits()) continue;
    ++full_targets;
    charged += target.bytes_needed;
  }
  if (has_erases_) charged = bytes_needed_;
  return full_targets + 2 * charged / spill_charge;
}

void WritePlan::clear() noexcept {
  targets_.clear();
  pins_.clear();
  bytes_needed_ = 0;
  has_erases_ = false;
}

}  // namespace artfs::art
