// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/planner.hpp"

#include <algorithm>
#include <utility>

namespace artfs::engine::checkpoint {

Planner::Planner(Pace& pace, Work work)
    : pace_(pace), work_(std::move(work)), thread_([this] { loop(); }) {}

Planner::~Planner() {
  stop();
}

void Planner::kick() noexcept {
  // One lock per request, not per caller: the flag falls when the attempt starts.
  if (kicked_.exchange(true, std::memory_order_acq_rel)) return;
  const base::MutexLock lock(mutex_);
  wake_.notify_one();
}

Result<void> Planner::checkpoint() {
  const Pace::Hurry hurry(pace_);
  base::MutexLock lock(mutex_);
  const std::uint64_t attempt = started_ + 1;
  wanted_ = std::max(wanted_, attempt);
  wake_.notify_one();
  return wait_until_ended(lock, attempt);
}

Result<void> Planner::wait_for_attempt() {
  const Pace::Hurry hurry(pace_);
  base::MutexLock lock(mutex_);
  // A running attempt will do: what it frees is what the caller waits for. Asking under the mutex: an
  // attempt that came and went in between would leave the caller waiting for one nobody asked for.
  if (started_ == ended_) {
    kicked_.store(true, std::memory_order_release);
    wake_.notify_one();
  }
  return wait_until_ended(lock, ended_ + 1);
}

Result<void> Planner::wait_until_ended(base::MutexLock& lock, std::uint64_t attempt) {
  while (ended_ < attempt && !stopping_) ended_cond_.wait(lock);
  if (ended_ < attempt) return fail(Errc::store_stopped);
  return last_;
}

void Planner::stop() noexcept {
  const Pace::Hurry hurry(pace_);
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    ended_cond_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool Planner::wait_for_work(base::MutexLock& lock) {
  auto interval_end = std::chrono::steady_clock::now() + work_.interval;
  for (;;) {
    if (stopping_) return false;
    const auto now = std::chrono::steady_clock::now();
    if (wanted_ > started_) return true;
    const bool kicked = kicked_.load(std::memory_order_acquire);
    if (kicked && now >= not_before_) return true;
    if (!kicked && now >= interval_end) {
      if (now >= not_before_ && work_.due()) return true;
      interval_end = now + work_.interval;
    }
    (void)wake_.wait_until(lock, kicked ? not_before_ : interval_end);
  }
}

void Planner::loop() {
  base::MutexLock lock(mutex_);
  while (wait_for_work(lock)) {
    ++started_;
    kicked_.store(false, std::memory_order_release);
    lock.unlock();
    Result<void> result = work_.run();
    lock.lock();
    ++ended_;
    last_ = result;
    // Kicks that came meanwhile asked for what this one did. Who still needs one kicks again; waiters set
    // the flag only between attempts.
    kicked_.store(false, std::memory_order_release);
    not_before_ = std::chrono::steady_clock::now();
    if (!result) not_before_ += retry_delay;
    ended_cond_.notify_all();
  }
}

}  // namespace artfs::engine::checkpoint
