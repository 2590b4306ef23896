// SPDX-License-Identifier: Apache-2.0
// BulkFrame: one whole frame from a sorted list of records and ways to other frames.
//
// Contract:   build() writes the objects, in key order and without free space, behind the header page of
//             `bytes`; seal() then makes the frame what the cache would have written. The elements' keys stand
//             in `keys`. Among them a way to a frame has a key that ends with the edge byte; several edges of
//             one node that lead to one frame are neighbours.
// Threading:  one thread; plain memory.
// Cost:       build: for each element a compare of 16 bits per level of nodes above it, and one copy. seal:
//             a checksum over what is used, 30 us for a full frame.
// Errors:     build: false when it does not fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "art/node.hpp"
#include "format/frame.hpp"
#include "frame/cache.hpp"

namespace artfs::art {

struct BulkElement {
  std::size_t off = 0;  // of the key, the value behind it
  std::uint32_t value_bytes = 0;
  std::uint16_t key_bytes = 0;
  std::uint16_t shared = 0;  // bytes that this key and the one before it begin with
  bool is_dead = false;      // left with a frame
  FrameId frame{};           // none: a record
};

class BulkFrame {
 public:
  struct Identity {
    format::StoreUuid uuid{};
    FrameId id;
    Lsn version;  // of its records
  };

  BulkFrame(std::span<std::byte> bytes, const char* keys, const Identity& identity) noexcept
      : base_(bytes.data()), keys_(keys), identity_(identity) {}

  // Entered with `depth` bytes of the keys consumed.
  [[nodiscard]] bool build(std::span<const BulkElement> elements, std::size_t depth);

  void seal() noexcept;

 private:
  struct Work {
    std::size_t first = 0;
    std::size_t end = 0;
    std::size_t depth = 0;     // consumed, the edge byte included
    std::size_t slot_off = 0;  // where the reference goes
  };

  [[nodiscard]] std::string_view key_of(const BulkElement& element) const noexcept {
    return {keys_ + element.off, element.key_bytes};
  }

  [[nodiscard]] Ref append(std::size_t bytes) noexcept;
  void set_slot(std::size_t slot_off, Ref ref) noexcept;
  [[nodiscard]] bool write_record(const BulkElement& element, const Work& work);
  [[nodiscard]] bool write_way(const BulkElement& element, const Work& work);
  [[nodiscard]] bool write_node(std::span<const BulkElement> elements, const Work& work);
  [[nodiscard]] bool lead_to(FrameId frame, std::size_t slot_off);

  std::byte* base_;
  const char* keys_;
  const Identity identity_;
  std::size_t bump_ = format::page_bytes;
  Ref root_ = format::no_ref;
  std::size_t leaves_ = 0;
  std::size_t nodes_ = 0;
  std::size_t crossings_ = 0;
  // The crossing written last: neighbouring edges share it.
  FrameId last_frame_;
  Ref last_crossing_ = format::no_ref;
  std::vector<Work> work_;
};

// The frame takes over what `image` holds, its id and uuid stay. Latched exclusive, gate held.
void install_frame(const frame::Pin& pin, std::span<const std::byte> image) noexcept;
// Nothing is in the frame any more; its bytes behind the header page stay as they are.
void clear_frame(const frame::Pin& pin) noexcept;

}  // namespace artfs::art
