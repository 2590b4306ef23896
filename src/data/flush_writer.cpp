// SPDX-License-Identifier: Apache-2.0
#include "data/flush_writer.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "format/key.hpp"

namespace artfs::data {

namespace {

constexpr std::size_t group_bytes_max = 4 * mib;
constexpr std::size_t group_blocks_max = 256;
constexpr std::array<std::byte, unit_bytes> zeros{};

std::uint32_t units_for(std::uint64_t bytes) {
  return static_cast<std::uint32_t>((bytes + unit_bytes - 1) / unit_bytes);
}

}  // namespace

FlushWriter::FlushWriter(FileBytesImpl& impl, FlushState& state) noexcept
    : impl_(impl),
      state_(state),
      layer_(*state.layer),
      block_bytes_(impl.layout().block_bytes),
      reader_(impl.file(), impl.volume(), impl.layout().block_bytes,
              {.ino = state.ino, .contents = &state.before, .layers = {state.layer, nullptr}}) {}

Result<void> FlushWriter::run() {
  ARTFS_TRY(cut_extents());
  if (!state_.deferred) ARTFS_TRY(void_extents());
  if (state_.deferred) {
    state_.after.size = std::min(layer_.cut, state_.before.size);
    if (state_.before.is_inline) state_.after.inline_bytes.resize(state_.after.size);
    settle();
    return {};
  }
  state_.after.size = layer_.size;
  if (!ARTFS_TRY(go_inline())) {
    state_.after.is_inline = false;
    state_.after.inline_bytes.clear();
    ARTFS_TRY(plan_blocks());
  }
  ARTFS_TRY(plan_preallocation());
  ARTFS_TRY(allocate());
  ARTFS_TRY(write_blocks());
  settle();
  return {};
}

void FlushWriter::drop(std::uint64_t index, const Block& block) {
  state_.freed.push_back(block.place);
  state_.edits.set(index, Block{});
}

// Takes effect of the cut on one run, and removes what stands behind the old size (TAIL): left over by
// a truncation that a crash interrupted.
void FlushWriter::cut_run(std::uint64_t first, const Run& run) {
  for (std::uint64_t i = 0; i < run.size(); ++i) {
    Block block = run[i];
    if (block.is_hole()) continue;
    const std::uint64_t index = first + i;
    const std::uint64_t start = index * block_bytes_;
    if (start >= layer_.cut || (start >= state_.before.size && block.is_written())) {
      state_.edits.put_run(first, run);
      drop(index, block);
    } else if (block.is_written() && layer_.cut - start < block.valid_bytes) {
      block.valid_bytes = static_cast<std::uint32_t>(layer_.cut - start);
      state_.edits.put_run(first, run);
      state_.edits.set(index, block);
    }
  }
}

Result<void> FlushWriter::cut_extents() {
  if (state_.before.units == 0) return {};
  const bool extends = layer_.size > state_.before.size;
  if (layer_.cut == no_cut && (!extends || state_.tail_is_clean)) return {};
  const std::uint64_t from = std::min(layer_.cut, state_.before.size);
  ExtentScan scan(impl_.volume(), state_.ino, from / block_bytes_);
  while (ARTFS_TRY(scan.next())) {
    if (state_.edits.runs_count() >= runs_cut_per_flush_max) {
      state_.deferred = true;
      return {};
    }
    cut_run(scan.first(), scan.run());
  }
  return {};
}

Result<void> FlushWriter::void_extents() {
  if (state_.before.units == 0) return {};
  for (const BlockRanges* ranges : {&layer_.punched, &layer_.zeroed}) {
    for (const auto& [first, end] : ranges->all()) {
      ARTFS_TRY(void_range({.first = first, .count = end - first}));
      if (state_.deferred) return {};
    }
  }
  return {};
}

Result<void> FlushWriter::void_range(BlockRange range) {
  ExtentScan scan(impl_.volume(), state_.ino, range.first);
  while (ARTFS_TRY(scan.next())) {
    if (scan.first() >= range.end()) return {};
    if (state_.edits.runs_count() >= runs_cut_per_flush_max) {
      state_.deferred = true;
      return {};
    }
    for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
      const std::uint64_t index = scan.first() + i;
      if (!range.contains(index) || scan.run()[i].is_hole()) continue;
      state_.edits.put_run(scan.first(), scan.run());
      const Block block = *ARTFS_TRY(state_.edits.get(index));  // the cut may have been here
      const bool stays = block.unwritten && !layer_.punched.contains(index);
      if (!block.is_hole() && !stays) drop(index, block);
    }
  }
  return {};
}

