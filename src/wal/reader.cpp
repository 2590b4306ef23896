// SPDX-License-Identifier: Apache-2.0
#include "wal/reader.hpp"

#include <algorithm>
#include <optional>

#include "base/assert.hpp"
#include "wal/record_codec.hpp"

namespace artfs::wal {
namespace {

// After a clean close there is little to read, and no need to look behind it.
constexpr std::size_t first_window_bytes = 256 * kib;

[[nodiscard]] Lsn first_record(const SegmentInfo& segment) noexcept {
  return Lsn{segment.start.raw + format::log_segment_header_bytes};
}

}  // namespace

LogReader::LogReader(io::Directory& directory, const SegmentListing& listing)
    : directory_(&directory), listing_(&listing) {}

Lsn LogReader::end_of(const SegmentInfo& segment) const noexcept {
  return Lsn{segment.start.raw + listing_->segment_bytes};
}

const SegmentInfo* LogReader::first_segment(Lsn from) const noexcept {
  const SegmentInfo* begun_there = nullptr;
  const SegmentInfo* ends_there = nullptr;
  for (const SegmentInfo& segment : listing_->segments) {
    if (!segment.linked) continue;
    if (segment.start <= from && from < end_of(segment)) return &segment;
    if (segment.continues_from == from) begun_there = &segment;
    if (end_of(segment) == from) ends_there = &segment;
  }
  return begun_there != nullptr ? begun_there : ends_there;
}

const SegmentInfo* LogReader::successor(const SegmentInfo& segment, Lsn end) const noexcept {
  for (const SegmentInfo& next : listing_->segments) {
    if (next.linked && next.start > segment.start && next.continues_from == end) return &next;
  }
  return nullptr;
}

Result<std::span<const std::byte>> LogReader::load(const SegmentInfo& segment, Lsn position,
                                                   std::size_t bytes_max) {
  ARTFS_ASSERT(position >= segment.start && position <= end_of(segment));
  const std::size_t wanted = std::min(bytes_max, end_of(segment).raw - position.raw);
  if (wanted == 0) return std::span<const std::byte>{};
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<std::byte[]>(listing_->segment_bytes);
  const auto file = ARTFS_TRY(directory_->open(segment_name(segment.start), {.read_only = true}));
  const std::uint64_t offset = position.raw - segment.start.raw;
  if (wanted <= first_window_bytes) {
    const std::size_t read = ARTFS_TRY(file->read_at(offset, {buffer_.get(), wanted}));
    return std::span<const std::byte>(buffer_.get(), read);
  }
  // Most of a young segment was allocated and never written: it is not read. No record begins there, but
  // the last bytes of one may be zeros, and a filesystem may have made a hole of them.
  const std::uint64_t size = ARTFS_TRY(file->size());
  const std::uint64_t data_end = ARTFS_TRY(file->end_of_data(offset));
  const std::size_t data = std::min<std::uint64_t>(wanted, std::max(data_end, offset) - offset);
  const std::size_t read = ARTFS_TRY(file->read_at(offset, {buffer_.get(), data}));
  if (read < data || data == 0) return std::span<const std::byte>(buffer_.get(), read);
  const std::size_t rest = std::min<std::uint64_t>(wanted, std::max(size, offset) - offset) - data;
  const std::size_t zeros = std::min(rest, record_bytes(format::log_payload_bytes_max));
  std::fill_n(buffer_.get() + data, zeros, std::byte{0});
  return std::span<const std::byte>(buffer_.get(), data + zeros);
}

Result<Lsn> LogReader::walk(const SegmentInfo& segment, Lsn position, const VisitFn& visit) {
  Lsn first = position;
  auto bytes = ARTFS_TRY(load(segment, first, first_window_bytes));
  bool whole = false;
  for (;;) {
    // Without room for another header the segment is full.
    if (end_of(segment).raw - position.raw < sizeof(format::LogRecordHeader)) {
      return end_of(segment);
    }
    const std::size_t at = position.raw - first.raw;
    const auto record = at < bytes.size() ? decode_record(bytes.subspan(at), position)
                                          : std::optional<RecordView>{};
    if (!record && whole) return position;
    if (!record) {
      whole = true;
      first = position;
      bytes = ARTFS_TRY(load(segment, first, listing_->segment_bytes));
      continue;
    }
    position = record->end;
    switch (format::LogRecordKind{record->kind}) {
      case format::LogRecordKind::segment_end:
        return end_of(segment);
      case format::LogRecordKind::closed:
        closed_ = true;
        return position;
      case format::LogRecordKind::transaction:
        bytes_ += record->end.raw - record->lsn.raw;
        ARTFS_TRY(visit(record->lsn, record->end, record->payload));
        break;
      default:
        return fail(Errc::log_corrupt, record->lsn.raw);  // unknown kinds are never skipped
    }
  }
}

Result<LogExtent> LogReader::read(Lsn from, const VisitFn& visit) {
  const SegmentInfo* segment = first_segment(from);
  if (segment == nullptr) return fail(Errc::log_corrupt, from.raw);
  LogExtent extent;
  Lsn position = from;
  if (from < first_record(*segment)) position = first_record(*segment);
  while (segment != nullptr) {
    extent.chain.push_back(segment->start);
    closed_ = false;
    extent.end = ARTFS_TRY(walk(*segment, position, visit));
    segment = successor(*segment, extent.end);
    if (segment != nullptr) position = first_record(*segment);
  }
  extent.bytes = bytes_;
  classify(extent);
  ARTFS_TRY(judge_end(extent));
  return extent;
}

void LogReader::classify(LogExtent& extent) const {
  const std::uint64_t segment_bytes = listing_->segment_bytes;
  extent.next_start = Lsn{listing_->segments.back().start.raw + segment_bytes};
  for (const SegmentInfo& segment : listing_->segments) {
    if (segment.start < extent.chain.front()) {
      extent.obsolete.push_back(segment.start);
    } else if (!std::binary_search(extent.chain.begin(), extent.chain.end(), segment.start)) {
      extent.unlinked.push_back(segment.start);
    }
  }
}

Result<void> LogReader::judge_end(const LogExtent& extent) {
  for (const SegmentInfo& segment : listing_->segments) {
    if (segment.start == extent.chain.back()) {
      if (closed_ || extent.end >= end_of(segment)) continue;
      const auto bytes = ARTFS_TRY(load(segment, extent.end, listing_->segment_bytes));
      if (find_record(bytes, extent.end, extent.end)) {
        return fail(Errc::log_corrupt, extent.end.raw);
      }
    } else if (std::binary_search(extent.unlinked.begin(), extent.unlinked.end(), segment.start)) {
      ARTFS_TRY(judge_unlinked(segment, extent.end));
    }
  }
  return {};
}

Result<void> LogReader::judge_unlinked(const SegmentInfo& segment, Lsn end) {
  // A life that began at a higher end found everything below it whole, and synced it.
  const bool begun_anew = segment.linked && segment.continues_from != segment.start;
  if (begun_anew && segment.continues_from > end) return fail(Errc::log_corrupt, end.raw);
  // What the life that said its last word had made ready holds no record. Where one begins, a later life
  // wrote it, and where that began is missing.
  if (segment.linked && closed_) {
    const auto bytes = ARTFS_TRY(load(segment, first_record(segment), io::direct_alignment_bytes));
    const auto durable = durable_of_header(bytes, first_record(segment));
    if (durable && *durable > end) return fail(Errc::log_corrupt, end.raw);
    return {};
  }
  // Without its header a segment holds no records, unless the header was damaged later.
  const Lsn durable_above = segment.linked ? end : Lsn{0};
  const auto bytes = ARTFS_TRY(load(segment, first_record(segment), listing_->segment_bytes));
  if (find_record(bytes, first_record(segment), durable_above)) {
    return fail(Errc::log_corrupt, end.raw);
  }
  return {};
}

}  // namespace artfs::wal
