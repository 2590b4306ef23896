// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.hpp"
#include "wal/log_impl.hpp"

namespace artfs::wal {
namespace {

[[nodiscard]] std::uint64_t to_ns(std::chrono::milliseconds time) noexcept {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
}

}  // namespace

LogImpl::LogImpl(const LogOptions& options, SegmentPool pool, std::uint32_t segment_bytes)
    : options_(options), segment_bytes_(segment_bytes), pool_(std::move(pool)) {}

LogImpl::~LogImpl() {
  (void)close();
}

void LogImpl::start(Life life) {
  const base::MutexLock lock(mutex_);
  segments_ = std::move(life.segments);
  current_ = segments_.size() - 1;
  life_start_ = Lsn{segments_.back().start.raw + format::log_segment_header_bytes};
  written_ = life_start_;
  end_.store(life_start_.raw, std::memory_order_release);
  durable_.store(life_start_.raw, std::memory_order_release);
  cut_ = life.from;
  replayed_bytes_ = life.replayed_bytes;
  wants_segment_ = true;
  thread_ = std::thread([this] { run_writer(); });
}

LogImpl::Plan LogImpl::plan_step(bool ticked, std::uint64_t awake_since_ns) const {
  if (failed_) return {};
  if (wants_segment_) return {Step::make_segment, 0};
  const bool pending = !active_.bytes.empty();
  if (pending && (ticked || kicked_)) return {Step::write, 0};
  const bool unsynced =
      durable_.load(std::memory_order_relaxed) < end_.load(std::memory_order_relaxed);
  if (!unsynced) return {};
  const std::uint64_t due =
      std::max(last_sync_ns_, awake_since_ns) + to_ns(options_.commit_interval);
  const std::uint64_t now = base::now_ns();
  if (now >= due) return {Step::sync, 0};
  if (!pending) return {Step::nap, due - now};
  return {Step::tick, std::min(to_ns(options_.write_interval), due - now)};
}

void LogImpl::work(Step step) {
  // A failure stopped the log: whoever waits or comes is told.
  switch (step) {
    case Step::make_segment:
      return prepare_ahead();
    case Step::write:
      (void)write_pending();
      return;
    case Step::sync:
      (void)sync_to(end());
      return;
    case Step::tick:
    case Step::nap:
      return;
  }
}

void LogImpl::run_writer() {
  std::uint64_t awake_since_ns = base::now_ns();
  bool ticked = false;
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    const Plan plan = plan_step(ticked, awake_since_ns);
    ticked = false;
    switch (plan.step) {
      case Step::make_segment:
      case Step::write:
      case Step::sync:
        if (plan.step == Step::make_segment) wants_segment_ = false;
        if (plan.step == Step::write) kicked_ = false;
        lock.unlock();
        work(plan.step);
        lock.lock();
        break;
      case Step::tick:
        (void)writer_wake_.wait_for(lock, std::chrono::nanoseconds(plan.wait_ns));
        ticked = true;
        break;
      case Step::nap:
        napping_ = true;
        if (plan.wait_ns == 0) {
          writer_wake_.wait(lock);
          awake_since_ns = base::now_ns();
        } else {
          (void)writer_wake_.wait_for(lock, std::chrono::nanoseconds(plan.wait_ns));
        }
        napping_ = false;
        break;
    }
  }
}

}  // namespace artfs::wal
