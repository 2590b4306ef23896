// SPDX-License-Identifier: Apache-2.0
// Accepting changes: write, truncate, fallocate; and reading through them.
#include <algorithm>

#include "base/assert.hpp"
#include "data/file_bytes_impl.hpp"
#include "data/patch_policy.hpp"
#include "engine/store_impl.hpp"
#include "format/key.hpp"

namespace artfs::data {

namespace {

// Bytes of the block that can be seen below the active layer.
std::uint64_t seen_in_block(std::uint64_t visible, std::uint64_t start, std::uint64_t block_bytes) {
  return std::min(visible - std::min(visible, start), block_bytes);
}

}  // namespace

Result<void> FileBytesImpl::check_change(std::uint64_t offset, std::uint64_t length) const {
  if (options_.read_only) return fail(Errc::store_read_only);
  if (file_.stopped()) return fail(Errc::store_stopped);
  if (offset > file_bytes_max || length > file_bytes_max - offset) {
    return fail(Errc::file_too_big, offset);
  }
  return {};
}

Layer& FileBytesImpl::activate(const Contents& contents, Buffer& buffer) {
  if (!buffer.active_) {
    const std::uint64_t size = buffer.size(contents);
    buffer.active_ = std::make_unique<Layer>();
    buffer.active_->size = size;
    buffer.owner_ = this;
  }
  return *buffer.active_;
}

Result<std::size_t> FileBytesImpl::read(Ino ino, const Contents& contents, const Buffer* buffer,
                                        std::uint64_t offset, std::span<std::byte> out) {
  FileView view{.ino = ino, .contents = &contents};
  if (buffer != nullptr) view.layers = {buffer->active_.get(), buffer->in_flight_.get()};
  return ByteReader(file_, volume_, layout_.block_bytes, view).read(offset, out);
}

Result<ReadPlan> FileBytesImpl::plan_read(Ino ino, const Contents& contents, const Buffer* buffer,
                                          std::uint64_t offset, std::span<std::byte> out) {
  FileView view{.ino = ino, .contents = &contents};
  if (buffer != nullptr) view.layers = {buffer->active_.get(), buffer->in_flight_.get()};
  return ByteReader(file_, volume_, layout_.block_bytes, view).plan(offset, out);
}

// Space that a change of [offset, end) needs for each block it touches. A file that stays inline needs
// none. Block 0 is listed also when the file outgrows the inode record.
std::vector<FileBytesImpl::Promise> FileBytesImpl::promises_for(const Contents& contents,
                                                                const Buffer& buffer,
                                                                std::uint64_t offset,
                                                                std::uint64_t end) const {
  std::vector<Promise> wanted;
  const std::uint64_t new_size = std::max(end, buffer.size(contents));
  if (new_size <= layout_.inline_bytes_max) return wanted;
  const Layer* const active = buffer.active_.get();
  const Layer* const in_flight = buffer.in_flight_.get();
  const std::uint64_t below = in_flight != nullptr ? in_flight->size : contents.size;
  const std::uint64_t visible = active != nullptr ? std::min(active->cut, below) : below;
  const auto add = [&](std::uint64_t index, std::uint64_t own_begin, std::uint64_t own_end) {
    const std::uint64_t start = index * layout_.block_bytes;
    std::uint64_t bytes = std::max(own_end, seen_in_block(visible, start, layout_.block_bytes));
    if (active != nullptr) {
      const auto found = active->blocks.find(index);
      if (found != active->blocks.end()) {
        bytes = std::max<std::uint64_t>(bytes, found->second.valid.end());
      }
    }
    if (bytes == 0) return;
    wanted.push_back(
        {.index = index,
         .units = units_of(bytes),
         .changed = {static_cast<std::uint32_t>(own_begin), static_cast<std::uint32_t>(own_end)}});
  };
  const std::uint64_t first = offset / layout_.block_bytes;
  const bool block_zero_touched = offset < end && first == 0;
  if (!block_zero_touched) {
    const bool inline_below =
        in_flight != nullptr ? in_flight->size <= layout_.inline_bytes_max : contents.is_inline;
    if (inline_below || (active != nullptr && active->blocks.contains(0))) add(0, 0, 0);
  }
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t index = at / layout_.block_bytes;
    const std::uint64_t next = std::min(end, (index + 1) * layout_.block_bytes);
    const std::uint64_t start = index * layout_.block_bytes;
    add(index, at - start, next - start);
    at = next;
  }
  return wanted;
}

// Promises what is missing; returns how much that was. A full device still takes writes to space that
// fallocate put aside: such blocks are written in place and need no promise.
Result<std::uint64_t> FileBytesImpl::promise(Ino ino, const Contents& contents,
                                             const Buffer& buffer,
                                             std::span<const Promise> wanted) {
  std::uint64_t missing = 0;
  const Layer* const active = buffer.active_.get();
  for (const Promise& need : wanted) {
    std::uint32_t have = 0;
    if (active != nullptr) {
      const auto found = active->blocks.find(need.index);
      if (found != active->blocks.end()) have = found->second.reserved_units;
    }
    missing += need.units - std::min(need.units, have);
  }
  const Result<void> reserved = space_.reserve(missing);
  if (reserved) return missing;
  const bool cut = (active != nullptr && active->cut != no_cut) ||
                   (buffer.in_flight_ && buffer.in_flight_->cut != no_cut);
  if (reserved.error().code != Errc::no_space || contents.units == 0 || cut) {
    return fail(reserved.error());
  }
  ExtentReader extents(volume_, ino);
  for (const Promise& need : wanted) {
    if (buffer.in_flight_ && buffer.in_flight_->blocks.contains(need.index)) {
      return fail(Errc::no_space);
    }
    const Block* const block = ARTFS_TRY(extents.find(need.index));
    if (is_punched(buffer, need.index) || !fits_in_place(*block, need)) {
      return fail(Errc::no_space);
    }
    if (is_voided(buffer, need.index) && block->has_bytes()) return fail(Errc::no_space);
  }
  return std::uint64_t{0};
}

