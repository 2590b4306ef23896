// SPDX-License-Identifier: Apache-2.0
#include "frame/evict.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::frame {

namespace {

// Shares of the clean frames' pages. Young covers the frames one descent or scan step works on.
constexpr std::size_t young_share = 16;
constexpr std::size_t young_pages_min = 2 * io::pages_per_frame;
// What main never takes: enough that a frame has the time to prove itself.
constexpr std::size_t probation_share = 5;

}  // namespace

EvictionQueues::Queue& EvictionQueues::queue_of(QueueKind kind) noexcept {
  ARTFS_ASSERT(kind != QueueKind::none);
  return kind == QueueKind::young ? young_ : kind == QueueKind::trial ? trial_ : main_;
}

void EvictionQueues::append(Resident& resident, QueueKind kind) noexcept {
  ARTFS_ASSERT(resident.queue == QueueKind::none);
  Queue& queue = queue_of(kind);
  resident.queue = kind;
  resident.older = queue.newest;
  resident.newer = nullptr;
  (queue.newest != nullptr ? queue.newest->newer : queue.oldest) = &resident;
  queue.newest = &resident;
  ++queue.count;
  queue.pages += resident.pages;
}

void EvictionQueues::remove(Resident& resident) noexcept {
  if (resident.queue == QueueKind::none) return;
  Queue& queue = queue_of(resident.queue);
  (resident.older != nullptr ? resident.older->newer : queue.oldest) = resident.newer;
  (resident.newer != nullptr ? resident.newer->older : queue.newest) = resident.older;
  resident.older = nullptr;
  resident.newer = nullptr;
  resident.queue = QueueKind::none;
  --queue.count;
  queue.pages -= resident.pages;
}

void EvictionQueues::resize(Resident& resident, std::size_t pages) noexcept {
  if (resident.queue != QueueKind::none) {
    Queue& queue = queue_of(resident.queue);
    queue.pages = queue.pages - resident.pages + pages;
  }
  resident.pages = pages;
}

void EvictionQueues::add_loaded(Resident& resident) {
  const std::uint64_t id = resident.id.load(std::memory_order_relaxed);
  if (left_ids_.erase(id) != 0) {
    append(resident, QueueKind::main);  // its place in left_order_ goes when its turn comes
    return;
  }
  append(resident, QueueKind::young);
  age_young();
}

void EvictionQueues::add_settled(Resident& resident) noexcept {
  append(resident, QueueKind::main);
}

void EvictionQueues::add_as(Resident& resident, QueueKind kind) {
  append(resident, kind);
  age_young();
}

void EvictionQueues::age_young() noexcept {
  const std::size_t young_max = std::max(young_pages_min, pages() / young_share);
  while (young_.pages > young_max) {
    Resident& resident = *young_.oldest;
    remove(resident);
    resident.state.fetch_and(~Resident::referenced, std::memory_order_relaxed);
    append(resident, QueueKind::trial);
  }
}

void EvictionQueues::remember(const Resident& resident) {
  const std::uint64_t id = resident.id.load(std::memory_order_relaxed);
  if (left_ids_.insert(id).second) left_order_.push_back(id);
  while (left_order_.size() > size() + 1) {
    left_ids_.erase(left_order_.front());
    left_order_.pop_front();
  }
}

Resident* EvictionQueues::pick() {
  const std::size_t main_max = pages() - pages() / probation_share;
  steps_end_ = steps_ + steps_max;
  Resident* victim = nullptr;
  if (main_.pages > main_max) victim = pick_from_main();
  if (victim == nullptr) victim = pick_from_trial();
  if (victim == nullptr) victim = pick_from_main();
  if (victim == nullptr) victim = pick_from_young();
  return victim;
}

bool EvictionQueues::try_take(Resident& resident) noexcept {
  ++steps_;
  const bool is_spared = resident.has(Resident::referenced) && steps_ < steps_end_;
  if (!is_spared && resident.claim(0)) return true;
  resident.state.fetch_and(~Resident::referenced, std::memory_order_relaxed);
  resident.hits.store(0, std::memory_order_relaxed);
  return false;
}

Resident* EvictionQueues::pick_from_trial() {
  for (std::size_t left = trial_.count; left > 0; --left) {
    Resident& resident = *trial_.oldest;
    remove(resident);
    if (try_take(resident)) {
      remember(resident);
      return &resident;
    }
    append(resident, QueueKind::main);  // used again, or in use: it has proved itself
  }
  return nullptr;
}

Resident* EvictionQueues::pick_from_main() noexcept {
  // Twice around: the first clears references, the second finds a frame unless all are pinned.
  for (std::size_t left = 2 * main_.count; left > 0; --left) {
    Resident& resident = *main_.oldest;
    remove(resident);
    if (try_take(resident)) return &resident;
    append(resident, QueueKind::main);
  }
  return nullptr;
}

Resident* EvictionQueues::pick_from_young() {
  for (std::size_t left = young_.count; left > 0; --left) {
    Resident& resident = *young_.oldest;
    remove(resident);
    ++steps_;
    if (resident.claim(0)) {
      remember(resident);
      return &resident;
    }
    append(resident, QueueKind::young);
  }
  return nullptr;
}

}  // namespace artfs::frame
