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
  writer_ = std::thread([this] { run_writer(); });
  syncer_ = std::thread([this] { run_syncer(); });
}

void LogImpl::run_writer() {
  bool ticked = false;
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    const bool pending = !failed_ && !active_.bytes.empty();
    if (!failed_ && wants_segment_) {
      wants_segment_ = false;
      lock.unlock();
      prepare_ahead();
      lock.lock();
    } else if (pending && ticked) {
      ticked = false;
      lock.unlock();
      (void)write_pending(
          WriteFor::file);  // a failure stopped the log: whoever waits or comes is told
      lock.lock();
    } else if (pending) {
      (void)writer_wake_.wait_for(lock, options_.write_interval);
      ticked = true;
    } else {
      writer_naps_ = true;
      writer_wake_.wait(lock);
      writer_naps_ = false;
      ticked = false;
    }
  }
}

void LogImpl::run_syncer() {
  std::uint64_t awake_since_ns = base::now_ns();
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    if (failed_ || durable_.load(std::memory_order_relaxed) >= written_.raw) {
      syncer_naps_ = true;
      syncer_wake_.wait(lock);
      syncer_naps_ = false;
      awake_since_ns = base::now_ns();
      continue;
    }
    const std::uint64_t due =
        std::max(last_sync_ns_, awake_since_ns) + to_ns(options_.commit_interval);
    const std::uint64_t now = base::now_ns();
    if (now < due) {
      (void)syncer_wake_.wait_for(lock, std::chrono::nanoseconds(due - now));
      continue;
    }
    lock.unlock();
    (void)sync_to(end());
    lock.lock();
  }
}

}  // namespace artfs::wal
