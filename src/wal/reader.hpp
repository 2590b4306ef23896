// SPDX-License-Identifier: Apache-2.0
// Reading the log: replay in order, and the judgement where it ends.
//
// Contract:   visits every transaction at or above `from` once, in order of LSN, then decides whether
//             what follows is a torn tail or damage (EOL). Changes nothing on disk.
// Cost:       reads the segments from `from` on once, those behind the end too unless the log was closed, and
//             nothing that was allocated and never written; one buffer of a segment.
// Errors:     log_corrupt (detail: the LSN that does not verify), io_failed, what `visit` returned.
// Invariants: EOL the log ends at the first record that does not verify, unless one behind it verifies
//             and says that it was durable; a segment begun later at a higher end says so too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "io/device.hpp"
#include "wal/segment.hpp"

namespace artfs::wal {

struct LogExtent {
  Lsn end;                    // of the last record
  std::vector<Lsn> chain;     // segments that hold the log from `from` to the end, ascending
  std::vector<Lsn> obsolete;  // wholly below `from`
  std::vector<Lsn> unlinked;  // never to be read: behind the end, or left by an interrupted open
  Lsn next_start;             // a segment start above every LSN that was ever handed out
  std::uint64_t bytes = 0;    // of transactions read
};

class LogReader {
 public:
  using VisitFn = std::function<Result<void>(Lsn lsn, Lsn end, std::span<const std::byte> payload)>;

  LogReader(io::Directory& directory, const SegmentListing& listing);

  [[nodiscard]] Result<LogExtent> read(Lsn from, const VisitFn& visit);

 private:
  [[nodiscard]] const SegmentInfo* first_segment(Lsn from) const noexcept;
  [[nodiscard]] const SegmentInfo* successor(const SegmentInfo& segment, Lsn end) const noexcept;
  [[nodiscard]] Lsn end_of(const SegmentInfo& segment) const noexcept;
  // Up to `bytes_max` bytes of the segment from `position` on; fewer where it or its file ends.
  [[nodiscard]] Result<std::span<const std::byte>> load(const SegmentInfo& segment, Lsn position,
                                                        std::size_t bytes_max);
  // Visits the records of one segment; returns the position behind the last. Sets closed_.
  [[nodiscard]] Result<Lsn> walk(const SegmentInfo& segment, Lsn position, const VisitFn& visit);
  [[nodiscard]] Result<void> judge_end(const LogExtent& extent);
  [[nodiscard]] Result<void> judge_unlinked(const SegmentInfo& segment, Lsn end);
  void classify(LogExtent& extent) const;

  io::Directory* directory_;
  const SegmentListing* listing_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t bytes_ = 0;
  bool closed_ = false;  // the last record read says that its life appended nothing behind it
};

}  // namespace artfs::wal
