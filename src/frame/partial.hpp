// SPDX-License-Identifier: Apache-2.0
// PartialPin: a frame of which only some pages were read, for a reader that looks before each step.
//
// Contract:   keeps the pages that are present in memory, and their bytes as they are: a partial frame is
//             never written. The header page is always present and verified, as every other page is before it
//             counts as present. What holds() has not promised must not be touched. The frame's bytes are
//             the newest as long as is_current(): a writer needs a whole frame, which takes this one's place.
// Threading:  as Pin.
// Cost:       as Pin; holds() is four loads.
// Source:     DESIGN 6. Reading 512 KiB for each point get of a store ten times the cache took 700 us.
#pragma once

#include <cstddef>
#include <span>

#include "artfs/types.hpp"

#include "io/blob_store.hpp"

namespace artfs::frame {

class CacheCore;  // private to src/frame
class Resident;   // private to src/frame

// Inside a frame.
struct ByteRange {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

class [[nodiscard]] PartialPin {
 public:
  // Nothing: the frame is whole.
  PartialPin() noexcept = default;
  PartialPin(PartialPin&& other) noexcept;
  PartialPin& operator=(PartialPin&& other) noexcept;
  ~PartialPin();

  explicit operator bool() const noexcept { return resident_ != nullptr; }

  [[nodiscard]] FrameId id() const noexcept;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  // Whether the range lies inside the frame and in pages that are present.
  [[nodiscard]] bool holds(ByteRange range) const noexcept;
  [[nodiscard]] bool is_current() const noexcept;

 private:
  friend class CacheCore;

  explicit PartialPin(Resident& resident) noexcept : resident_(&resident) {}

  Resident* resident_ = nullptr;
};

}  // namespace artfs::frame