// Every unit of the change goes where space was put aside for it, whatever else was accepted.
bool FileBytesImpl::fits_in_place(const Block& block, const Promise& need) const noexcept {
  if (!block.unwritten || block.place.count < need.units) return false;
  if (block.patches.empty()) return true;
  for (std::uint32_t unit = need.changed.begin / unit_bytes; unit < units_of(need.changed.end);
       ++unit) {
    if (!goes_in_place(block, unit)) return false;
  }
  return block_units_ <= format::patches_per_block_max;
}

void FileBytesImpl::apply_promises(Layer& layer, std::span<const Promise> wanted,
                                   std::uint64_t granted) {
  for (const Promise& need : wanted) {
    DirtyBlock& block = layer.blocks[need.index];
    if (granted == 0 || block.reserved_units >= need.units) continue;
    const std::uint32_t more = need.units - block.reserved_units;
    block.reserved_units += more;
    layer.reserved_units += more;
    granted -= more;
  }
  ARTFS_ASSERT(granted == 0);
}

Result<void> FileBytesImpl::write(Ino ino, const Contents& contents, Buffer& buffer,
                                  std::uint64_t offset, std::span<const std::byte> data) {
  ARTFS_TRY(check_change(offset, data.size()));
  if (data.empty()) return {};
  const std::uint64_t end = offset + data.size();
  const std::vector<Promise> wanted = promises_for(contents, buffer, offset, end);
  // Bytes that will stand in the inode record take frames, not units: at worst all that is buffered does. Who
  // put space aside for the file was promised that writing there succeeds.
  constexpr std::uint64_t inline_bytes_per_frame = 128 * kib;
  if (wanted.empty() && contents.units == 0) {
    ARTFS_TRY(store_.impl().leave_frames(buffered_bytes() / inline_bytes_per_frame));
  }
  const std::uint64_t granted = ARTFS_TRY(promise(ino, contents, buffer, wanted));

  Layer& layer = activate(contents, buffer);
  const std::uint64_t held = layer.held_bytes;
  apply_promises(layer, wanted, granted);
  for (std::size_t done = 0; done < data.size();) {
    const std::uint64_t at = offset + done;
    const auto from = static_cast<std::uint32_t>(at % layout_.block_bytes);
    const std::size_t piece = std::min<std::size_t>(data.size() - done, layout_.block_bytes - from);
    layer.write(at / layout_.block_bytes, from, data.subspan(done, piece), layout_.block_bytes);
    done += piece;
  }
  layer.size = std::max(layer.size, end);
  account(held, layer.held_bytes);
  return {};
}

Result<void> FileBytesImpl::truncate(Ino ino, const Contents& contents, Buffer& buffer,
                                     std::uint64_t size) {
  ARTFS_TRY(check_change(size, 0));
  const std::uint64_t old_size = buffer.size(contents);
  if (size == old_size) return {};
  if (size > old_size) {
    const std::vector<Promise> wanted = promises_for(contents, buffer, size, size);
    const std::uint64_t granted = ARTFS_TRY(promise(ino, contents, buffer, wanted));
    Layer& layer = activate(contents, buffer);
    apply_promises(layer, wanted, granted);
    layer.size = size;
    return {};
  }
  Layer& layer = activate(contents, buffer);
  const std::uint64_t held = layer.held_bytes;
  space_.unreserve(layer.cut_at(size, layout_.block_bytes));
  account(held, layer.held_bytes);
  return {};
}

// Blocks of the range without space of their own. What is pending may be written out as patches: it does
// not count.
Result<std::uint64_t> FileBytesImpl::count_holes(Ino ino, const Contents& contents,
                                                 const Buffer& buffer, BlockRange range) const {
  std::uint64_t backed = 0;
  if (contents.units == 0) return range.count;
  ExtentScan scan(volume_, ino, range.first);
  while (ARTFS_TRY(scan.next())) {
    if (scan.first() >= range.end()) break;
    for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
      const std::uint64_t index = scan.first() + i;
      if (!range.contains(index) || !scan.run()[i].has_base()) continue;
      if (!is_voided(buffer, index)) ++backed;
    }
  }
  return range.count - backed;
}

Result<void> FileBytesImpl::fallocate(Ino ino, const Contents& contents, Buffer& buffer,
                                      const FileBytes::Range& range) {
  ARTFS_TRY(check_change(range.offset, range.length));
  if (range.length == 0) return fail(Errc::invalid_argument);
  const std::uint64_t end = range.offset + range.length;
  const std::uint64_t new_size =
      range.keep_size ? buffer.size(contents) : std::max(end, buffer.size(contents));
  BlockRange blocks{.first = range.offset / layout_.block_bytes, .count = 0};
  if (end > layout_.inline_bytes_max) {
    blocks.count = (end + layout_.block_bytes - 1) / layout_.block_bytes - blocks.first;
  }
  const std::uint64_t holes =
      blocks.count == 0 ? 0 : ARTFS_TRY(count_holes(ino, contents, buffer, blocks));
  const std::uint64_t units = holes * block_units_;
  ARTFS_TRY(space_.reserve(units));
  const Result<void> extended = truncate(ino, contents, buffer, new_size);
  if (!extended) {
    space_.unreserve(units);
    return extended;
  }
  if (holes == 0) return {};
  Layer& layer = activate(contents, buffer);
  layer.preallocate.push_back(blocks);
  layer.preallocate_units += units;
  layer.reserved_units += units;
  return {};
}

}  // namespace artfs::data
