// SPDX-License-Identifier: Apache-2.0
// LogImpl: the writable log: tail buffer, segments ahead of the tail, one writer and one syncer at a time.
//
// Contract:   private to src/wal; see wal/log.hpp.
// Threading:  `mutex_` guards the state and is never held across I/O. Four tokens pass work around it:
//               writing_     who moves the tail buffer to the files: a sync leader, the writer thread,
//                            or who found the buffer full
//               syncing_     the leader of a group commit; others wait for their LSN
//               files_busy_  who makes or retires segments, and so owns pool_
//             Two threads, since a device sync may take seconds and records must reach the files all the
//             while: writer_ writes every write_interval, syncer_ syncs every commit_interval. Each
//             sleeps without a timeout while it has nothing to do (writer_naps_: append wakes it;
//             syncer_naps_: the end of a write does).
// Invariants: the reserved bytes always fit behind the tail, whatever the order of the appends:
//             a segment left for the next wastes less than one record.
//             written_ <= end_, durable_ <= written_; a record's sync waits for durable_ >= its end
//             (P3).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "wal/log.hpp"
#include "wal/reader.hpp"
#include "wal/record_codec.hpp"
#include "wal/segment.hpp"

namespace artfs::wal {

// Records not yet in a file. A run is contiguous in LSN and lies in one segment.
struct TailBuffer {
  struct Run {
    Lsn lsn;
    std::size_t off = 0;
  };

  std::vector<std::byte> bytes;
  std::vector<Run> runs;

  void clear();
};

struct LiveSegment {
  Lsn start;
  std::unique_ptr<io::File> file;  // null: of an earlier life, only waits for its cut
  std::uint64_t zeroed_to = 0;     // offset: nothing from there on was written by this life
};

class LogImpl final : public Log {
 public:
  // The first segment of this life exists; nothing runs before start().
  LogImpl(const LogOptions& options, SegmentPool pool, std::uint32_t segment_bytes);
  ~LogImpl() override;

  struct Life {
    std::deque<LiveSegment> segments;  // the last one is this life's
    Lsn from;                          // replay started there
    std::uint64_t replayed_bytes = 0;
  };

  void start(Life life);

  [[nodiscard]] Result<Reserve> reserve(std::size_t payload_size, bool takes_spare) override;
  [[nodiscard]] Result<Appended> append(Reserve reserve,
                                        std::span<const std::byte> payload) override;
  [[nodiscard]] Lsn end() const noexcept override;
  [[nodiscard]] Lsn durable() const noexcept override;
  [[nodiscard]] Result<void> sync_to(Lsn end) override;
  [[nodiscard]] Result<void> cut(Lsn cut) override;
  [[nodiscard]] std::uint64_t bytes_since_cut() const noexcept override;
  [[nodiscard]] Result<void> close() override;
  [[nodiscard]] LogStats stats() const noexcept override;

 protected:
  void unreserve(std::size_t bytes) noexcept override;

 private:
  struct Piece {
    io::File* file = nullptr;
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;
    std::size_t zeros = 0;  // written behind the bytes
  };

  enum class WriteFor : std::uint8_t { file, sync };

  struct WriteJob {
    Lsn target;  // everything below is in the files when it is done
    std::vector<Piece> pieces;
  };

  struct SyncJob {
    Lsn target;
    std::vector<io::File*> files;
  };

  // Reserves above this are watched apart: they make the waste at a segment's end large.
  [[nodiscard]] std::size_t small_record_bytes() const noexcept {
    return std::min<std::size_t>(64 * kib, segment_bytes_ / 16);
  }

  // Space that was allocated and never written costs its filesystem a change of metadata with every sync that
  // reaches it: 190-210 us instead of 95-130 us on ext4. So a sync that is about to writes zeros ahead,
  // which the next ones overwrite.
  [[nodiscard]] std::size_t zeros_ahead() const noexcept { return segment_bytes_ / 64; }

  static constexpr std::size_t segments_max = log_bytes_max / format::log_segment_bytes;

  // log_append.cpp
  [[nodiscard]] bool buffer_has_room(std::size_t bytes) const ARTFS_REQUIRES(mutex_);
  [[nodiscard]] bool fits(std::size_t bytes) const ARTFS_REQUIRES(mutex_);
  void unreserve_locked(std::size_t bytes) ARTFS_REQUIRES(mutex_);
  void wait_for_room(base::MutexLock& lock) ARTFS_REQUIRES(mutex_);
  void put_record(format::LogRecordHeader& header, std::span<const std::byte> payload)
      ARTFS_REQUIRES(mutex_);
  void leave_segment() ARTFS_REQUIRES(mutex_);
  void wake_writer() ARTFS_REQUIRES(mutex_);

