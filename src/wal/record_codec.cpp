// SPDX-License-Identifier: Apache-2.0
#include "wal/record_codec.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/checksum.hpp"

namespace artfs::wal {
namespace {

using format::LogRecordHeader;

[[nodiscard]] std::uint64_t header_checksum(const LogRecordHeader& header) noexcept {
  return base::xxh3_64(
      base::object_bytes(header).first(offsetof(LogRecordHeader, header_checksum)));
}

[[nodiscard]] bool all_zero(std::span<const std::byte> bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

[[nodiscard]] std::optional<LogRecordHeader> decode_header(std::span<const std::byte> bytes,
                                                           Lsn lsn) noexcept {
  if (bytes.size() < sizeof(LogRecordHeader)) return std::nullopt;
  const auto header = base::copy_object<LogRecordHeader>(bytes);
  if (header.magic != format::log_record_magic || header.lsn != lsn.raw) return std::nullopt;
  if (header.header_checksum != header_checksum(header)) return std::nullopt;
  if (!all_zero(std::as_bytes(std::span(header.reserved)))) return std::nullopt;
  if (header.payload_bytes > format::log_payload_bytes_max) return std::nullopt;
  return header;
}

}  // namespace

LogRecordHeader prepare_header(format::LogRecordKind kind,
                               std::span<const std::byte> payload) noexcept {
  ARTFS_ASSERT(payload.size() <= format::log_payload_bytes_max);
  LogRecordHeader header;
  header.magic = format::log_record_magic;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.payload_checksum = base::xxh3_64(payload);
  header.kind = static_cast<std::uint16_t>(kind);
  return header;
}

void seal_header(LogRecordHeader& header, RecordPlace place) noexcept {
  header.lsn = place.lsn.raw;
  header.durable_lsn = place.durable.raw;
  header.header_checksum = header_checksum(header);  // last: covers every field above
}

std::optional<Lsn> durable_of_header(std::span<const std::byte> bytes, Lsn lsn) noexcept {
  const auto header = decode_header(bytes, lsn);
  if (!header) return std::nullopt;
  return Lsn{header->durable_lsn};
}

std::optional<RecordView> decode_record(std::span<const std::byte> bytes, Lsn lsn) noexcept {
  const auto header = decode_header(bytes, lsn);
  if (!header) return std::nullopt;
  const std::uint32_t payload_bytes = header->payload_bytes;
  const std::size_t whole = record_bytes(payload_bytes);
  if (whole > bytes.size()) return std::nullopt;
  const auto payload = bytes.subspan(sizeof(LogRecordHeader), payload_bytes);
  if (header->payload_checksum != base::xxh3_64(payload)) return std::nullopt;
  const std::size_t used = sizeof(LogRecordHeader) + payload_bytes;
  if (!all_zero(bytes.subspan(used, whole - used))) return std::nullopt;
  return RecordView{lsn, Lsn{lsn.raw + whole}, Lsn{header->durable_lsn}, header->kind, payload};
}

std::optional<RecordView> find_record(std::span<const std::byte> bytes, Lsn first,
                                      Lsn durable_above) noexcept {
  ARTFS_ASSERT(first.raw % format::log_record_alignment == 0);
  const base::le32 magic(format::log_record_magic);
  for (std::size_t at = 0; at + sizeof(LogRecordHeader) <= bytes.size();
       at += format::log_record_alignment) {
    if (std::memcmp(bytes.data() + at, &magic, sizeof(magic)) != 0) continue;
    const auto record = decode_record(bytes.subspan(at), Lsn{first.raw + at});
    if (record && record->durable > durable_above) return record;
  }
  return std::nullopt;
}

}  // namespace artfs::wal
