// SPDX-License-Identifier: Apache-2.0
#include "engine/maintenance.hpp"

#include <utility>

namespace artfs::engine {

using base::MutexLock;

Maintenance::Maintenance(Work work) : work_(std::move(work)), thread_([this] { run(); }) {}

Maintenance::~Maintenance() {
  stop();
}

void Maintenance::offer(const art::Shrunken& shrunken) {
  {
    const MutexLock lock(mutex_);
    if (stopped_.load(std::memory_order_relaxed)) return;
    if (queue_.size() >= candidates_max) {
      ++dropped_;
      return;
    }
    if (!queued_.insert(shrunken.frame.raw).second) return;
    queue_.push_back(shrunken);
  }
  changed_.notify_all();
}

void Maintenance::wait_idle() {
  MutexLock lock(mutex_);
  while ((!queue_.empty() || is_busy_) && !stopped_.load(std::memory_order_relaxed)) {
    changed_.wait(lock);
  }
}

void Maintenance::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_.store(true, std::memory_order_relaxed);
    queue_.clear();
    queued_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Maintenance::run() {
  MutexLock lock(mutex_);
  while (!stopped_.load(std::memory_order_relaxed)) {
    if (queue_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const art::Shrunken shrunken = std::move(queue_.front());
    queue_.pop_front();
    // From here on it may be offered again: what happens to it now may be too late for this look.
    queued_.erase(shrunken.frame.raw);
    is_busy_ = true;
    lock.unlock();
    tend(shrunken);
    lock.lock();
    is_busy_ = false;
    changed_.notify_all();
  }
}

void Maintenance::tend(const art::Shrunken& shrunken) {
  for (unsigned step = 0; step < steps_max; ++step) {
    if (stopped_.load(std::memory_order_relaxed)) return;
    const Result<art::Upkeep> done = work_(shrunken);
    // An error is the store's own (stopped, damaged): whoever needs the frame will report it.
    if (!done || *done == art::Upkeep::none) return;
    count(*done);
  }
}

void Maintenance::count(art::Upkeep done) noexcept {
  std::atomic<std::uint64_t>& counter = done == art::Upkeep::merged   ? merged_
                                        : done == art::Upkeep::joined ? joined_
                                                                      : compacted_;
  counter.fetch_add(1, std::memory_order_relaxed);
}

MaintenanceStats Maintenance::stats() const {
  MaintenanceStats stats;
  stats.merged = merged_.load(std::memory_order_relaxed);
  stats.joined = joined_.load(std::memory_order_relaxed);
  stats.compacted = compacted_.load(std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  stats.waiting = queue_.size();
  stats.dropped = dropped_;
  return stats;
}

}  // namespace artfs::engine
