// SPDX-License-Identifier: Apache-2.0
#include "vol/flusher.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "vol/inode_locks.hpp"
#include "vol/logged.hpp"
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
    work_.notify_one();
  }
  thread_.join();
}

void Flusher::enqueue(Ino ino) {
  const base::MutexLock lock(mutex_);
  queue_.push_back({.ino = ino, .since_ns = base::now_ns()});
}

void Flusher::fold_later(Ino ino, bool is_queued, bool soon) {
  const base::MutexLock lock(mutex_);
  if (!is_queued) folds_.push_back({.ino = ino, .since_ns = base::now_ns()});
  if (!soon || folds_wanted_) return;
  folds_wanted_ = true;
  work_.notify_one();
}

std::vector<Ino> Flusher::take(std::deque<Queued>& queue, std::uint64_t since_ns_max) {
  std::vector<Ino> inos;
  while (!queue.empty() && queue.front().since_ns <= since_ns_max) {
    inos.push_back(queue.front().ino);
    queue.pop_front();
  }
  return inos;
}

// An inode may wait in both queues.
void Flusher::take_everything(std::vector<Ino>& inos) {
  inos = take(queue_, everything);
  const std::vector<Ino> folds = take(folds_, everything);
  if (folds.empty()) return;
  inos.insert(inos.end(), folds.begin(), folds.end());
  const auto number = [](Ino left, Ino right) { return left.raw < right.raw; };
  std::sort(inos.begin(), inos.end(), number);
  inos.erase(std::unique(inos.begin(), inos.end()), inos.end());
}

// Not analysed: clang cannot know which mutex a lock passed by reference holds.
void Flusher::lead(base::MutexLock& lock, const std::vector<Ino>& inos,
                   FlushFrom from) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
  cycle_runs_ = true;
  cycle_folds_ = from == FlushFrom::folds;
  lock.unlock();
  const Result<void> done = flush_cycle(core_, inos, from);
  lock.lock();
  cycle_runs_ = cycle_folds_ = false;
  cycle_error_ = done ? std::nullopt : std::optional(done.error());
  changed_.notify_all();
  if (wanted_ || folds_wanted_) work_.notify_one();
}

Result<void> Flusher::flush_all() {
  base::MutexLock lock(mutex_);
  // A cycle that is running may have passed by what was accepted just now: the next one counts.
  const std::uint64_t target = full_started_ + 1;
  while (full_finished_ < target) {
    if (cycle_runs_ || logging_) {
      changed_.wait(lock);
      continue;
    }
    const std::uint64_t number = ++full_started_;
    std::vector<Ino> inos;
    take_everything(inos);
    lead(lock, inos, FlushFrom::everything);
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

// Whoever comes later waits for this: it has inodes in hand that the later one no longer finds in the queue. So
// does a cycle that flushes what is not logged.
Result<void> Flusher::log_all() {
  base::MutexLock lock(mutex_);
  while (logging_ || (cycle_runs_ && !cycle_folds_)) changed_.wait(lock);
  if (queue_.empty()) return {};
  logging_ = true;
  const std::vector<Ino> inos = take(queue_, everything);
  lock.unlock();
  const std::vector<Ino> others = log_cycle(core_, inos);
  lock.lock();
  Result<void> result;
  if (!others.empty()) {
    while (cycle_runs_) changed_.wait(lock);
    lead(lock, others, FlushFrom::elsewhere);
    if (cycle_error_) result = fail(*cycle_error_);
  }
  logging_ = false;
  changed_.notify_all();
  return result;
}

Result<void> Flusher::log_one(Ino ino) {
  {
    const OpenInodes::Ref state = core_.open.find(ino);
    if (!state) return {};
    const InodeLocks::Guard guard(core_.locks, {ino});
    const base::MutexLock lock(state->mutex);
    if (state->buffer.empty()) return {};
    const Result<Logging> logged = log_pending(core_, *state);
    if (logged && *logged == Logging::durable) return {};
  }
  return flush_one(ino);
}

bool Flusher::is_half_full() const {
  return core_.bytes->buffered_bytes() >= core_.options.write_buffer_bytes / 2 ||
         queue_.size() + folds_.size() >= queue_max / 2;
}

Result<void> Flusher::make_room() {
  bool full = core_.bytes->over_budget();
  if (!full) {
    const base::MutexLock lock(mutex_);
    full = queue_.size() + folds_.size() >= queue_max;
    if (!wanted_ && is_half_full()) {
      wanted_ = true;
      work_.notify_one();
    }
  }
  if (full) return flush_all();
  return {};
}

void Flusher::reclaim_later(Ino ino) {
  const base::MutexLock lock(mutex_);
  reclaims_.push_back(ino);
  work_.notify_one();
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
  const bool work_waits = (wanted_ || folds_wanted_) && !cycle_runs_;
  if (!stopping_ && !work_waits && reclaims_.empty()) (void)work_.wait_for(lock, tick);
}

// One cycle of the thread, if it is time for one. Not analysed: as lead().
void Flusher::work(base::MutexLock& lock) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
  const std::chrono::nanoseconds interval = core_.options.store.commit_interval;
  const auto older_than = [](std::chrono::nanoseconds age) {
    const std::uint64_t now = base::now_ns();
    return now - std::min(now, static_cast<std::uint64_t>(age.count()));
  };
  std::vector<Ino> inos;
  if (std::exchange(wanted_, false)) {
    // What is logged first: others may sync meanwhile, and often it is nearly all.
    folds_wanted_ = false;
    inos = take(folds_, everything);
    if (!inos.empty()) lead(lock, inos, FlushFrom::folds);
    if (cycle_runs_ || !is_half_full()) return;
    take_everything(inos);
    if (!inos.empty()) lead(lock, inos, FlushFrom::everything);
    return;
  }
  inos = take(queue_, older_than(interval / 2));
  if (!inos.empty()) lead(lock, inos, FlushFrom::queue);
  if (cycle_runs_) return;
  inos =
      take(folds_, std::exchange(folds_wanted_, false) ? everything
                                                       : older_than(interval * fold_age_intervals));
  if (!inos.empty()) lead(lock, inos, FlushFrom::folds);
}

void Flusher::run() {
  std::optional<Error> logged;  // once, not every tick
  for (;;) {
    reclaim_big();
    (void)core_.inos->reserve_ahead();  // a store that stopped says so elsewhere
    base::MutexLock lock(mutex_);
    wait_for_work(lock);
    if (stopping_) return;
    if (cycle_runs_) continue;
    work(lock);
    if (cycle_error_ && cycle_error_ != logged) {
      base::log_error("writing file contents failed: {}", to_text(*cycle_error_));
    }
    logged = cycle_error_;
  }
}

}  // namespace artfs::vol