// True when the file now lives in its inode record.
Result<bool> FlushWriter::go_inline() {
  if (layer_.size > impl_.layout().inline_bytes_max) return false;
  std::string bytes(layer_.size, '\0');
  const Result<std::size_t> read =
      reader_.read(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  if (!read) {
    // A damaged block that the change only shortens stays a block.
    if (read.error().code == Errc::block_corrupt && layer_.blocks.empty()) return false;
    return fail(read.error());
  }
  if (state_.before.units > 0) {
    const Block block = *ARTFS_TRY(state_.edits.get(0));
    if (block.is_written()) drop(0, block);
  }
  state_.after.is_inline = true;
  state_.after.inline_bytes = std::move(bytes);
  return true;
}

Result<void> FlushWriter::plan_blocks() {
  items_.reserve(layer_.blocks.size());
  for (const auto& [index, dirty] : layer_.blocks) {
    const Block old = *ARTFS_TRY(state_.edits.get(index));
    const std::uint64_t start = index * block_bytes_;
    const std::uint64_t limit = reader_.visible_below();
    std::uint64_t below = std::min(limit - std::min(limit, start), block_bytes_);
    const bool voided = layer_.voids(index);
    const bool from_record = state_.before.is_inline && index == 0 && !voided;
    if (voided) below = 0;
    if (!from_record) below = std::min<std::uint64_t>(below, old.valid_bytes);
    const auto stored =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(dirty.valid.end(), below));
    if (stored == 0 || (dirty.valid.empty() && !from_record)) continue;
    Item item{.index = index, .dirty = &dirty, .block = {}, .completed = {}};
    item.block.stored_bytes = stored;
    item.block.valid_bytes = stored;
    // What fallocate put aside is written in place: until the transaction it reads as zeros anyway.
    if (old.unwritten && old.place.count >= units_for(stored)) item.block.place = old.place;
    items_.push_back(std::move(item));
  }
  return {};
}

Result<void> FlushWriter::plan_preallocation() {
  std::size_t runs = 0;
  std::uint64_t last_run = no_cut;
  for (const BlockRange& range : layer_.preallocate) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      const std::uint64_t index = range.first + i;
      if (run_of(index) != last_run) {
        last_run = run_of(index);
        if (++runs > runs_preallocated_per_flush_max) {
          state_.left_over.push_back({.first = index, .count = range.count - i});
          break;
        }
      }
      const bool written = !state_.after.is_inline && layer_.blocks.contains(index);
      const Block* const block = ARTFS_TRY(state_.edits.get(index));
      if (block->is_hole() && !written) preallocated_.push_back(index);
    }
  }
  std::sort(preallocated_.begin(), preallocated_.end());
  preallocated_.erase(std::unique(preallocated_.begin(), preallocated_.end()), preallocated_.end());
  return {};
}

Result<void> FlushWriter::allocate() {
  const auto block_units = static_cast<std::uint32_t>(block_bytes_ / unit_bytes);
  std::vector<std::uint32_t> sizes;
  for (const Item& item : items_) {
    if (item.block.place.count == 0) sizes.push_back(units_for(item.block.stored_bytes));
  }
  sizes.insert(sizes.end(), preallocated_.size(), block_units);
  std::uint64_t left_over = 0;
  for (const BlockRange& range : state_.left_over) left_over += range.count * block_units;
  state_.kept_units = std::min(left_over, layer_.preallocate_units);
  const std::uint64_t promised = layer_.reserved_units - state_.kept_units;
  state_.allocated = ARTFS_TRY(impl_.space().allocate(sizes, promised));
  state_.converted_units = promised;

  auto place = state_.allocated.begin();
  for (Item& item : items_) {
    if (item.block.place.count == 0) item.block.place = *place++;
  }
  for (const std::uint64_t index : preallocated_) {
    state_.edits.set(index, Block{.place = *place++, .unwritten = true});
  }
  return {};
}

Result<void> FlushWriter::write_blocks() {
  std::size_t begin = 0;
  while (begin < items_.size()) {
    std::size_t end = begin + 1;
    std::uint64_t bytes = items_[begin].block.stored_bytes;
    while (end < items_.size() && end - begin < group_blocks_max && bytes < group_bytes_max) {
      const Block& last = items_[end - 1].block;
      const std::uint64_t next = last.place.first + units_for(last.stored_bytes);
      if (items_[end].block.place.first != next) break;
      bytes += items_[end].block.stored_bytes;
      ++end;
    }
    ARTFS_TRY(write_group(std::span(items_).subspan(begin, end - begin)));
    begin = end;
  }
  return {};
}

Result<std::span<const std::byte>> FlushWriter::bytes_of(Item& item) {
  const std::uint32_t stored = item.block.stored_bytes;
  if (item.dirty->valid.covers({0, stored})) {
    return std::span<const std::byte>(item.dirty->bytes).first(stored);
  }
  item.completed.resize(stored);
  ARTFS_TRY(reader_.read_block(item.index, 0, item.completed));
  return std::span<const std::byte>(item.completed);
}

// Neighbours in blocks.dat go out in one write; the gap behind a short block is filled with zeros.
Result<void> FlushWriter::write_group(std::span<Item> group) {
  std::vector<std::span<const std::byte>> buffers;
  for (Item& item : group) {
    const std::span<const std::byte> stored = ARTFS_TRY(bytes_of(item));
    item.block.hash = impl_.file().hash(stored);
    buffers.push_back(stored);
    const std::size_t tail = stored.size() % unit_bytes;
    const bool is_last = &item == &group.back();
    if (tail != 0 && !is_last) buffers.push_back(std::span(zeros).first(unit_bytes - tail));
  }
  state_.write_ticket = ARTFS_TRY(impl_.file().write(group.front().block.place.first, buffers));
  for (Item& item : group) {
    const Block old = *ARTFS_TRY(state_.edits.get(item.index));
    if (!old.is_hole() && old.place != item.block.place) state_.freed.push_back(old.place);
    state_.edits.set(item.index, item.block);
    item.completed = {};
  }
  return {};
}

void FlushWriter::settle() {
  std::uint64_t units = state_.before.units;
  for (const UnitRun& run : state_.allocated) units += run.count;
  for (const UnitRun& run : state_.freed) units -= run.count;
  state_.after.units = units;
  state_.written_out = true;
}

}  // namespace artfs::data
