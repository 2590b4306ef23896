// SPDX-License-Identifier: Apache-2.0
// Change: a transaction together with the space it allocates and frees and the references it moves.
//
// Contract:   FileBytes adds extents and space; the volume adds its own records to `txn`;
//             FileBytes::commit() makes it happen. One Change may serve several flushes. A Change
//             that is dropped uncommitted changes nothing (the flushes must be aborted).
//             `allocated` and `freed` are space without bytes (fallocate) and patches, which have no references. Every written block that
//             an extent of the transaction comes to name, or names no longer, stands in `gained` and
//             `lost`, once per reference: the first reference takes the space, the last one frees it.
// Threading:  one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "artfs/store.hpp"

#include "base/checksum.hpp"

namespace artfs::data {

struct UnitRun {
  std::uint64_t first = 0;  // unit number in blocks.dat
  std::uint64_t count = 0;

  friend bool operator==(const UnitRun&, const UnitRun&) = default;
};

// A written block, whoever names it.
struct StoredBlock {
  base::Hash128 hash{};
  UnitRun place{};
  std::uint32_t stored_bytes = 0;

  friend bool operator==(const StoredBlock&, const StoredBlock&) = default;
};

struct Change {
  Txn txn;
  std::vector<UnitRun> allocated;    // becomes used
  std::vector<UnitRun> freed;        // becomes free, reusable once the transaction is durable
  std::vector<StoredBlock> gained;   // references
  std::vector<StoredBlock> lost;     // references
  std::vector<StoredBlock> settled;  // one reference each that was space without bytes until now
};

}  // namespace artfs::data
