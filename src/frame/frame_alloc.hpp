// SPDX-License-Identifier: Apache-2.0
// Editor: change of one frame's objects, and the allocator of the space inside it.
//
// Contract:   borrows a Pin; every byte goes through Pin::write(). allocate() hands out exactly the rounded
//             size; the caller fills all of it. release() and trim() take the size back. Free blocks
//             are listed by size in the header, not joined; a dense rewrite (art/rewrite) joins them.
// Threading:  under the tree's latch exclusive.
// Cost:       allocate: O(1) from the exact list or the bump area, else a walk over the list heads;
//             at most first_fit_steps_max blocks of one list are looked at.
// Errors:     no_ref when no block is large enough. A damaged free list is dropped, its space
//             comes back with the next rewrite.
// Invariants: FS live + free + (frame end - bump) == capacity: space never leaks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/frame.hpp"
#include "frame/cache.hpp"
#include "frame/frame.hpp"

namespace artfs::frame {

inline constexpr std::size_t first_fit_steps_max = 32;

static_assert(format::frame_bytes == io::frame_bytes && format::page_bytes == io::page_bytes);

class Editor {
 public:
  explicit Editor(const Pin& pin) noexcept : pin_(&pin), view_(pin.bytes()) {}

  [[nodiscard]] const View& view() const noexcept { return view_; }

  [[nodiscard]] const Pin& pin() const noexcept { return *pin_; }

  template <typename Layout>
  [[nodiscard]] Layout& write(std::size_t offset) const noexcept {
    return *reinterpret_cast<Layout*>(pin_->write(offset, sizeof(Layout)));
  }

  [[nodiscard]] std::byte* write(Ref ref, std::size_t bytes) const noexcept {
    return pin_->write(format::offset_of(ref), bytes);
  }

  [[nodiscard]] format::FrameHeader& write_header() const noexcept {
    return write<format::FrameHeader>(0);
  }

  void set_slot(std::size_t slot_off, Ref ref) const noexcept {
    write<format::le16>(slot_off) = ref;
  }

  [[nodiscard]] Ref allocate(std::size_t bytes) const noexcept;
  void release(Ref ref, std::size_t bytes) const noexcept;
  // The object at `ref` shrank in place.
  void trim(Ref ref, std::size_t old_bytes, std::size_t new_bytes) const noexcept;

  // Free bytes, contiguous or not.
  [[nodiscard]] std::size_t bytes_free() const noexcept {
    return format::frame_capacity_bytes - view_.header().bytes_live;
  }

 private:
  [[nodiscard]] Ref take_exact(format::FrameHeader& header, std::size_t list,
                               std::size_t units) const noexcept;
  [[nodiscard]] Ref take_first_fit(format::FrameHeader& header, std::size_t list,
                                   std::size_t units) const noexcept;
  void push(format::FrameHeader& header, Ref ref, std::size_t units) const noexcept;

  const Pin* pin_;
  View view_;
};

// The list of free blocks of this size, 1..65535 units.
[[nodiscard]] std::size_t free_list_of(std::size_t units) noexcept;

}  // namespace artfs::frame
