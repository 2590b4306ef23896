// SPDX-License-Identifier: Apache-2.0
#include "art/frame_set.hpp"

#include <algorithm>
#include <utility>

namespace artfs::art {

std::size_t FrameSet::find(FrameId id) const noexcept {
  // From the back: a change works on neighbouring keys.
  for (std::size_t i = members_.size(); i-- > 0;) {
    if (members_[i].id == id) return i;
  }
  return npos;
}

Result<std::size_t> FrameSet::add(const frame::Look& look) {
  const std::size_t known = find(look.id());
  if (known != npos) {
    // With two versions seen, the first stands for "changed since".
    const Member& member = members_[known];
    if (member.version != look.version() && !member.may_move) return fail(Errc::contended);
    return known;
  }
  frame::Pin pin = look.pin();
  if (!pin) return fail(Errc::contended);
  members_.push_back({.pin = std::move(pin), .id = look.id(), .version = look.version()});
  return members_.size() - 1;
}

Result<void> FrameSet::latch() {
  ARTFS_ASSERT(!is_latched_);
  order_.clear();
  for (std::size_t i = 0; i < members_.size(); ++i) order_.push_back(i);
  if (order_.size() > 1) {
    std::sort(order_.begin(), order_.end(), [this](std::size_t left, std::size_t right) {
      return members_[left].id < members_[right].id;
    });
  }
  is_latched_ = true;
  for (const std::size_t index : order_) {
    Member& member = members_[index];
    sync::Latch& latch = member.pin.latch();
    const base::SameRank same{member.id.raw};
    if (member.may_move) {
      member.guard.emplace(latch, same);
      // Our own taking counts one.
      member.is_moved = latch.version() != member.version + 1;
      continue;
    }
    sync::ExclusiveGuard guard = sync::ExclusiveGuard::take_unchanged(latch, same, member.version);
    if (!guard) return fail(Errc::contended);
    member.guard.emplace(std::move(guard));
  }
  return {};
}

std::size_t FrameSet::adopt(frame::Pin pin) {
  ARTFS_ASSERT(is_latched_);
  const FrameId id = pin.id();
  members_.push_back({.pin = std::move(pin), .id = id, .is_written = true, .is_fresh = false});
  return members_.size() - 1;
}

void FrameSet::doom(std::size_t index, frame::Cache& cache) {
  cache_ = &cache;
  doomed_.push_back(members_[index].pin.clone());
}

void FrameSet::release() noexcept {
  for (Member& member : members_) member.guard.reset();
  is_latched_ = false;
  members_.clear();
  for (frame::Pin& pin : doomed_) cache_->remove(std::move(pin));
  doomed_.clear();
}

}  // namespace artfs::art
