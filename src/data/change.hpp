// SPDX-License-Identifier: Apache-2.0
// Change: a transaction together with the space it allocates and frees.
//
// Contract:   FileBytes adds extents and space; the volume adds its own records to `txn`;
//             FileBytes::commit() makes it happen. One Change may serve several flushes. A Change
//             that is dropped uncommitted changes nothing (the flushes must be aborted).
// Threading:  one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "artfs/store.hpp"

namespace artfs::data {

struct UnitRun {
  std::uint64_t first = 0;  // unit number in blocks.dat
  std::uint64_t count = 0;

  friend bool operator==(const UnitRun&, const UnitRun&) = default;
};

struct Change {
  Txn txn;
  std::vector<UnitRun> allocated;  // becomes used
  std::vector<UnitRun> freed;      // becomes free, reusable once the transaction is durable
};

}  // namespace artfs::data
