// SPDX-License-Identifier: Apache-2.0
// Ranges that read as zeros from now on: punched, or zeroed and backed with space.
#include <algorithm>

#include "base/assert.hpp"
#include "data/file_bytes_impl.hpp"

namespace artfs::data {

// Whole blocks become void. Bytes of other blocks are overwritten with zeros, at most one piece at each
// end of the range, and only where something else stands.
struct FileBytesImpl::ClearPlan {
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t end = 0;
  };

  BlockRange whole;
  std::vector<Piece> pieces;
};

bool FileBytesImpl::is_voided(const Buffer& buffer, std::uint64_t index) noexcept {
  return (buffer.active_ && buffer.active_->voids(index)) ||
         (buffer.in_flight_ && buffer.in_flight_->voids(index));
}

bool FileBytesImpl::is_punched(const Buffer& buffer, std::uint64_t index) noexcept {
  return (buffer.active_ && buffer.active_->punched.contains(index)) ||
         (buffer.in_flight_ && buffer.in_flight_->punched.contains(index));
}

// False when it might not.
Result<bool> FileBytesImpl::reads_as_zeros(Ino ino, const Contents& contents, const Buffer& buffer,
                                           std::uint64_t index) const {
  const std::uint64_t start = index * layout_.block_bytes;
  for (const Layer* layer : {buffer.active_.get(), buffer.in_flight_.get()}) {
    if (layer == nullptr) continue;
    if (layer->blocks.contains(index)) return false;
    if (layer->voids(index) || start >= layer->cut) return true;
  }
  if (start >= contents.size) return true;
  if (contents.is_inline) return index != 0;
  ExtentReader extents(volume_, ino);
  const Block* const block = ARTFS_TRY(extents.find(index));
  return !block->has_bytes();
}

Result<FileBytesImpl::ClearPlan> FileBytesImpl::plan_clear(Ino ino, const Contents& contents,
                                                           const Buffer& buffer,
                                                           const FileBytes::Range& range) const {
  const std::uint64_t block = layout_.block_bytes;
  const std::uint64_t size = buffer.size(contents);
  const std::uint64_t end = range.offset + range.length;
  const std::uint64_t first = (range.offset + block - 1) / block;
  // The block that holds the end of the file has nothing behind it.
  const bool last_is_whole = end >= size && size > end / block * block;
  const std::uint64_t behind = std::max(end / block + (last_is_whole ? 1 : 0), first);
  ClearPlan plan{.whole = {.first = first, .count = behind - first}, .pieces = {}};
  const auto add = [&](std::uint64_t from, std::uint64_t to) -> Result<void> {
    if (from >= to || ARTFS_TRY(reads_as_zeros(ino, contents, buffer, from / block))) return {};
    plan.pieces.push_back({.offset = from, .end = to});
    return {};
  };
  const std::uint64_t seen_end = std::min(end, size);
  ARTFS_TRY(add(range.offset, std::min(seen_end, first * block)));
  if (end / block >= first) ARTFS_TRY(add(behind * block, seen_end));
  return plan;
}

// Space of extents in the range that a flush will give away, as far as nothing pending does already.
Result<std::uint64_t> FileBytesImpl::voided_units(Ino ino, const Contents& contents,
                                                  const Buffer& buffer, BlockRange range,
                                                  bool unwritten_too) const {
  std::uint64_t units = 0;
  if (contents.units == 0 || range.count == 0) return units;
  std::uint64_t cut = no_cut;
  for (const Layer* layer : {buffer.active_.get(), buffer.in_flight_.get()}) {
    if (layer != nullptr) cut = std::min(cut, layer->cut);
  }
  ExtentScan scan(volume_, ino, range.first);
  while (ARTFS_TRY(scan.next())) {
    if (scan.first() >= range.end()) break;
    for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
      const std::uint64_t index = scan.first() + i;
      const Block& block = scan.run()[i];
      if (!range.contains(index) || block.is_empty() || index * layout_.block_bytes >= cut)
        continue;
      if (is_voided(buffer, index) || (!block.has_bytes() && !unwritten_too)) continue;
      units += block.units();
    }
  }
  return units;
}

// Everything that can fail comes first.
Result<void> FileBytesImpl::clear(Ino ino, const Contents& contents, Buffer& buffer,
                                  const FileBytes::Range& range, FileBytes::Clear how) {
  ARTFS_TRY(check_change(range.offset, range.length));
  if (range.length == 0) return fail(Errc::invalid_argument);
  const bool punch = how == FileBytes::Clear::punch;
  const std::uint64_t end = range.offset + range.length;
  const std::uint64_t old_size = buffer.size(contents);
  const std::uint64_t new_size = punch || range.keep_size ? old_size : std::max(end, old_size);
  const ClearPlan plan = ARTFS_TRY(plan_clear(ino, contents, buffer, range));
  const std::uint64_t freed = ARTFS_TRY(voided_units(ino, contents, buffer, plan.whole, punch));

  // A zeroed range is allocated anew, but for what was allocated and not written.
  BlockRange allocated{.first = range.offset / layout_.block_bytes, .count = 0};
  if (!punch && end > layout_.inline_bytes_max) {
    allocated.count = (end + layout_.block_bytes - 1) / layout_.block_bytes - allocated.first;
  }
  const std::uint64_t units = allocated.count * block_units_;
  std::vector<Promise> wanted;
  const auto want = [&](std::uint64_t from, std::uint64_t to) {
    for (const Promise& need : promises_for(contents, buffer, from, to)) {
      const auto same = [&need](const Promise& other) { return other.index == need.index; };
      const auto known = std::find_if(wanted.begin(), wanted.end(), same);
      if (known == wanted.end()) {
        wanted.push_back(need);
      } else {
        known->units = std::max(known->units, need.units);
        known->changed = {std::min(known->changed.begin, need.changed.begin),
                          std::max(known->changed.end, need.changed.end)};
      }
    }
  };
  for (const ClearPlan::Piece& piece : plan.pieces) want(piece.offset, piece.end);
  if (new_size > old_size) want(new_size, new_size);
  ARTFS_TRY(space_.reserve(units));
  const Result<std::uint64_t> granted = promise(ino, contents, buffer, wanted);
  if (!granted) {
    space_.unreserve(units);
    return fail(granted.error());
  }

  Layer& layer = activate(contents, buffer);
  const std::uint64_t held = layer.held_bytes;
  apply_promises(layer, wanted, *granted);
  space_.unreserve(layer.void_blocks(plan.whole, punch));
  layer.voided_units += freed;
  const std::vector<std::byte> zeros(layout_.block_bytes);
  for (const ClearPlan::Piece& piece : plan.pieces) {
    const auto from = static_cast<std::uint32_t>(piece.offset % layout_.block_bytes);
    layer.write(piece.offset / layout_.block_bytes, from,
                std::span(zeros).first(piece.end - piece.offset), layout_.block_bytes);
  }
  layer.size = new_size;
  if (allocated.count > 0) {
    layer.preallocate.push_back(allocated);
    layer.preallocate_units += units;
    layer.reserved_units += units;
  }
  account(held, layer.held_bytes);
  return {};
}

}  // namespace artfs::data
