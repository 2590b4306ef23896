// SPDX-License-Identifier: Apache-2.0
#include "data/flush_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "format/key.hpp"

namespace artfs::data {

namespace {

constexpr std::size_t group_bytes_max = 4 * mib;
constexpr std::size_t group_blocks_max = 256;
constexpr std::array<std::byte, unit_bytes> zeros{};

bool same_bytes(std::span<const std::byte> left, std::span<const std::byte> right) {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
}

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
              {.ino = state.ino, .contents = &state.before, .layers = {state.layer, nullptr}}),
      patches_(impl, state, reader_) {}

Result<void> FlushWriter::run() {
  ARTFS_TRY(cut_extents());
  if (!state_.deferred) ARTFS_TRY(void_extents());
  if (state_.deferred) {
    state_.after.size = std::min(layer_.cut, state_.before.size);
    if (state_.before.is_inline) state_.after.inline_bytes.resize(state_.after.size);
    state_.written_out = true;
    return {};
  }
  state_.after.size = layer_.size;
  const bool is_inline = ARTFS_TRY(go_inline());
  // First, so that what was written since goes to the space put aside.
  ARTFS_TRY(plan_preallocation());
  ARTFS_TRY(allocate_preallocation());
  if (!is_inline) {
    state_.after.is_inline = false;
    state_.after.inline_bytes.clear();
    ARTFS_TRY(plan_blocks());
    ARTFS_TRY(store_blocks());
    ARTFS_TRY(patches_.run());
  }
  state_.written_out = true;
  return {};
}

void FlushWriter::drop(std::uint64_t index, const Block& block) {
  state_.lose(block);
  state_.edits.set(index, Block{});
}

// Takes effect of the cut on one run, and removes what stands behind the old size (TAIL): left over by
// a truncation that a crash interrupted.
Result<void> FlushWriter::cut_run(std::uint64_t first, const Run& run) {
  for (std::uint64_t i = 0; i < run.size(); ++i) {
    if (run[i].is_empty()) continue;
    const std::uint64_t index = first + i;
    const std::uint64_t start = index * block_bytes_;
    if (start >= layer_.cut || (start >= state_.before.size && run[i].has_bytes())) {
      state_.edits.put_run(first, run);
      drop(index, run[i]);
    } else if (layer_.cut - start < run[i].end_bytes()) {
      state_.edits.put_run(first, run);
      ARTFS_TRY(cut_block(index, static_cast<std::uint32_t>(layer_.cut - start)));
    }
  }
  return {};
}

// Space put aside ends with the bytes: where a patch was, a later one must not go in place, since the
// durable state may still name what stands there (FRESH).
Result<void> FlushWriter::cut_block(std::uint64_t index, std::uint32_t end) {
  Block block = *ARTFS_TRY(state_.edits.get(index));
  block.valid_bytes = std::min(block.valid_bytes, end);
  while (!block.patches.empty()) {
    Patch& last = block.patches.back();
    const std::uint32_t start = last.unit * static_cast<std::uint32_t>(unit_bytes);
    if (start < end) {
      last.valid_bytes = std::min(last.valid_bytes, end - start);
      break;
    }
    if (!block.is_in_place(last)) state_.lose_units({.first = last.place, .count = 1});
    block.patches.pop_back();
  }
  const std::uint64_t kept = units_for(end);
  if (block.unwritten && kept < block.place.count) {
    state_.lose_units({.first = block.place.first + kept, .count = block.place.count - kept});
    block.place.count = kept;
  }
  state_.edits.set(index, block);
  return {};
}

// One transaction takes no more removals.
bool FlushWriter::removed_enough() const noexcept {
  return state_.edits.runs_count() >= runs_cut_per_flush_max ||
         state_.freed.size() + state_.lost.size() >= pieces_removed_per_flush_max;
}

Result<void> FlushWriter::cut_extents() {
  if (state_.before.units == 0) return {};
  const bool extends = layer_.size > state_.before.size;
  if (layer_.cut == no_cut && (!extends || state_.tail_is_clean)) return {};
  const std::uint64_t from = std::min(layer_.cut, state_.before.size);
  ExtentScan scan(impl_.volume(), state_.ino, from / block_bytes_);
  while (ARTFS_TRY(scan.next())) {
    if (removed_enough()) {
      state_.deferred = true;
      return {};
    }
    ARTFS_TRY(cut_run(scan.first(), scan.run()));
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
    if (removed_enough()) {
      state_.deferred = true;
      return {};
    }
    for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
      const std::uint64_t index = scan.first() + i;
      if (!range.contains(index) || scan.run()[i].is_empty()) continue;
      state_.edits.put_run(scan.first(), scan.run());
      const Block block = *ARTFS_TRY(state_.edits.get(index));  // the cut may have been here
      const bool stays = !block.has_bytes() && !layer_.punched.contains(index);
      if (!block.is_empty() && !stays) drop(index, block);
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
    if (block.has_bytes()) drop(0, block);
  }
  state_.after.is_inline = true;
  state_.after.inline_bytes = std::move(bytes);
  return true;
}

Result<void> FlushWriter::plan_blocks() {
  items_.reserve(layer_.blocks.size());
  for (const auto& [index, dirty] : layer_.blocks) ARTFS_TRY(plan_block(index, dirty));
  return {};
}

Result<void> FlushWriter::plan_block(std::uint64_t index, const DirtyBlock& dirty) {
  const Block& old = *ARTFS_TRY(state_.edits.get(index));
  const std::uint64_t start = index * block_bytes_;
  const std::uint64_t limit = reader_.visible_below();
  std::uint64_t below = std::min(limit - std::min(limit, start), block_bytes_);
  const bool voided = layer_.voids(index);
  const bool has_record = state_.before.is_inline && state_.before.size > 0;
  const bool from_record = has_record && index == 0 && !voided;
  if (voided) below = 0;
  if (!from_record) below = std::min<std::uint64_t>(below, old.end_bytes());
  const auto stored = static_cast<std::uint32_t>(std::max<std::uint64_t>(dirty.valid.end(), below));
  if (stored == 0 || (dirty.valid.empty() && !from_record)) return {};
  // A patch says of the zeros behind its bytes, as far as the file goes, that they are bytes too.
  const std::uint64_t unit_end = units_for(stored) * unit_bytes;
  const std::uint64_t file_end = layer_.size - std::min(layer_.size, start);
  const auto patched_end =
      static_cast<std::uint32_t>(std::max<std::uint64_t>(stored, std::min(unit_end, file_end)));
  const BlockChange change{.old = old,
                           .dirty = units_of(dirty.valid),
                           .stored_bytes = patched_end,
                           .block_units = static_cast<std::uint32_t>(block_bytes_ / unit_bytes),
                           .promised_units = dirty.reserved_units};
  const BlockWay way = from_record ? BlockWay::whole : choose_way(change);
  if (way == BlockWay::patch) {
    patches_.add(index, dirty, change);
    return {};
  }
  Item& item = items_.emplace_back();
  item.index = index;
  item.dirty = &dirty;
  item.settles = way == BlockWay::settle;
  item.block.stored_bytes = item.settles ? patched_end : stored;
  item.block.valid_bytes = item.block.stored_bytes;
  // What fallocate put aside is written in place: until the transaction it reads as zeros anyway.
  const bool is_untouched = old.unwritten && old.patches.empty();
  if (item.settles || (is_untouched && old.place.count >= units_for(stored))) {
    item.block.place = old.place;
    item.way = Way::in_place;
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
      const Block* const block = ARTFS_TRY(state_.edits.get(index));
      if (!block->has_base()) preallocated_.push_back(index);
    }
  }
  std::sort(preallocated_.begin(), preallocated_.end());
  preallocated_.erase(std::unique(preallocated_.begin(), preallocated_.end()), preallocated_.end());
  if (!state_.left_over.empty()) {
    const std::uint64_t used = preallocated_.size() * (block_bytes_ / unit_bytes);
    state_.kept_units = layer_.preallocate_units - std::min(layer_.preallocate_units, used);
  }
  return {};
}

