// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "wal/log_impl.hpp"

namespace artfs::wal {
namespace {

// What a read-only open leaves: where the log ends.
class ReadOnlyLog final : public Log {
 public:
  struct Extent {
    Lsn from;
    Lsn end;
    std::uint64_t bytes = 0;
    std::uint64_t segments = 0;
  };

  explicit ReadOnlyLog(Extent extent) noexcept : extent_(extent) {}

  [[nodiscard]] Result<Reserve> reserve(std::size_t /*payload_size*/,
                                        bool /*takes_spare*/) override {
    return fail(Errc::store_read_only);
  }

  [[nodiscard]] Result<Appended> append(Reserve /*reserve*/,
                                        std::span<const std::byte> /*payload*/) override {
    return fail(Errc::store_read_only);
  }

  [[nodiscard]] Lsn end() const noexcept override { return extent_.end; }

  [[nodiscard]] Lsn durable() const noexcept override { return extent_.end; }

  [[nodiscard]] Result<void> sync_to(Lsn /*end*/) override { return {}; }

  [[nodiscard]] Result<void> cut(Lsn /*cut*/) override { return fail(Errc::store_read_only); }

  [[nodiscard]] std::uint64_t bytes_since_cut() const noexcept override { return extent_.bytes; }

  [[nodiscard]] Result<void> close() override { return {}; }

  [[nodiscard]] LogStats stats() const noexcept override {
    LogStats stats;
    stats.end_lsn = extent_.end.raw;
    stats.durable_lsn = extent_.end.raw;
    stats.cut_lsn = extent_.from.raw;
    stats.segments = extent_.segments;
    return stats;
  }

 protected:
  void unreserve(std::size_t /*bytes*/) noexcept override {}

 private:
  Extent extent_;
};

// A killed process may have left records, and what they refer to, in the page cache alone. They
// were just replayed, so they must be on the device before anything is built on them.
Result<void> make_durable(io::Directory& directory, const LogExtent& extent,
                          const LogOptions& options) {
  if (extent.bytes == 0) return {};
  if (options.before_sync) ARTFS_TRY(options.before_sync());
  for (const Lsn start : extent.chain) {
    const auto file = ARTFS_TRY(directory.open(segment_name(start), {}));
    ARTFS_TRY(file->sync_data());
  }
  return {};
}

// This life's own segment, with the end of the log before it in its header: once that is durable
// the tail behind the end is cut off, whatever it holds (P5).
Result<std::unique_ptr<io::File>> begin_life(SegmentPool& pool, LogExtent& extent) {
  ARTFS_TRY(pool.retire(extent.obsolete));
  std::optional<Lsn> recycle;
  if (pool.spares() == 0 && !extent.unlinked.empty()) {
    recycle = extent.unlinked.back();
    extent.unlinked.pop_back();
  }
  auto file = ARTFS_TRY(pool.make({extent.next_start, extent.end}, recycle));
  // Only now: their names told how far LSNs had been handed out.
  ARTFS_TRY(pool.retire(extent.unlinked));
  return file;
}

}  // namespace

Result<void> Log::create(io::Directory& directory, std::array<std::byte, 16> uuid, Lsn first,
                         std::size_t segment_bytes) {
  ARTFS_ASSERT(std::has_single_bit(segment_bytes) &&
               segment_bytes >= format::log_segment_bytes_min &&
               segment_bytes <= format::log_segment_bytes);
  const SegmentListing listing = ARTFS_TRY(list_segments(directory, uuid));
  if (!listing.segments.empty()) return fail(Errc::store_exists);
  const Lsn start{(first.raw + segment_bytes - 1) & ~std::uint64_t{segment_bytes - 1}};
  SegmentPool pool(directory, uuid, static_cast<std::uint32_t>(segment_bytes), listing.spares);
  const auto file = ARTFS_TRY(pool.make({start, first}));
  // As the life before the first had said its last word: the first open looks no further.
  const Lsn lsn{start.raw + format::log_segment_header_bytes};
  format::LogRecordHeader closed = prepare_header(format::LogRecordKind::closed, {});
  seal_header(closed, {lsn, lsn});
  ARTFS_TRY(file->write_at(lsn.raw - start.raw, base::object_bytes(closed)));
  return file->sync_data();
}

Result<std::unique_ptr<Log>> Log::open(io::Directory& directory, std::array<std::byte, 16> uuid,
                                       Lsn from, const LogOptions& options,
                                       const ReplayFn& replay) {
  SegmentListing listing = ARTFS_TRY(list_segments(directory, uuid));
  LogExtent extent = ARTFS_TRY(LogReader(directory, listing).read(from, replay));
  if (options.read_only) {
    return std::make_unique<ReadOnlyLog>(
        ReadOnlyLog::Extent{from, extent.end, extent.bytes, extent.chain.size()});
  }
  ARTFS_TRY(make_durable(directory, extent, options));
  SegmentPool pool(directory, uuid, listing.segment_bytes, std::move(listing.spares));
  auto file = ARTFS_TRY(begin_life(pool, extent));

  LogImpl::Life life{{}, from, extent.bytes};
  for (const Lsn start : extent.chain) life.segments.push_back({start, nullptr});
  life.segments.push_back({extent.next_start, std::move(file)});
  auto log = std::make_unique<LogImpl>(options, std::move(pool), listing.segment_bytes);
  log->start(std::move(life));
  return log;
}

}  // namespace artfs::wal
