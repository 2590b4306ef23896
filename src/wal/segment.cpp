// SPDX-License-Identifier: Apache-2.0
#include "wal/segment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

#include "base/bytes.hpp"
#include "base/checksum.hpp"

namespace artfs::wal {
namespace {

using format::LogSegmentHeader;

constexpr std::string_view segment_prefix = "log-";
constexpr std::string_view spare_prefix = "log-spare-";
constexpr std::size_t lsn_digits = 16;

[[nodiscard]] std::uint64_t header_checksum(const LogSegmentHeader& header) noexcept {
  return base::xxh3_64(base::object_bytes(header).first(offsetof(LogSegmentHeader, checksum)));
}

[[nodiscard]] bool header_verifies(const LogSegmentHeader& header, const StoreUuid& uuid) noexcept {
  const std::uint32_t bytes = header.segment_bytes;
  return header.magic == format::log_segment_magic && header.checksum == header_checksum(header) &&
         header.version == format::log_version && header.store_uuid == uuid &&
         std::has_single_bit(bytes) && bytes >= format::log_segment_bytes_min &&
         bytes <= format::log_segment_bytes && header.start % bytes == 0 &&
         header.continues_from <= header.start;
}

// nullopt: no header that verifies, for whatever reason but a device error.
Result<std::optional<LogSegmentHeader>> read_header(io::Directory& directory, Lsn start,
                                                    const StoreUuid& uuid) {
  const auto file = ARTFS_TRY(directory.open(segment_name(start), {.read_only = true}));
  LogSegmentHeader header;
  const std::size_t read = ARTFS_TRY(file->read_at(0, base::object_bytes_mutable(header)));
  if (read < sizeof(header) || !header_verifies(header, uuid)) return std::nullopt;
  return header;
}

// Past the point where a lack of space leaves everything as it was, it is a failure like any other.
[[nodiscard]] Result<void> firmly(Result<void> result) {
  if (!result && result.error().code == Errc::no_space) {
    return fail(Errc::io_failed, result.error().detail);
  }
  return result;
}

}  // namespace

std::string segment_name(Lsn start) {
  return fmt::format("{}{:016x}", segment_prefix, start.raw);
}

std::optional<Lsn> parse_segment_name(std::string_view name) noexcept {
  if (!name.starts_with(segment_prefix)) return std::nullopt;
  name.remove_prefix(segment_prefix.size());
  if (name.size() != lsn_digits) return std::nullopt;
  std::uint64_t start = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), start, 16);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return Lsn{start};
}

Result<SegmentListing> list_segments(io::Directory& directory, const StoreUuid& uuid) {
  SegmentListing listing;
  std::vector<Lsn> starts;
  for (const std::string& name : ARTFS_TRY(directory.list())) {
    if (const auto start = parse_segment_name(name)) {
      starts.push_back(*start);
    } else if (name.starts_with(spare_prefix)) {
      listing.spares.push_back(name);
    }
  }
  std::sort(starts.begin(), starts.end());
  std::sort(listing.spares.begin(), listing.spares.end());
  for (const Lsn start : starts) {
    const auto header = ARTFS_TRY(read_header(directory, start, uuid));
    SegmentInfo info{start, false, {}};
    if (header && header->start == start.raw) {
      if (listing.segment_bytes == 0) listing.segment_bytes = header->segment_bytes;
      info.linked = header->segment_bytes == listing.segment_bytes;
      info.continues_from = Lsn{header->continues_from};
    }
    listing.segments.push_back(info);
  }
  return listing;
}

SegmentPool::SegmentPool(io::Directory& directory, const StoreUuid& uuid,
                         std::uint32_t segment_bytes, std::vector<std::string> spares)
    : directory_(&directory),
      uuid_(uuid),
      segment_bytes_(segment_bytes),
      spares_(std::move(spares)) {}

std::string SegmentPool::new_spare_name() {
  for (;;) {
    std::string name = fmt::format("{}{:08x}", spare_prefix, next_spare_++);
    if (std::find(spares_.begin(), spares_.end(), name) == spares_.end()) return name;
  }
}

Result<void> SegmentPool::allocate(const std::string& name) {
  const auto file = ARTFS_TRY(directory_->open(name, {.create = true}));
  if (ARTFS_TRY(file->size()) >= segment_bytes_) return {};
  const Result<void> allocated = file->allocate(0, segment_bytes_);
  if (allocated) return {};
  // What little it got is given back: the spare is complete or not there.
  if (directory_->remove(name)) std::erase(spares_, name);
  return allocated;
}

Result<void> SegmentPool::add_spare() {
  std::string name = new_spare_name();
  ARTFS_TRY(allocate(name));
  spares_.push_back(std::move(name));
  return {};
}

Result<void> SegmentPool::keep_spare() {
  return spares_.empty() ? add_spare() : Result<void>{};
}

Result<std::unique_ptr<io::File>> SegmentPool::make(SegmentPlace place,
                                                    std::optional<Lsn> recycle) {
  if (spares_.empty() && recycle) return turn_into_segment(segment_name(*recycle), place);
  if (spares_.empty()) ARTFS_TRY(add_spare());
  return turn_into_segment(spares_.back(), place);
}

Result<std::unique_ptr<io::File>> SegmentPool::make_next(Lsn start) {
  if (spares_.size() < 2) ARTFS_TRY(add_spare());
  return turn_into_segment(spares_.back(), {start, start});
}

Result<std::unique_ptr<io::File>> SegmentPool::turn_into_segment(std::string from,
                                                                 SegmentPlace place) {
  ARTFS_TRY(allocate(from));
  const std::string name = segment_name(place.start);
  // The name first: while the header disagrees with it, the file is unlinked, but its name still
  // says up to where LSNs were handed out.
  ARTFS_TRY(directory_->rename(from, name));
  std::erase(spares_, from);
  ARTFS_TRY(firmly(directory_->sync()));
  auto file = directory_->open(name, {});
  if (!file) return fail(Errc::io_failed, file.error().detail);

  LogSegmentHeader header;
  header.magic = format::log_segment_magic;
  header.version = format::log_version;
  header.segment_bytes = segment_bytes_;
  header.store_uuid = uuid_;
  header.start = place.start.raw;
  header.continues_from = place.continues_from.raw;
  header.checksum = header_checksum(header);
  ARTFS_TRY(firmly((*file)->write_at(0, base::object_bytes(header))));
  ARTFS_TRY(firmly((*file)->sync_data()));
  return file;
}

Result<void> SegmentPool::retire(std::span<const Lsn> starts) {
  if (starts.empty()) return {};
  std::vector<std::string> retired;
  for (const Lsn start : starts) {
    if (spares_.size() + retired.size() < spares_max) {
      retired.push_back(new_spare_name());
      ARTFS_TRY(firmly(directory_->rename(segment_name(start), retired.back())));
    } else {
      ARTFS_TRY(firmly(directory_->remove(segment_name(start))));
    }
  }
  // Only now may their headers change: before, a power cut could bring the old names back.
  ARTFS_TRY(firmly(directory_->sync()));
  spares_.insert(spares_.end(), retired.begin(), retired.end());
  return {};
}

}  // namespace artfs::wal
