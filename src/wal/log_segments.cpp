// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "wal/log_impl.hpp"

namespace artfs::wal {

Result<void> LogImpl::add_segment(bool takes_spare) {
  Lsn start;
  {
    const base::MutexLock lock(mutex_);
    start = Lsn{segments_.back().start.raw + segment_bytes_};
  }
  auto file = takes_spare ? pool_.make({start, start}) : pool_.make_next(start);
  if (!file) {
    if (file.error().code == Errc::no_space) return fail(file.error());
    return fail(stop(file.error()));
  }
  const base::MutexLock lock(mutex_);
  segments_.push_back({start, std::move(*file)});
  return {};
}

void LogImpl::take_files_token() {
  base::MutexLock lock(mutex_);
  while (files_busy_) files_free_.wait(lock);
  files_busy_ = true;
}

void LogImpl::drop_files_token() {
  const base::MutexLock lock(mutex_);
  files_busy_ = false;
  files_free_.notify_all();
}

// Keeps one segment ready behind the current one, so that a full disk can still log, and a spare, so that
// the store can still be opened.
void LogImpl::prepare_ahead() {
  take_files_token();
  bool wanted = false;
  {
    const base::MutexLock lock(mutex_);
    wanted = !failed_ && current_ + 1 == segments_.size() && segments_.size() < segments_max;
  }
  if (wanted) {
    // The spare first: a log without a segment ready still has its checkpoints.
    const Result<void> kept = pool_.keep_spare();
    if (!kept) base::log_debug("log: no spare segment: {}", to_text(kept.error()));
    const Result<void> added = add_segment(false);
    // Not fatal: reserve() tries again when it needs one, and cut() when it got one back.
    if (!added) base::log_debug("log: no segment ready: {}", to_text(added.error()));
  }
  drop_files_token();
}

Result<void> LogImpl::cut(Lsn cut) {
  ARTFS_ASSERT(cut <= durable());
  take_files_token();
  std::vector<Lsn> starts;
  std::vector<LiveSegment> retired;  // their descriptors are closed without the mutex
  Result<void> result;
  {
    const base::MutexLock lock(mutex_);
    if (failed_) result = fail(*failed_);
    while (result && current_ > 0 && segments_.front().start.raw + segment_bytes_ < cut.raw) {
      starts.push_back(segments_.front().start);
      retired.push_back(std::move(segments_.front()));
      segments_.pop_front();
      --current_;
    }
    if (result && cut > cut_) cut_ = cut;
  }
  if (result) {
    result = pool_.retire(starts);
    if (!result) result = fail(stop(result.error()));
  }
  drop_files_token();
  const base::MutexLock lock(mutex_);
  if (current_ + 1 == segments_.size()) {
    wants_segment_ = true;
    wake_writer();
  }
  if (room_waiters_ > 0) space_free_.notify_all();
  return result;
}

std::uint64_t LogImpl::bytes_since_cut() const noexcept {
  const base::MutexLock lock(mutex_);
  const std::uint64_t end_lsn = end_.load(std::memory_order_relaxed);
  // LSNs between the lives were never handed out: they are no work for a replay.
  return cut_ >= life_start_ ? end_lsn - cut_.raw : replayed_bytes_ + (end_lsn - life_start_.raw);
}

LogStats LogImpl::stats() const noexcept {
  const base::MutexLock lock(mutex_);
  LogStats stats = counts_;
  stats.end_lsn = end_.load(std::memory_order_relaxed);
  stats.durable_lsn = durable_.load(std::memory_order_relaxed);
  stats.cut_lsn = cut_.raw;
  stats.segments = segments_.size();
  return stats;
}

}  // namespace artfs::wal
