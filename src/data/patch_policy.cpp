// SPDX-License-Identifier: Apache-2.0
#include "data/patch_policy.hpp"

#include <algorithm>

#include "data/contents.hpp"

namespace artfs::data {

namespace {

std::uint32_t units_for(std::uint64_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + unit_bytes - 1) / unit_bytes);
}

UnitSet first_units(std::uint32_t count) noexcept {
  return count == 0 ? UnitSet{} : ~UnitSet{} >> (block_units_max - count);
}

UnitSet patched_units(const Block& block) noexcept {
  UnitSet units;
  for (const Patch& patch : block.patches) units.set(patch.unit);
  return units;
}

// Patches afterwards that hide a unit of the base.
std::uint32_t displaced_count(const BlockChange& change) noexcept {
  const Block& old = change.old;
  std::uint32_t count = 0;
  for (std::uint32_t unit = 0; unit < old.place.count; ++unit) {
    const Patch* const patch = old.patch_of(unit);
    const bool is_fresh = change.dirty[unit] && !goes_in_place(old, unit);
    const bool is_kept = !change.dirty[unit] && patch != nullptr && !old.is_in_place(*patch);
    if (is_fresh || is_kept) ++count;
  }
  return count;
}

bool all_in_place(const Block& block) noexcept {
  return std::all_of(block.patches.begin(), block.patches.end(),
                     [&block](const Patch& patch) { return block.is_in_place(patch); });
}

std::uint32_t displaced_max(const Block& block) noexcept {
  return std::min(patches_displaced_max, static_cast<std::uint32_t>(block.place.count / 2));
}

// Without a promise for the whole block the change was accepted because it goes in place.
BlockWay choose_over_unwritten(const BlockChange& change) noexcept {
  const Block& old = change.old;
  const auto base_units = static_cast<std::uint32_t>(old.place.count);
  const std::uint32_t stored_units = units_for(change.stored_bytes);
  const bool is_fresh = old.patches.empty() && stored_units <= base_units;
  // Not every unit of a large block may be a patch; what did not change becomes zeros.
  if (is_fresh && change.block_units > format::patches_per_block_max) return BlockWay::whole;
  const UnitSet after = patched_units(old) | change.dirty;
  const bool is_full = after == first_units(base_units) && stored_units == base_units &&
                       base_units == change.block_units;
  const std::uint32_t displaced = displaced_count(change);
  if (is_full && displaced == 0 && all_in_place(old)) {
    if (old.patches.empty()) return BlockWay::whole;
    if (change.stored_bytes == base_units * unit_bytes) return BlockWay::settle;
  }
  const bool is_promised = is_fresh || change.promised_units >= stored_units;
  const bool fits = after.count() <= format::patches_per_block_max;
  return !is_promised || (fits && displaced <= displaced_max(old)) ? BlockWay::patch
                                                                   : BlockWay::whole;
}

}  // namespace

UnitSet units_of(const ByteSpans& spans) noexcept {
  UnitSet units;
  for (const ByteSpan& span : spans.all()) {
    for (std::uint32_t unit = span.begin / unit_bytes; unit < units_for(span.end); ++unit) {
      units.set(unit);
    }
  }
  return units;
}

bool goes_in_place(const Block& old, std::uint32_t unit) noexcept {
  return old.unwritten && unit < old.place.count && old.patch_of(unit) == nullptr;
}

BlockWay choose_way(const BlockChange& change) noexcept {
  const Block& old = change.old;
  if (change.block_units == 1) return BlockWay::whole;
  if (old.unwritten) return choose_over_unwritten(change);
  const std::uint32_t stored_units = units_for(change.stored_bytes);
  if (change.dirty.count() * patched_share > stored_units) return BlockWay::whole;
  const UnitSet patched = patched_units(old);
  const UnitSet after = patched | change.dirty;
  if (after.count() > format::patches_per_block_max) return BlockWay::whole;
  const UnitSet base = first_units(units_for(old.valid_bytes));
  // The change fills the block, as appending does: from now on it is whole.
  const UnitSet all = first_units(change.block_units);
  const std::uint64_t block_bytes = change.block_units * unit_bytes;
  const bool was_full = (base | patched) == all && old.end_bytes() == block_bytes;
  if (!was_full && (base | after) == all && change.stored_bytes == block_bytes) {
    return BlockWay::whole;
  }
  return displaced_count(change) <= displaced_max(old) ? BlockWay::patch : BlockWay::whole;
}

}  // namespace artfs::data
