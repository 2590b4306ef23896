// SPDX-License-Identifier: Apache-2.0
// The record of a logged write, under "p/<ino>/<number>": bytes of a file that its extents do not have yet.
//
//   LoggedHeader, `cleared_count` LoggedBlocks, `spans_count` LoggedSpanHeader, the bytes of the spans
//
// Contract:   the records of an inode are applied in the order of their numbers to what its extents say:
//             bytes from `cut` on go, the blocks of `cleared` read as zeros, the spans are written, and
//             the file is at least `size` long. decode(encode(x)) == x, and decode accepts nothing else: spans
//             are not empty, ascend, do not overlap and end within `size`; reserved bytes are zero.
//             Spans of a decoded record are views of what was decoded.
// Errors:     record_corrupt, detail = the inode number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::uint8_t logged_version = 1;
inline constexpr std::uint64_t logged_no_cut = ~std::uint64_t{0};

struct LoggedSpan {
  std::uint64_t offset = 0;  // in the file
  std::string_view bytes;

  friend bool operator==(const LoggedSpan&, const LoggedSpan&) = default;
};

struct ClearedBlocks {
  std::uint64_t first = 0;  // block number
  std::uint64_t count = 0;

  friend bool operator==(const ClearedBlocks&, const ClearedBlocks&) = default;
};

struct LoggedWrite {
  std::uint64_t size = 0;
  std::uint64_t cut = logged_no_cut;
  std::vector<ClearedBlocks> cleared;
  std::vector<LoggedSpan> spans;

  friend bool operator==(const LoggedWrite&, const LoggedWrite&) = default;
};

struct LoggedHeader {
  std::uint8_t version = 0;                // 0x00  logged_version
  std::array<std::uint8_t, 3> zero{};      // 0x01
  base::le32 cleared_count;                // 0x04
  base::le32 spans_count;                  // 0x08
  std::array<std::uint8_t, 4> reserved{};  // 0x0c  zero
  base::le64 cut;                          // 0x10  logged_no_cut: nothing goes
  base::le64 size;                         // 0x18
};

static_assert(sizeof(LoggedHeader) == 0x20 && offsetof(LoggedHeader, cut) == 0x10);

struct LoggedBlocks {
  base::le64 first;  // 0x00
  base::le64 count;  // 0x08  not zero
};

static_assert(sizeof(LoggedBlocks) == 0x10);

struct LoggedSpanHeader {
  base::le64 offset;      // 0x00
  base::le32 span_bytes;  // 0x08  not zero
};

static_assert(sizeof(LoggedSpanHeader) == 0x0c);

// Of the record: value_bytes_max is the most.
[[nodiscard]] std::size_t encoded_bytes(const LoggedWrite& write) noexcept;
[[nodiscard]] std::string encode(const LoggedWrite& write);
[[nodiscard]] Result<LoggedWrite> decode_logged(Ino ino, std::string_view record);

}  // namespace artfs::format
