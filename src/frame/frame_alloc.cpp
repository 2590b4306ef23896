// SPDX-License-Identifier: Apache-2.0
#include "frame/frame_alloc.hpp"

#include <algorithm>
#include <bit>

namespace artfs::frame {

using format::FrameHeader;
using format::FreeBlock;
using format::no_ref;
using format::offset_of;
using format::unit_bytes;

namespace {

Ref ref_of(std::size_t offset) noexcept {
  return static_cast<Ref>(offset / unit_bytes);
}

// The block at `ref` when it lies below the bump offset and is a free block.
const FreeBlock* free_block(const View& view, Ref ref) noexcept {
  if (view.kind(ref) != ObjectKind::free_block) return nullptr;
  const auto* block = reinterpret_cast<const FreeBlock*>(view.at(ref));
  const std::size_t end = offset_of(ref) + std::size_t{block->units} * unit_bytes;
  return block->units != 0 && end <= view.header().bump ? block : nullptr;
}

}  // namespace

std::size_t free_list_of(std::size_t units) noexcept {
  ARTFS_ASSERT(units > 0 && units <= 0xffff);
  if (units <= format::free_exact_lists) return units - 1;
  // 65..128 -> 64, 129..256 -> 65: bit_width(64..127) is 7.
  return format::free_exact_lists + static_cast<std::size_t>(std::bit_width(units - 1)) - 7;
}

Ref Editor::take_exact(FrameHeader& header, std::size_t list, std::size_t units) const noexcept {
  const Ref ref = header.free_heads[list];
  if (ref == no_ref) return no_ref;
  const FreeBlock* block = free_block(view_, ref);
  if (block == nullptr || block->units < units) {
    header.free_heads[list] = no_ref;  // damaged
    return no_ref;
  }
  const std::size_t rest = block->units - units;
  header.free_heads[list] = block->next;
  header.bytes_free = static_cast<std::uint32_t>(header.bytes_free - block->units * unit_bytes);
  if (rest > 0) push(header, static_cast<Ref>(ref + units), rest);
  return ref;
}

Ref Editor::take_first_fit(FrameHeader& header, std::size_t list,
                           std::size_t units) const noexcept {
  Ref before = no_ref;
  Ref ref = header.free_heads[list];
  for (std::size_t step = 0; step < first_fit_steps_max && ref != no_ref; ++step) {
    const FreeBlock* block = free_block(view_, ref);
    if (block == nullptr) return no_ref;
    if (block->units >= units) {
      if (before == no_ref) return take_exact(header, list, units);
      const std::size_t found = block->units;
      write<FreeBlock>(offset_of(before)).next = block->next;
      header.bytes_free = static_cast<std::uint32_t>(header.bytes_free - found * unit_bytes);
      if (found > units) push(header, static_cast<Ref>(ref + units), found - units);
      return ref;
    }
    before = ref;
    ref = block->next;
  }
  return no_ref;
}

Ref Editor::allocate(std::size_t bytes) const noexcept {
  const std::size_t rounded = format::round_to_unit(bytes);
  const std::size_t units = rounded / unit_bytes;
  const std::size_t own_list = free_list_of(units);
  FrameHeader& header = write_header();
  const bool is_exact = own_list < format::free_exact_lists;
  Ref ref =
      is_exact ? take_exact(header, own_list, units) : take_first_fit(header, own_list, units);
  if (ref == no_ref && header.bump + rounded <= format::frame_bytes) {
    ref = ref_of(header.bump);
    header.bump = static_cast<std::uint32_t>(header.bump + rounded);
  }
  for (std::size_t list = own_list + 1; ref == no_ref && list < format::free_lists; ++list) {
    ref = take_exact(header, list, units);
  }
  if (ref == no_ref) return no_ref;
  header.bytes_live = static_cast<std::uint32_t>(header.bytes_live + rounded);
  // All of it is the caller's to fill: mark it now, padding included.
  static_cast<void>(write(ref, rounded));
  return ref;
}

void Editor::push(FrameHeader& header, Ref ref, std::size_t units) const noexcept {
  const std::size_t list = free_list_of(units);
  FreeBlock& block = write<FreeBlock>(offset_of(ref));
  block = FreeBlock{};
  block.kind = static_cast<std::uint8_t>(ObjectKind::free_block);
  block.units = static_cast<std::uint16_t>(units);
  block.next = header.free_heads[list];
  header.free_heads[list] = ref;
  header.bytes_free = static_cast<std::uint32_t>(header.bytes_free + units * unit_bytes);
}

void Editor::release(Ref ref, std::size_t bytes) const noexcept {
  const std::size_t rounded = format::round_to_unit(bytes);
  FrameHeader& header = write_header();
  // A damaged count must not wrap around.
  const std::size_t live = header.bytes_live;
  header.bytes_live = static_cast<std::uint32_t>(live - std::min(live, rounded));
  if (offset_of(ref) + rounded == header.bump) {
    header.bump = static_cast<std::uint32_t>(offset_of(ref));
    return;
  }
  push(header, ref, rounded / unit_bytes);
}

void Editor::trim(Ref ref, std::size_t old_bytes, std::size_t new_bytes) const noexcept {
  const std::size_t kept = format::round_to_unit(new_bytes);
  const std::size_t had = format::round_to_unit(old_bytes);
  ARTFS_ASSERT(kept <= had);
  if (kept < had) release(static_cast<Ref>(ref + kept / unit_bytes), had - kept);
}

}  // namespace artfs::frame