Result<void> FlushWriter::allocate_preallocation() {
  const auto block_units = static_cast<std::uint32_t>(block_bytes_ / unit_bytes);
  const std::vector<std::uint32_t> sizes(preallocated_.size(), block_units);
  const std::vector<UnitRun> places = ARTFS_TRY(state_.allocate(sizes));
  for (std::size_t i = 0; i < places.size(); ++i) {
    Block block = *ARTFS_TRY(state_.edits.get(preallocated_[i]));  // patches stay
    block.place = places[i];
    block.unwritten = true;
    state_.gain_units(block.place);
    state_.edits.set(preallocated_[i], block);
  }
  return {};
}

Result<void> FlushWriter::store_blocks() {
  const std::span<Item> items(items_);
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin;
    std::uint64_t bytes = 0;
    while (end < items.size() && end - begin < group_blocks_max && bytes < group_bytes_max) {
      bytes += items[end++].block.stored_bytes;
    }
    ARTFS_TRY(store_window(items.subspan(begin, end - begin)));
    for (; begin < end; ++begin) items[begin].completed = {};
  }
  return {};
}

// What others are writing comes last and one by one: who waits has claimed nothing, so that nobody can
// wait for it in turn.
Result<void> FlushWriter::store_window(std::span<Item> window) {
  std::vector<Item*> fresh;
  std::vector<const Item*> written;
  std::vector<Item*> postponed;
  {
    ContentFinder finder(impl_, state_);
    ARTFS_TRY(decide(window, finder));
    for (Item& item : window) {
      if (item.way == Way::fresh || item.way == Way::claimed) fresh.push_back(&item);
      if (item.way == Way::postponed) postponed.push_back(&item);
    }
    ARTFS_TRY(place(fresh));
    for (const Item& item : window) {
      const bool is_new = item.way == Way::fresh || item.way == Way::claimed;
      if (item.settles && item.way == Way::in_place) {
        ARTFS_TRY(write_dirty_units(item));
      } else if (is_new || item.way == Way::in_place) {
        written.push_back(&item);
      }
    }
    ARTFS_TRY(write_blocks(written));
    for (const Item* item : fresh) {
      if (item->way != Way::claimed) continue;
      finder.offer(item->block, state_.write_ticket);
      std::erase(state_.taken, item->block.place);  // the hold takes care of it
    }
  }
  for (Item& item : window) {
    if (item.way != Way::postponed) ARTFS_TRY(name(item));
  }
  for (Item* item : postponed) {
    ContentFinder(impl_, state_).await(item->block);
    item->way = Way::undecided;
    item->twin = nullptr;
    ARTFS_TRY(store_window({item, 1}));
  }
  return {};
}

