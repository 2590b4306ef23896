// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "format/frame.hpp"

namespace artfs::format {

namespace {

FrameHeader read_header(std::span<const std::byte> page) noexcept {
  ARTFS_ASSERT(page.size() >= page_bytes);
  FrameHeader header;
  std::memcpy(&header, page.data(), sizeof header);
  return header;
}

bool is_sound(const FrameHeader& header) noexcept {
  const std::size_t bump = header.bump;
  if (bump < page_bytes || bump > frame_bytes || bump % unit_bytes != 0) return false;
  // FS; 64-bit sums of 32-bit fields do not wrap.
  const std::uint64_t accounted = std::uint64_t{header.bytes_live} + header.bytes_free;
  if (accounted != bump - page_bytes) return false;
  const std::size_t root_off = offset_of(header.root);
  return header.root == no_ref || (root_off >= page_bytes && root_off < bump);
}

}  // namespace

void format_header(std::span<std::byte> frame, const StoreUuid& uuid, FrameId id) noexcept {
  ARTFS_ASSERT(frame.size() >= page_bytes && id);
  FrameHeader header{};
  header.magic = frame_magic;
  header.version = frame_version;
  header.store_uuid = uuid;
  header.id = id.raw;
  header.bump = static_cast<std::uint32_t>(page_bytes);
  std::memcpy(frame.data(), &header, sizeof header);
}

std::uint32_t page_checksum(std::span<const std::byte> page) noexcept {
  ARTFS_ASSERT(page.size() == page_bytes);
  return base::xxh3_32(page);
}

void seal_header(std::span<std::byte> header_page, std::span<const PageChecksum> changed) noexcept {
  FrameHeader header = read_header(header_page);
  for (const PageChecksum& entry : changed) {
    ARTFS_ASSERT(entry.page > 0 && entry.page < pages_per_frame);
    header.page_checksums[entry.page] = entry.checksum;
  }
  std::memcpy(header_page.data(), &header, sizeof header);
  header.header_checksum = base::xxh3_64(header_page.first(offsetof(FrameHeader, header_checksum)));
  std::memcpy(header_page.data(), &header, sizeof header);
}

std::uint64_t seal_of(std::span<const std::byte> header_page) noexcept {
  return read_header(header_page).header_checksum;
}

std::size_t pages_used(std::span<const std::byte> header_page) noexcept {
  const std::size_t bump = read_header(header_page).bump;
  return std::clamp((bump + page_bytes - 1) / page_bytes, std::size_t{1}, pages_per_frame);
}

Result<void> check_header(std::span<const std::byte> header_page, const StoreUuid& uuid,
                          FrameId id) noexcept {
  const FrameHeader header = read_header(header_page);
  const std::uint64_t checksum =
      base::xxh3_64(header_page.first(offsetof(FrameHeader, header_checksum)));
  const bool is_ours = header.magic == frame_magic && header.version == frame_version &&
                       header.header_checksum == checksum && header.store_uuid == uuid &&
                       header.id == id.raw;
  if (!is_ours || !is_sound(header)) return fail(Errc::frame_corrupt, id.raw);
  return {};
}

Result<void> check_page(std::span<const std::byte> frame, std::size_t page) noexcept {
  ARTFS_ASSERT(page > 0 && page < pages_per_frame && frame.size() >= (page + 1) * page_bytes);
  le32 expected;
  std::memcpy(&expected,
              frame.data() + offsetof(FrameHeader, page_checksums) + page * sizeof expected,
              sizeof expected);
  if (page_checksum(frame.subspan(page * page_bytes, page_bytes)) == expected) return {};
  return fail(Errc::frame_corrupt, read_header(frame).id);
}

}  // namespace artfs::format