  // log_segments.cpp
  [[nodiscard]] Result<void> add_segment(bool takes_spare)
      ARTFS_EXCLUDES(mutex_);  // holder of files_busy_
  void take_files_token() ARTFS_EXCLUDES(mutex_);
  void drop_files_token() ARTFS_EXCLUDES(mutex_);
  void prepare_ahead() ARTFS_EXCLUDES(mutex_);

  // log_sync.cpp
  [[nodiscard]] Result<void> sync_round() ARTFS_EXCLUDES(mutex_);  // holder of syncing_
  [[nodiscard]] Result<void> write_pending(WriteFor what) ARTFS_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<WriteJob> begin_write(WriteFor what) ARTFS_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t note_written(LiveSegment& segment, const Piece& piece, WriteFor what)
      ARTFS_REQUIRES(mutex_);
  [[nodiscard]] Result<void> write_piece(const Piece& piece) const;
  void end_write(const WriteJob& job) ARTFS_EXCLUDES(mutex_);
  [[nodiscard]] Result<SyncJob> begin_sync() ARTFS_EXCLUDES(mutex_);
  Error stop(Error reason) noexcept ARTFS_EXCLUDES(mutex_);
  void put_last_word() ARTFS_REQUIRES(mutex_);

  // log_writer.cpp: the background threads.
  void run_writer() ARTFS_EXCLUDES(mutex_);
  void run_syncer() ARTFS_EXCLUDES(mutex_);

  const LogOptions options_;
  const std::uint32_t segment_bytes_;
  SegmentPool pool_;  // used by the holder of files_busy_

  mutable base::Mutex mutex_{base::Rank::log_tail};
  base::CondVar sync_done_;   // durable_ moved, syncing_ fell, or failed_
  base::CondVar write_done_;  // writing_ fell
  base::CondVar space_free_;  // the tail buffer shrank, or failed_
  base::CondVar files_free_;  // files_busy_ fell
  base::CondVar writer_wake_;
  base::CondVar syncer_wake_;

  // Written under mutex_, read without it by end() and durable().
  std::atomic<std::uint64_t> end_{0};
  std::atomic<std::uint64_t> durable_{0};
  Lsn written_ ARTFS_GUARDED_BY(mutex_);
  std::deque<LiveSegment> segments_ ARTFS_GUARDED_BY(mutex_);  // ascending; behind current_: ready
  std::size_t current_ ARTFS_GUARDED_BY(mutex_) = 0;
  TailBuffer active_ ARTFS_GUARDED_BY(mutex_);
  TailBuffer flushing_;  // of the holder of writing_
  std::size_t flushing_bytes_ ARTFS_GUARDED_BY(mutex_) = 0;

  std::size_t reserved_bytes_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::size_t reserved_large_ ARTFS_GUARDED_BY(mutex_) = 0;    // count
  std::size_t largest_reserved_ ARTFS_GUARDED_BY(mutex_) = 0;  // since the last time there was none
  std::size_t room_waiters_ ARTFS_GUARDED_BY(mutex_) = 0;

  Lsn cut_ ARTFS_GUARDED_BY(mutex_);
  Lsn life_start_ ARTFS_GUARDED_BY(mutex_);
  std::uint64_t replayed_bytes_ ARTFS_GUARDED_BY(mutex_) = 0;

  bool writing_ ARTFS_GUARDED_BY(mutex_) = false;
  bool syncing_ ARTFS_GUARDED_BY(mutex_) = false;
  bool files_busy_ ARTFS_GUARDED_BY(mutex_) = false;
  bool writer_naps_ ARTFS_GUARDED_BY(mutex_) = false;
  bool syncer_naps_ ARTFS_GUARDED_BY(mutex_) = false;
  bool wants_segment_ ARTFS_GUARDED_BY(mutex_) = false;  // none is ready behind the current one
  bool stopping_ ARTFS_GUARDED_BY(mutex_) = false;
  bool closed_ ARTFS_GUARDED_BY(mutex_) = false;
  std::optional<Error> failed_ ARTFS_GUARDED_BY(mutex_);
  std::uint64_t last_sync_ns_ ARTFS_GUARDED_BY(mutex_) = 0;  // when its records were taken
  LogStats counts_ ARTFS_GUARDED_BY(mutex_);

  std::thread writer_;
  std::thread syncer_;
};

}  // namespace artfs::wal