Result<void> FlushWriter::load(Item& item) {
  const std::uint32_t stored = item.block.stored_bytes;
  if (item.dirty->valid.covers({0, stored})) {
    item.bytes = item.dirty->at({0, stored});
  } else {
    item.completed.resize(stored);
    ARTFS_TRY(reader_.read_block(item.index, 0, item.completed));
    item.bytes = item.completed;
  }
  item.block.hash = impl_.file().hash(item.bytes);
  return {};
}

Result<void> FlushWriter::decide(std::span<Item> window, ContentFinder& finder) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, const Item*> first_of;  // by hash
  for (Item& item : window) {
    if (item.bytes.empty()) ARTFS_TRY(load(item));
    if (!impl_.index().finds_content()) {
      if (item.way == Way::undecided) item.way = Way::fresh;
      continue;
    }
    const auto [first, is_first] =
        first_of.try_emplace({item.block.hash.high, item.block.hash.low}, &item);
    if (!is_first && same_bytes(first->second->bytes, item.bytes)) {
      item.twin = first->second;
      item.way = item.twin->way == Way::postponed ? Way::postponed : Way::twin;
      continue;
    }
    Block block = item.block;
    const bool in_place = item.way == Way::in_place;
    // The second of two contents with one hash in a window keeps to itself.
    const auto outcome = ARTFS_TRY(finder.find(block, item.bytes, !in_place && is_first));
    switch (outcome) {
      case ContentFinder::Outcome::found:
        item.block = block;
        item.way = Way::shared;
        break;
      case ContentFinder::Outcome::claimed:
        item.way = Way::claimed;
        break;
      case ContentFinder::Outcome::being_written:
        if (!in_place) item.way = is_first ? Way::postponed : Way::fresh;
        break;
      case ContentFinder::Outcome::separate:
        if (!in_place) item.way = Way::fresh;
        break;
    }
  }
  return {};
}

