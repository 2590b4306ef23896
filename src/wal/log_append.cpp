// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "wal/log_impl.hpp"

namespace artfs::wal {
namespace {

// Who finds more than this unwritten writes it out first. With the buffer being written it bounds the log's memory:
// both grow on demand to this at most, and keep what they grew to.
constexpr std::size_t buffer_bytes_max = 8 * mib;

}  // namespace

void TailBuffer::clear() {
  runs.clear();
  bytes.clear();
}

bool LogImpl::buffer_has_room(std::size_t bytes) const {
  const std::size_t used = active_.bytes.size() + flushing_bytes_ + reserved_bytes_;
  return used == 0 || used + bytes <= buffer_bytes_max;
}

// Whether all reserved records and this one fit behind the tail in any order: every segment but the
// last one used may waste what the largest record needs.
bool LogImpl::fits(std::size_t bytes) const {
  const std::size_t usable = segment_bytes_ - format::log_segment_header_bytes;
  const std::size_t largest = std::max({small_record_bytes(), largest_reserved_, bytes});
  const std::size_t left =
      segments_[current_].start.raw + segment_bytes_ - end_.load(std::memory_order_relaxed);
  const std::size_t ready = segments_.size() - 1 - current_;
  const std::size_t room = (left > largest ? left - largest : 0) + ready * (usable - largest);
  if (reserved_bytes_ + bytes <= room) return true;
  // One record alone wastes nothing.
  return reserved_bytes_ == 0 && (bytes <= left || ready > 0);
}

Result<Log::Reserve> LogImpl::reserve(std::size_t payload_size, bool takes_spare) {
  const std::size_t bytes = record_bytes(payload_size);
  if (payload_size > payload_bytes_max ||
      bytes > segment_bytes_ - format::log_segment_header_bytes) {
    return fail(Errc::transaction_too_large);
  }
  base::MutexLock lock(mutex_);
  for (;;) {
    if (failed_) return fail(*failed_);
    if (closed_) return fail(Errc::io_failed);
    if (!buffer_has_room(bytes)) {
      if (writing_ || active_.bytes.empty()) {
        wait_for_room(lock);
        continue;
      }
      lock.unlock();
      (void)write_pending(WriteFor::file);  // a failure stands in failed_
      lock.lock();
      continue;
    }
    if (fits(bytes)) break;
    if (segments_.size() >= segments_max) {
      if (reserved_bytes_ == 0) return fail(Errc::log_full);
      wait_for_room(lock);  // the others' records may leave enough
      continue;
    }
    if (files_busy_) {
      files_free_.wait(lock);
      continue;
    }
    files_busy_ = true;
    lock.unlock();
    const Result<void> added = add_segment(takes_spare);
    drop_files_token();
    if (!added) return fail(added.error());
    lock.lock();
  }
  reserved_bytes_ += bytes;
  if (bytes > small_record_bytes()) {
    ++reserved_large_;
    largest_reserved_ = std::max(largest_reserved_, bytes);
  }
  return Reserve(this, bytes);
}

void LogImpl::unreserve(std::size_t bytes) noexcept {
  const base::MutexLock lock(mutex_);
  unreserve_locked(bytes);
}

void LogImpl::unreserve_locked(std::size_t bytes) {
  ARTFS_ASSERT(reserved_bytes_ >= bytes);
  reserved_bytes_ -= bytes;
  if (bytes > small_record_bytes() && --reserved_large_ == 0) largest_reserved_ = 0;
  if (room_waiters_ > 0) space_free_.notify_all();
}

void LogImpl::wait_for_room(base::MutexLock& lock) {
  ++room_waiters_;
  space_free_.wait(lock);
  --room_waiters_;
}

Result<Appended> LogImpl::append(Reserve reserve, std::span<const std::byte> payload) {
  const std::size_t bytes = record_bytes(payload.size());
  ARTFS_ASSERT(reserve.log_ == this && bytes <= reserve.bytes_);
  format::LogRecordHeader header =
      prepare_header(format::LogRecordKind::transaction, payload);  // the hash, before the mutex
  const base::MutexLock lock(mutex_);
  if (failed_) return fail(*failed_);
  if (closed_) return fail(Errc::io_failed);
  unreserve_locked(reserve.bytes_);
  reserve.log_ = nullptr;

  const std::uint64_t segment_end = segments_[current_].start.raw + segment_bytes_;
  if (segment_end - end_.load(std::memory_order_relaxed) < bytes) leave_segment();
  const Lsn lsn{end_.load(std::memory_order_relaxed)};
  put_record(header, payload);
  ++counts_.appends;
  counts_.appended_bytes += bytes;
  if (writer_naps_) wake_writer();
  return Appended{lsn, Lsn{lsn.raw + bytes}};
}

void LogImpl::put_record(format::LogRecordHeader& header, std::span<const std::byte> payload) {
  const Lsn lsn{end_.load(std::memory_order_relaxed)};
  seal_header(header, {lsn, Lsn{durable_.load(std::memory_order_relaxed)}});
  std::vector<std::byte>& out = active_.bytes;
  if (active_.runs.empty()) active_.runs.push_back({lsn, out.size()});
  const std::size_t whole = record_bytes(payload.size());
  const auto head = base::object_bytes(header);
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), payload.begin(), payload.end());
  out.resize(out.size() + (whole - head.size() - payload.size()));  // zeros
  end_.store(lsn.raw + whole, std::memory_order_release);
}

void LogImpl::leave_segment() {
  const std::uint64_t segment_end = segments_[current_].start.raw + segment_bytes_;
  if (segment_end - end_.load(std::memory_order_relaxed) >= sizeof(format::LogRecordHeader)) {
    format::LogRecordHeader header = prepare_header(format::LogRecordKind::segment_end, {});
    put_record(header, {});
  }
  ++current_;
  ARTFS_ASSERT(current_ < segments_.size());  // what reserve() promised
  const Lsn first{segments_[current_].start.raw + format::log_segment_header_bytes};
  end_.store(first.raw, std::memory_order_release);
  active_.runs.push_back({first, active_.bytes.size()});
  if (current_ + 1 == segments_.size()) {
    wants_segment_ = true;
    wake_writer();
  }
}

void LogImpl::wake_writer() {
  writer_naps_ = false;  // one wake is enough
  writer_wake_.notify_one();
}

Lsn LogImpl::end() const noexcept {
  return Lsn{end_.load(std::memory_order_acquire)};
}

Lsn LogImpl::durable() const noexcept {
  return Lsn{durable_.load(std::memory_order_acquire)};
}

}  // namespace artfs::wal
