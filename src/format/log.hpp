// SPDX-License-Identifier: Apache-2.0
// The write-ahead log on disk: segment header and record header.
//
//   log     := segment*                       files log-<LSN of the first byte, 16 hex digits>
//   segment := header page, record*, unused   16 MiB (a power of two); LSN = start + offset
//   record  := header, payload, zeros to a multiple of 8
//
//   payload of a transaction := op*; op := LogOpHead, then by kind:
//     put                                                     LogPutHead, key, value
//     erase, assert_absent, assert_prefix_empty, create_tree  LogKeyHead, key (or name)
//     assert_version                                          LogVersionHead, key
//     add                                                     LogAddBody
//     move_prefix                                             LogMoveHead, from, to
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
inline constexpr std::size_t log_segment_bytes_min = 64 * kib;  // small ones serve the tests
// A page of its own: never rewritten together with records.
inline constexpr std::size_t log_segment_header_bytes = 4 * kib;
inline constexpr std::size_t log_record_alignment = 8;
inline constexpr std::size_t log_payload_bytes_max = 4 * mib;

inline constexpr std::uint64_t log_segment_magic = 0x3130474553574c41;  // "ALWSEG01"
inline constexpr std::uint32_t log_version = 1;
inline constexpr std::uint32_t log_record_magic = 0x43525741;  // "AWRC"

struct LogSegmentHeader {
  base::le64 magic;                        // 0x00  log_segment_magic
  base::le32 version;                      // 0x08  log_version
  base::le32 segment_bytes;                // 0x0c  of every segment of this log
  std::array<std::byte, 16> store_uuid{};  // 0x10  the store it belongs to
  base::le64 start;           // 0x20  LSN of the file's first byte, multiple of segment_bytes
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
  closed = 3,       // no payload; the life that wrote the segment ended here and appended no more
};

struct LogRecordHeader {
  base::le32 magic;             // 0x00  log_record_magic
  base::le32 payload_bytes;     // 0x04  <= log_payload_bytes_max
  base::le64 lsn;               // 0x08  of this record
  base::le64 durable_lsn;       // 0x10  everything below was on the device when it was written
  base::le64 payload_checksum;  // 0x18  xxh3 of the payload; the padding is checked to be zero
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

// --- Operations of a transaction ---------------------------------------------------------------
struct LogOpHead {
  std::uint8_t kind = 0;  // 0x00  wal::OpKind
  base::le32 tree;        // 0x01  tree id
};

struct LogPutHead {
  base::le16 key_bytes;    // 0x00
  base::le32 value_bytes;  // 0x02
};

struct LogKeyHead {
  base::le16 key_bytes;  // 0x00
};

struct LogVersionHead {
  base::le64 version;    // 0x00  LSN
  base::le16 key_bytes;  // 0x08
};

struct LogAddBody {
  std::uint8_t index = 0;  // 0x00  of the tree's counter
  base::le64 delta;        // 0x01  two's complement
};

struct LogMoveHead {
  base::le16 from_bytes;  // 0x00
  base::le16 to_bytes;    // 0x02
};

static_assert(sizeof(LogMoveHead) == 4);
static_assert(sizeof(LogOpHead) == 5 && sizeof(LogPutHead) == 6 && sizeof(LogKeyHead) == 2);
static_assert(sizeof(LogVersionHead) == 10 && sizeof(LogAddBody) == 9);

}  // namespace artfs::format