Result<void> FlushWriter::place(std::span<Item* const> fresh) {
  std::vector<std::uint32_t> sizes;
  sizes.reserve(fresh.size());
  for (const Item* item : fresh) sizes.push_back(units_for(item->block.stored_bytes));
  const std::vector<UnitRun> places = ARTFS_TRY(state_.allocate(sizes));
  for (std::size_t i = 0; i < places.size(); ++i) fresh[i]->block.place = places[i];
  return {};
}

// Neighbours in blocks.dat go out in one write.
Result<void> FlushWriter::write_blocks(std::span<const Item* const> items) {
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin + 1;
    while (end < items.size()) {
      const Block& last = items[end - 1]->block;
      if (items[end]->block.place.first != last.place.first + units_for(last.stored_bytes)) break;
      ++end;
    }
    ARTFS_TRY(write_group(items.subspan(begin, end - begin)));
    begin = end;
  }
  return {};
}

// The gap behind a short block is filled with zeros.
Result<void> FlushWriter::write_group(std::span<const Item* const> group) {
  std::vector<std::span<const std::byte>> buffers;
  for (const Item* item : group) {
    buffers.push_back(item->bytes);
    const std::size_t tail = item->bytes.size() % unit_bytes;
    if (tail != 0 && item != group.back()) {
      buffers.push_back(std::span(zeros).first(unit_bytes - tail));
    }
  }
  const std::uint64_t ticket =
      ARTFS_TRY(impl_.file().write(group.front()->block.place.first, buffers));
  state_.write_ticket = std::max(state_.write_ticket, ticket);
  return {};
}

// The others stand where they belong.
Result<void> FlushWriter::write_dirty_units(const Item& item) {
  const UnitSet dirty = units_of(item.dirty->valid);
  for (std::uint32_t unit = 0; unit < item.block.place.count; ++unit) {
    if (!dirty[unit]) continue;
    const std::span<const std::byte> bytes = item.bytes.subspan(unit * unit_bytes);
    const std::array buffers{bytes.first(std::min<std::size_t>(bytes.size(), unit_bytes))};
    const std::uint64_t ticket =
        ARTFS_TRY(impl_.file().write(item.block.place.first + unit, buffers));
    state_.write_ticket = std::max(state_.write_ticket, ticket);
  }
  return {};
}

// The extent comes to name the block.
Result<void> FlushWriter::name(Item& item) {
  if (item.twin != nullptr) item.block.place = item.twin->block.place;
  const Block old = *ARTFS_TRY(state_.edits.get(item.index));
  if (item.way == Way::in_place) {
    state_.settle(item.block);
  } else {
    state_.lose(old);
    state_.gain(item.block);
  }
  state_.edits.set(item.index, item.block);
  return {};
}

}  // namespace artfs::data
