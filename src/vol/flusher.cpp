// SPDX-License-Identifier: Apache-2.0
#include "vol/flusher.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "vol/orphan.hpp"

namespace artfs::vol {
namespace {

constexpr std::uint64_t everything = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void Flusher::start() {
  thread_ = std::thread([this] { run(); });
}

void Flusher::stop() noexcept {
  if (!thread_.joinable()) return;
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Flusher::enqueue(Ino ino) {
  const base::MutexLock lock(mutex_);
  queue_.push_back({.ino = ino, .since_ns = base::now_ns()});
}

std::vector<Ino> Flusher::take_queue(std::uint64_t since_ns_max) {
  std::vector<Ino> inos;
  while (!queue_.empty() && queue_.front().since_ns <= since_ns_max) {
    inos.push_back(queue_.front().ino);
    queue_.pop_front();
  }
  return inos;
}

// Not analysed: clang cannot know which mutex a lock passed by reference holds.
void Flusher::lead(base::MutexLock& lock, const std::vector<Ino>& inos,
                   FlushFrom from) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
  cycle_runs_ = true;
  lock.unlock();
  const Result<void> done = flush_cycle(core_, inos, from);
  lock.lock();
  cycle_runs_ = false;
  cycle_error_ = done ? std::nullopt : std::optional(done.error());
  changed_.notify_all();
}

Result<void> Flusher::flush_all() {
  base::MutexLock lock(mutex_);
  // A cycle that is running may have passed by what was accepted just now: the next one counts.
  const std::uint64_t target = full_started_ + 1;
  while (full_finished_ < target) {
    if (cycle_runs_) {
      changed_.wait(lock);
      continue;
    }
    const std::uint64_t number = ++full_started_;
    lead(lock, take_queue(everything), FlushFrom::queue);
    full_finished_ = number;
    changed_.notify_all();
  }
  if (cycle_error_) return fail(*cycle_error_);
  return {};
}

Result<void> Flusher::flush_one(Ino ino) {
  {
    const OpenInodes::Ref state = core_.open.find(ino);
    if (!state) return {};
    const base::MutexLock lock(state->mutex);
    if (state->buffer.empty()) return {};
  }
  base::MutexLock lock(mutex_);
  while (cycle_runs_) changed_.wait(lock);
  lead(lock, {ino}, FlushFrom::elsewhere);
  if (cycle_error_) return fail(*cycle_error_);
  return {};
}

Result<void> Flusher::make_room() {
  bool full = core_.bytes->over_budget();
  if (!full) {
    const bool half_full = core_.bytes->buffered_bytes() >= core_.options.write_buffer_bytes / 2;
    const base::MutexLock lock(mutex_);
    full = queue_.size() >= queue_max;
    if (!wanted_ && (half_full || queue_.size() >= queue_max / 2)) {
      wanted_ = true;
      changed_.notify_all();
    }
  }
  if (full) return flush_all();
  return {};
}

void Flusher::reclaim_later(Ino ino) {
  const base::MutexLock lock(mutex_);
  reclaims_.push_back(ino);
  changed_.notify_all();
}

void Flusher::reclaim_big() {
  std::vector<Ino> inos;
  {
    const base::MutexLock lock(mutex_);
    inos.swap(reclaims_);
  }
  for (const Ino ino : inos) {
    const OpenInodes::Ref state = core_.open.find(ino);
    if (state) finish_reclaim(core_, *state);
  }
}

void Flusher::wait_for_work(base::MutexLock& lock) {
  const auto tick = std::max<std::chrono::milliseconds>(core_.options.store.commit_interval / 4,
                                                        std::chrono::milliseconds(5));
  if (!stopping_ && !wanted_ && reclaims_.empty()) (void)changed_.wait_for(lock, tick);
}

void Flusher::run() {
  const auto age = std::chrono::nanoseconds(core_.options.store.commit_interval / 2);
  std::optional<Error> logged;  // once, not every tick
  for (;;) {
    reclaim_big();
    (void)core_.inos->reserve_ahead();  // a store that stopped says so elsewhere
    base::MutexLock lock(mutex_);
    wait_for_work(lock);
    if (stopping_) return;
    if (cycle_runs_ || queue_.empty()) {
      wanted_ = wanted_ && cycle_runs_;
      continue;
    }
    const std::uint64_t since_max = std::exchange(wanted_, false)
                                        ? everything
                                        : base::now_ns() - static_cast<std::uint64_t>(age.count());
    const std::vector<Ino> inos = take_queue(since_max);
    if (inos.empty()) continue;
    lead(lock, inos, FlushFrom::queue);
    if (cycle_error_ && cycle_error_ != logged) {
      base::log_error("writing file contents failed: {}", to_text(*cycle_error_));
    }
    logged = cycle_error_;
  }
}

}  // namespace artfs::vol
