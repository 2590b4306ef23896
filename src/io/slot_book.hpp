// SPDX-License-Identifier: Apache-2.0
// SlotBook: which slots of a blob store are free, promised and used; no I/O.
//
// Contract:   slots 1..capacity exist. Promises never exceed the slots that are free. The lowest free
//             slot goes first, so that the used part of the file stays dense.
// Threading:  none of its own; the owner serialises.
// Cost:       O(log free) a slot; 8 bytes for each free slot below the highest used one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <vector>

#include "io/blob_store.hpp"

namespace artfs::io {

class SlotBook {
 public:
  // Exactly `in_use` are used; all else up to `capacity` is free.
  void restore(std::span<const SlotId> in_use, std::uint64_t capacity);
  void grow(std::uint64_t capacity) noexcept;

  // Free and not promised.
  [[nodiscard]] std::uint64_t available() const noexcept;
  void promise(std::uint64_t count) noexcept;
  void take_back(std::uint64_t count) noexcept;

  // Consumes one promise.
  [[nodiscard]] SlotId allocate();
  void free(SlotId slot);

  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

 private:
  using LowestFirst =
      std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>>;

  LowestFirst free_;            // all below next_
  std::uint64_t next_ = 1;      // the lowest slot that was never used
  std::uint64_t capacity_ = 0;  // slots next_..capacity_ are free too
  std::uint64_t promised_ = 0;
};

}  // namespace artfs::io
