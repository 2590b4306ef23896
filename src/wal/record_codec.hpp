// SPDX-License-Identifier: Apache-2.0
// A log record as bytes: sealing a header, and believing one.
//
// Contract:   decode_record() believes nothing before its checksum: the header's before the size, the
//             payload's before the payload; padding must be zero. Every single-bit flip in a record
//             is caught. The view points into the given bytes.
// Threading:  pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "artfs/types.hpp"

#include "format/log.hpp"

namespace artfs::wal {

struct RecordView {
  Lsn lsn;
  Lsn end;  // behind the padding
  Lsn durable;
  std::uint16_t kind = 0;  // format::LogRecordKind, or one this version does not know
  std::span<const std::byte> payload;
};

// Header, payload and padding.
[[nodiscard]] constexpr std::size_t record_bytes(std::size_t payload_bytes) noexcept {
  return (sizeof(format::LogRecordHeader) + payload_bytes + format::log_record_alignment - 1) &
         ~(format::log_record_alignment - 1);
}

// Kind, size and checksum of the payload: what does not depend on the LSN.
[[nodiscard]] format::LogRecordHeader prepare_header(format::LogRecordKind kind,
                                                     std::span<const std::byte> payload) noexcept;

struct RecordPlace {
  Lsn lsn;
  Lsn durable;
};

void seal_header(format::LogRecordHeader& header, RecordPlace place) noexcept;

// The record with this LSN at the start of `bytes`, if all of it verifies.
[[nodiscard]] std::optional<RecordView> decode_record(std::span<const std::byte> bytes,
                                                      Lsn lsn) noexcept;

// `durable` of the record with this LSN, when its header verifies; its payload is not looked at.
[[nodiscard]] std::optional<Lsn> durable_of_header(std::span<const std::byte> bytes,
                                                   Lsn lsn) noexcept;

// The first record that verifies at its own position with `durable` above `durable_above`.
// bytes[0] has LSN `first`, a multiple of the record alignment.
[[nodiscard]] std::optional<RecordView> find_record(std::span<const std::byte> bytes, Lsn first,
                                                    Lsn durable_above) noexcept;

}  // namespace artfs::wal
