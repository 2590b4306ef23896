// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "wal/log_impl.hpp"

namespace artfs::wal {

Result<void> LogImpl::sync_to(Lsn end) {
  if (durable() >= end) return {};
  ARTFS_ASSERT(end <= this->end());
  base::MutexLock lock(mutex_);
  ++counts_.sync_waits;
  // P3: what counts is the end of one's own record, not how many records or syncs went by.
  while (durable_.load(std::memory_order_relaxed) < end.raw) {
    if (failed_) return fail(*failed_);
    if (syncing_) {
      sync_done_.wait(lock);
      continue;
    }
    syncing_ = true;
    lock.unlock();
    const Result<void> synced = sync_round();
    lock.lock();
    syncing_ = false;
    sync_done_.notify_all();
    if (!synced) return synced;
  }
  return {};
}

Result<void> LogImpl::sync_round() {
  if (options_.before_sync) {
    if (const Result<void> prepared = options_.before_sync(); !prepared) {
      return fail(stop(prepared.error()));
    }
  }
  ARTFS_TRY(write_pending(WriteFor::sync));
  const SyncJob job = ARTFS_TRY(begin_sync());
  for (io::File* file : job.files) {
    // P16: a failed sync is never tried again; nobody knows what it left.
    if (const Result<void> synced = file->sync_data(); !synced) return fail(stop(synced.error()));
  }
  const base::MutexLock lock(mutex_);
  durable_.store(job.target.raw, std::memory_order_release);
  ++counts_.syncs;
  return {};
}

Result<LogImpl::SyncJob> LogImpl::begin_sync() {
  const base::MutexLock lock(mutex_);
  if (failed_) return fail(*failed_);
  SyncJob job{written_, {}};
  const std::uint64_t durable_lsn = durable_.load(std::memory_order_relaxed);
  for (const LiveSegment& segment : segments_) {
    const bool written = segment.start < written_;
    if (segment.file && written && segment.start.raw + segment_bytes_ > durable_lsn) {
      job.files.push_back(segment.file.get());
    }
  }
  last_sync_ns_ = base::now_ns();
  return job;
}

// On success every record appended before the call is in a file.
Result<void> LogImpl::write_pending(WriteFor what) {
  const std::optional<WriteJob> job = begin_write(what);
  if (job) {
    for (const Piece& piece : job->pieces) {
      const Result<void> written = write_piece(piece);
      if (written) continue;
      const Error error = stop(written.error());
      end_write({});
      return fail(error);
    }
    end_write(*job);
  }
  const base::MutexLock lock(mutex_);
  if (failed_) return fail(*failed_);
  return {};
}

std::optional<LogImpl::WriteJob> LogImpl::begin_write(WriteFor what) {
  base::MutexLock lock(mutex_);
  while (writing_) write_done_.wait(lock);
  if (failed_ || active_.bytes.empty()) return std::nullopt;
  writing_ = true;
  std::swap(active_, flushing_);
  flushing_bytes_ = flushing_.bytes.size();
  WriteJob job{Lsn{end_.load(std::memory_order_relaxed)}, {}};
  auto segment = segments_.begin();
  for (std::size_t i = 0; i < flushing_.runs.size(); ++i) {
    const TailBuffer::Run& run = flushing_.runs[i];
    const bool is_last = i + 1 == flushing_.runs.size();
    const std::size_t run_end = is_last ? flushing_.bytes.size() : flushing_.runs[i + 1].off;
    while (segment->start.raw + segment_bytes_ <= run.lsn.raw) ++segment;
    ARTFS_ASSERT(segment != segments_.end() && segment->file);
    const std::span<const std::byte> bytes(flushing_.bytes);
    if (run_end > run.off) {
      job.pieces.push_back({segment->file.get(), run.lsn.raw - segment->start.raw,
                            bytes.subspan(run.off, run_end - run.off)});
      job.pieces.back().zeros = note_written(*segment, job.pieces.back(), what);
    }
  }
  return job;
}

// The zeros to write behind the piece. Much at once pays for its metadata by itself.
std::size_t LogImpl::note_written(LiveSegment& segment, const Piece& piece, WriteFor what) {
  const std::uint64_t end = piece.offset + piece.bytes.size();
  if (end <= segment.zeroed_to) return 0;
  const std::size_t ahead = zeros_ahead();
  const bool is_small = what == WriteFor::sync && piece.bytes.size() < ahead;
  const std::size_t zeros = is_small ? std::min<std::uint64_t>(ahead, segment_bytes_ - end) : 0;
  segment.zeroed_to = end + zeros;
  return zeros;
}

// One write: no record can come between its bytes and its zeros.
Result<void> LogImpl::write_piece(const Piece& piece) const {
  if (piece.zeros == 0) return piece.file->write_at(piece.offset, piece.bytes);
  const std::vector<std::byte> zeros(piece.zeros);
  const std::array<std::span<const std::byte>, 2> buffers{piece.bytes, zeros};
  return piece.file->write_at(piece.offset, buffers);
}

void LogImpl::end_write(const WriteJob& job) {
  flushing_.clear();
  const base::MutexLock lock(mutex_);
  if (job.target > written_) written_ = job.target;
  writing_ = false;
  flushing_bytes_ = 0;
  write_done_.notify_all();
  if (syncer_naps_) {
    syncer_naps_ = false;  // one wake is enough
    syncer_wake_.notify_one();
  }
  if (room_waiters_ > 0) space_free_.notify_all();
}

Error LogImpl::stop(Error reason) noexcept {
  const base::MutexLock lock(mutex_);
  if (!failed_) {
    failed_ = Error{Errc::io_failed, reason.detail};
    base::log_error("log: stopped at LSN {}: {}", durable_.load(std::memory_order_relaxed),
                    to_text(reason));
  }
  sync_done_.notify_all();
  write_done_.notify_all();
  space_free_.notify_all();
  return *failed_;
}

Result<void> LogImpl::close() {
  {
    const base::MutexLock lock(mutex_);
    if (closed_) return failed_ ? Result<void>(fail(*failed_)) : Result<void>{};
    closed_ = true;  // nothing is appended behind the last word
    put_last_word();
  }
  const Result<void> synced = sync_to(end());
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    writer_wake_.notify_one();
    syncer_wake_.notify_one();
    space_free_.notify_all();
  }
  if (writer_.joinable()) writer_.join();
  if (syncer_.joinable()) syncer_.join();
  return synced;
}

// Spares the next open the search for records behind the end. Where it does not fit it is left out.
void LogImpl::put_last_word() {
  const std::uint64_t segment_end = segments_[current_].start.raw + segment_bytes_;
  const std::uint64_t left = segment_end - end_.load(std::memory_order_relaxed);
  if (failed_ || left < sizeof(format::LogRecordHeader)) return;
  format::LogRecordHeader header = prepare_header(format::LogRecordKind::closed, {});
  put_record(header, {});
}

}  // namespace artfs::wal
