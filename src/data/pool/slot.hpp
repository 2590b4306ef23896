// SPDX-License-Identifier: Apache-2.0
// What the pool's parts say of a buffer: its slot, the identity of its contents, who looks after it.
//
// Contract:   values. A Tenure names one stay of a slot in use: when the last handle lets go and somebody
//             finds the block again before that is noted, the next tenure begins and the late note is void.
#pragma once

#include <cstdint>

#include "base/checksum.hpp"

namespace artfs::data::pool {

// Place of a buffer in the pool.
struct Slot {
  std::uint32_t index = 0;

  friend constexpr bool operator==(Slot, Slot) = default;
};

// Where in which file the contents stood when they were registered; all zero when nobody knows.
struct Lineage {
  std::uint64_t file = 0;
  std::uint64_t position = 0;  // block number

  [[nodiscard]] bool known() const noexcept { return file != 0; }

  friend constexpr bool operator==(Lineage, Lineage) = default;
};

struct Identity {
  base::Hash128 hash{};
  std::uint32_t bytes = 0;  // of the buffer, covered by the hash
  Lineage lineage{};
};

struct Tenure {
  Slot slot;
  std::uint32_t generation = 0;

  friend constexpr bool operator==(Tenure, Tenure) = default;
};

// The hash is uniform already.
struct HashOfHash {
  std::size_t operator()(const base::Hash128& hash) const noexcept { return hash.low; }
};

}  // namespace artfs::data::pool
