// SPDX-License-Identifier: Apache-2.0
#include "data/patch_writer.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::data {

namespace {

constexpr std::size_t window_units_max = 1024;  // 4 MiB
constexpr auto unit_size = static_cast<std::uint32_t>(unit_bytes);

}  // namespace

void PatchWriter::add(std::uint64_t index, const DirtyBlock& dirty, const BlockChange& change) {
  for (std::uint32_t unit = 0; unit < change.block_units; ++unit) {
    if (!change.dirty[unit]) continue;
    Item& item = items_.emplace_back();
    item.index = index;
    item.dirty = &dirty;
    item.patch.unit = unit;
    item.patch.valid_bytes = std::min(unit_size, change.stored_bytes - unit * unit_size);
    item.in_place = goes_in_place(change.old, unit);
    if (item.in_place) item.patch.place = change.old.place.first + unit;
  }
}

Result<void> PatchWriter::run() {
  const std::span<Item> items(items_);
  for (std::size_t begin = 0; begin < items.size(); begin += window_units_max) {
    const std::size_t count = std::min(window_units_max, items.size() - begin);
    ARTFS_TRY(store_window(items.subspan(begin, count)));
    for (Item& item : items.subspan(begin, count)) item.completed = {};
  }
  return {};
}

Result<void> PatchWriter::store_window(std::span<Item> window) {
  for (Item& item : window) ARTFS_TRY(load(item));
  ARTFS_TRY(place(window));
  ARTFS_TRY(write(window));
  for (const Item& item : window) ARTFS_TRY(name(item));
  return {};
}

Result<void> PatchWriter::load(Item& item) {
  const std::uint32_t begin = item.patch.unit * unit_size;
  const ByteSpan whole{begin, begin + unit_size};
  if (item.dirty->valid.covers(whole)) {
    item.bytes = item.dirty->at(whole);
  } else {
    item.completed.resize(unit_bytes);
    ARTFS_TRY(reader_.read_block(item.index, begin, item.completed));
    item.bytes = item.completed;
  }
  item.patch.checksum = impl_.file().checksum(item.bytes);
  return {};
}

Result<void> PatchWriter::place(std::span<Item> window) {
  const auto fresh =
      std::count_if(window.begin(), window.end(), [](const Item& item) { return !item.in_place; });
  const std::vector<std::uint32_t> sizes(static_cast<std::size_t>(fresh), 1);
  const std::vector<UnitRun> places = ARTFS_TRY(state_.allocate(sizes));
  std::size_t given = 0;
  for (Item& item : window) {
    if (!item.in_place) item.patch.place = places[given++].first;
  }
  return {};
}

// Neighbours in blocks.dat go out in one write.
Result<void> PatchWriter::write(std::span<const Item> window) {
  std::vector<const Item*> items;
  items.reserve(window.size());
  for (const Item& item : window) items.push_back(&item);
  std::sort(items.begin(), items.end(), [](const Item* left, const Item* right) {
    return left->patch.place < right->patch.place;
  });
  std::vector<std::span<const std::byte>> buffers;
  for (std::size_t begin = 0; begin < items.size(); begin += buffers.size()) {
    buffers.clear();
    const std::uint64_t first = items[begin]->patch.place;
    for (std::size_t i = begin; i < items.size(); ++i) {
      if (items[i]->patch.place != first + buffers.size()) break;
      buffers.push_back(items[i]->bytes);
    }
    const std::uint64_t ticket = ARTFS_TRY(impl_.file().write(first, buffers));
    state_.write_ticket = std::max(state_.write_ticket, ticket);
  }
  return {};
}

// The extent comes to name the patch. A unit in place is the base's already.
Result<void> PatchWriter::name(const Item& item) {
  Block block = *ARTFS_TRY(state_.edits.get(item.index));
  auto at = block.patches.begin();
  while (at != block.patches.end() && at->unit < item.patch.unit) ++at;
  if (at != block.patches.end() && at->unit == item.patch.unit) {
    ARTFS_ASSERT(!item.in_place);
    if (!block.is_in_place(*at)) state_.lose_units({.first = at->place, .count = 1});
    *at = item.patch;
  } else {
    block.patches.insert(at, item.patch);
  }
  if (!item.in_place) state_.gain_units({.first = item.patch.place, .count = 1});
  state_.edits.set(item.index, block);
  return {};
}

}  // namespace artfs::data
