// SPDX-License-Identifier: Apache-2.0
// The write-ahead log on disk: segment header and record header.
//
//   log     := segment*                       files log-<start LSN, 16 hex digits>
//   segment := header page, record*, unused   16 MiB; a byte's LSN is the segment's start + its
//   offset record  := header, payload, zeros to a multiple of 8
//
// Contract:   records do not cross segments: segment_end fills the rest, unless less than a record
//             header is left. `continues_from` of a segment is the LSN at which the log before it
//             ends: its own start when the previous segment was filled, a lower one when an open
//             found the end of the log there and began anew. A record is believed only at its own
//             LSN.
// Threading:  plain bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::size_t log_segment_bytes = 16 * mib;
inline constexpr std::size_t log_segment_header_bytes =
    4 * kib;  // a page of its own: never rewritten with records
inline constexpr std::size_t log_record_alignment = 8;
inline constexpr std::size_t log_payload_bytes_max = 4 * mib;

inline constexpr std::uint64_t log_segment_magic = 0x3130474553574c41;  // "ALWSEG01"
inline constexpr std::uint32_t log_version = 1;
inline constexpr std::uint32_t log_record_magic = 0x43525741;  // "AWRC"

struct LogSegmentHeader {
  base::le64 magic;                        // 0x00  log_segment_magic
  base::le32 version;                      // 0x08  log_version
  base::le32 reserved;                     // 0x0c  zero
  std::array<std::byte, 16> store_uuid{};  // 0x10  the store it belongs to
  base::le64 start;           // 0x20  LSN of the file's first byte, multiple of log_segment_bytes
  base::le64 continues_from;  // 0x28  LSN where the log before it ends, <= start
  base::le64 checksum;        // 0x30  xxh3 of bytes 0x00..0x2f
};

static_assert(sizeof(LogSegmentHeader) == 0x38);
static_assert(offsetof(LogSegmentHeader, store_uuid) == 0x10);
static_assert(offsetof(LogSegmentHeader, start) == 0x20);
static_assert(offsetof(LogSegmentHeader, checksum) == 0x30);
static_assert(std::is_trivially_copyable_v<LogSegmentHeader>);

enum class LogRecordKind : std::uint16_t {
  segment_end = 1,  // no payload; the log goes on in the next segment
  transaction = 2,  // payload: operations, see wal/record.hpp
};

struct LogRecordHeader {
  base::le32 magic;             // 0x00  log_record_magic
  base::le32 payload_bytes;     // 0x04  <= log_payload_bytes_max
  base::le64 lsn;               // 0x08  of this record
  base::le64 durable_lsn;       // 0x10  everything below was on the device when it was written
  base::le64 payload_checksum;  // 0x18  xxh3 of the payload and the zeros that pad it
  base::le16 kind;              // 0x20  LogRecordKind
  std::array<std::uint8_t, 6> reserved{};  // 0x22  zero
  base::le64 header_checksum;              // 0x28  xxh3 of bytes 0x00..0x27
};

static_assert(sizeof(LogRecordHeader) == 0x30 &&
              sizeof(LogRecordHeader) % log_record_alignment == 0);
static_assert(offsetof(LogRecordHeader, lsn) == 0x08);
static_assert(offsetof(LogRecordHeader, kind) == 0x20);
static_assert(offsetof(LogRecordHeader, header_checksum) == 0x28);
static_assert(std::is_trivially_copyable_v<LogRecordHeader>);

}  // namespace artfs::format
