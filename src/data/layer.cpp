// SPDX-License-Identifier: Apache-2.0
#include "data/layer.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "data/contents.hpp"

namespace artfs::data {

namespace {

std::vector<BlockRange> without(const std::vector<BlockRange>& ranges, BlockRange gone) {
  std::vector<BlockRange> kept;
  for (const BlockRange& range : ranges) {
    const std::uint64_t below_end = std::min(range.end(), std::max(range.first, gone.first));
    const std::uint64_t above_first = std::max(range.first, std::min(range.end(), gone.end()));
    if (range.first < below_end) {
      kept.push_back({.first = range.first, .count = below_end - range.first});
    }
    if (above_first < range.end()) {
      kept.push_back({.first = above_first, .count = range.end() - above_first});
    }
  }
  return kept;
}

}  // namespace

void ByteSpans::add(ByteSpan span) {
  if (span.begin >= span.end) return;
  const auto touches = [&span](const ByteSpan& other) { return other.end >= span.begin; };
  const auto first = std::find_if(spans_.begin(), spans_.end(), touches);
  auto last = first;
  while (last != spans_.end() && last->begin <= span.end) {
    span = {std::min(span.begin, last->begin), std::max(span.end, last->end)};
    ++last;
  }
  if (first == last) {
    spans_.insert(first, span);
    return;
  }
  *first = span;
  spans_.erase(first + 1, last);
}

void ByteSpans::remove(ByteSpan span) {
  std::vector<ByteSpan> kept;
  kept.reserve(spans_.size() + 1);
  for (const ByteSpan& mine : spans_) {
    const std::uint32_t below_end = std::min(mine.end, std::max(mine.begin, span.begin));
    const std::uint32_t above_begin = std::max(mine.begin, std::min(mine.end, span.end));
    if (mine.begin < below_end) kept.push_back({mine.begin, below_end});
    if (above_begin < mine.end) kept.push_back({above_begin, mine.end});
  }
  spans_ = std::move(kept);
}

void ByteSpans::clip(std::uint32_t end) {
  while (!spans_.empty() && spans_.back().begin >= end) spans_.pop_back();
  if (!spans_.empty()) spans_.back().end = std::min(spans_.back().end, end);
}

bool ByteSpans::covers(ByteSpan span) const noexcept {
  if (span.begin >= span.end) return true;
  for (const ByteSpan& valid : spans_) {
    if (valid.begin <= span.begin && span.end <= valid.end) return true;
  }
  return false;
}

void DirtyBlock::write(std::uint32_t from, std::span<const std::byte> data,
                       std::uint32_t block_bytes) {
  const auto end = from + static_cast<std::uint32_t>(data.size());
  ARTFS_ASSERT(end <= block_bytes);
  const auto unit_begin = from - from % static_cast<std::uint32_t>(unit_bytes);
  if (bytes.empty()) {
    start = unit_begin;
  } else if (unit_begin < start) {
    bytes.insert(bytes.begin(), start - unit_begin, std::byte{0});
    start = unit_begin;
  }
  const std::size_t size = end - start;
  if (size > bytes.size()) {
    if (size > bytes.capacity()) {
      bytes.reserve(std::min(std::bit_ceil(size), std::size_t{block_bytes - start}));
    }
    bytes.resize(size);
  }
  std::memcpy(bytes.data() + (from - start), data.data(), data.size());
  valid.add({from, end});
  if (!logged.empty()) logged.remove({from, end});
}

void DirtyBlock::clip(std::uint32_t end) {
  valid.clip(end);
  logged.clip(end);
  const std::size_t size = valid.end() - std::min(start, valid.end());
  if (bytes.size() > size) bytes.resize(size);
}

void DirtyBlock::fill_from(const DirtyBlock& below, std::uint32_t block_bytes) {
  const ByteSpans above = valid;
  for (const ByteSpan& span : below.valid.all()) {
    above.split(
        span, [](ByteSpan) {},
        [&](ByteSpan missing) {
          write(missing.begin, below.at(missing), block_bytes);
          below.logged.split(
              missing, [this](ByteSpan same) { logged.add(same); }, [](ByteSpan) {});
        });
  }
  has_logged = has_logged || below.has_logged;
}

void Layer::write(std::uint64_t index, std::uint32_t from, std::span<const std::byte> data,
                  std::uint32_t block_bytes) {
  DirtyBlock& block = blocks[index];
  held_bytes -= block.bytes.capacity();
  block.write(from, data, block_bytes);
  held_bytes += block.bytes.capacity();
}

std::uint64_t Layer::void_blocks(BlockRange range, bool punch) {
  std::uint64_t released = 0;
  for (auto it = blocks.lower_bound(range.first); it != blocks.end() && range.contains(it->first);
       it = blocks.erase(it)) {
    released += it->second.reserved_units;
    held_bytes -= it->second.bytes.capacity();
  }
  if (punch) {
    punched.add(range);
    preallocate = without(preallocate, range);
    if (preallocate.empty()) released += std::exchange(preallocate_units, 0);
  } else {
    zeroed.add(range);
  }
  reserved_units -= released;
  return released;
}

std::uint64_t Layer::cut_at(std::uint64_t new_size, std::uint32_t block_bytes) {
  std::uint64_t released = 0;
  cut = std::min(cut, new_size);
  size = new_size;
  const std::uint64_t whole = (new_size + block_bytes - 1) / block_bytes;  // blocks that stay
  for (auto it = blocks.lower_bound(whole); it != blocks.end(); it = blocks.erase(it)) {
    released += it->second.reserved_units;
    held_bytes -= it->second.bytes.capacity();
  }
  if (!blocks.empty() && blocks.rbegin()->first + 1 == whole) {
    blocks.rbegin()->second.clip(static_cast<std::uint32_t>(new_size - (whole - 1) * block_bytes));
  }
  for (BlockRange& range : preallocate) {
    const std::uint64_t end = std::min(range.first + range.count, std::max(range.first, whole));
    range.count = end - range.first;
  }
  std::erase_if(preallocate, [](const BlockRange& range) { return range.count == 0; });
  if (preallocate.empty()) released += std::exchange(preallocate_units, 0);
  reserved_units -= released;
  return released;
}

std::uint64_t Layer::absorb(Layer&& below, std::uint32_t block_bytes) {
  std::uint64_t released = 0;
  const std::uint64_t below_cut = below.cut;
  if (cut != no_cut) released += below.cut_at(cut, block_bytes);
  for (const auto& [first, end] : zeroed.all()) {
    released += below.void_blocks({.first = first, .count = end - first}, false);
  }
  for (const auto& [first, end] : punched.all()) {
    released += below.void_blocks({.first = first, .count = end - first}, true);
  }
  cut = std::min(cut, below_cut);
  logged_size = std::max(logged_size, below.logged_size);
  punched.add(below.punched);
  zeroed.add(below.zeroed);
  voided_units += below.voided_units;
  reserved_units += below.reserved_units;
  const auto block_units = static_cast<std::uint32_t>(block_bytes / unit_bytes);
  for (auto& [index, block] : below.blocks) {
    const auto [found, is_new] = blocks.try_emplace(index);
    DirtyBlock& mine = found->second;
    if (is_new) {
      mine = std::move(block);
      held_bytes += mine.bytes.capacity();
      continue;
    }
    held_bytes -= mine.bytes.capacity();
    mine.fill_from(block, block_bytes);
    held_bytes += mine.bytes.capacity();
    const std::uint32_t reserved = mine.reserved_units + block.reserved_units;
    mine.reserved_units = std::min(reserved, block_units);
    released += reserved - mine.reserved_units;
    reserved_units -= reserved - mine.reserved_units;
  }
  preallocate.insert(preallocate.end(), below.preallocate.begin(), below.preallocate.end());
  preallocate_units += below.preallocate_units;
  return released;
}

Layer Layer::split_off(const std::function<bool(std::uint64_t, const DirtyBlock&)>& goes) {
  Layer rest;
  rest.size = size;
  for (auto it = blocks.begin(); it != blocks.end();) {
    if (!goes(it->first, it->second)) {
      ++it;
      continue;
    }
    rest.reserved_units += it->second.reserved_units;
    rest.held_bytes += it->second.bytes.capacity();
    rest.blocks.emplace_hint(rest.blocks.end(), it->first, std::move(it->second));
    it = blocks.erase(it);
  }
  rest.preallocate = std::exchange(preallocate, {});
  rest.preallocate_units = std::exchange(preallocate_units, 0);
  rest.reserved_units += rest.preallocate_units;
  reserved_units -= rest.reserved_units;
  held_bytes -= rest.held_bytes;
  return rest;
}

}  // namespace artfs::data
