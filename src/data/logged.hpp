// SPDX-License-Identifier: Apache-2.0
// LogPlan: what of a Buffer is neither in extents nor logged, as records of logged writes.
//
// Contract:   a small change that only writes and lengthens can be made durable by a transaction of the
//             volume that puts its bytes under "p/" keys (format/logged.hpp); the bytes stay in the
//             active layer, marked as logged, until a flush brings them to extents and erases the keys.
// Invariants: LOGGED: what a file's extents say, and over it the records under its "p/" keys in the order of
//             their numbers, is the file as it was when the newest record was made or later, never older. So a
//             flush that changes what extents say of a block erases every record that stood when it began,
//             and takes every block that such a record touches; one that only removes extents leaves a
//             record that removes the same from the records before it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "artfs/types.hpp"

namespace artfs::data {

// More than that is written to its blocks at once: it would be written twice, and a device that takes 64 KiB
// in one write takes hardly longer for it than for 4 KiB.
inline constexpr std::uint64_t logged_bytes_max = 64 * kib;
// Each span costs 12 bytes of a record, each block a place in the flush that must take all of them.
inline constexpr std::size_t logged_spans_max = 256;

struct LogPlan {
  enum class Kind : std::uint8_t {
    nothing,  // everything accepted is durable once the log is
    fits,     // it is once `records` stand in it, too
    unfit,    // flush it
  };

  Kind kind = Kind::unfit;
  std::vector<std::string> records;
  std::uint64_t bytes = 0;   // of the file
  std::uint64_t blocks = 0;  // touched
};

}  // namespace artfs::data
