// SPDX-License-Identifier: Apache-2.0
// The block index: what the extents name, counted anew.
#include <algorithm>

#include "base/bytes.hpp"
#include "format/content.hpp"
#include "vol/repair.hpp"

namespace artfs::vol {
namespace {

bool stands_before(const data::StoredBlock& left, const data::StoredBlock& right) {
  return left.place.first < right.place.first;
}

}  // namespace

Result<void> Repair::write_entry(const data::StoredBlock& block, std::uint64_t references) {
  const data::BlockRecord record = data::encode_block(block, references);
  return batch_.put(*blocks_, record.key_view(), record.value_view());
}

// A count is never lowered while damaged extents may explain it.
Result<void> Repair::correct_entry(const ScanEntry& entry) {
  const auto decoded = data::decode_block(entry.key, entry.value);
  if (!decoded) {
    did("block index: an entry is damaged: removed");
    return batch_.erase(*blocks_, entry.key);
  }
  const data::StoredBlock& block = decoded->block;
  const auto [first, last] = std::equal_range(named_.begin(), named_.end(), block, stands_before);
  auto named = static_cast<std::uint64_t>(std::count(first, last, block));
  if (has_damaged_extents_) named = std::max(named, decoded->references);
  if (named != decoded->references && report_.orphans == 0) {
    did("the block at unit {}: {} references were recorded, {} extents name it: corrected",
        block.place.first, decoded->references, named);
  }
  if (named == 0) return batch_.erase(*blocks_, entry.key);
  indexed_.insert(block.place.first);
  block_figures_.add(named, block.place.count);
  if (named == decoded->references) return {};
  return write_entry(block, named);
}

void Repair::correct_figure(std::size_t counter, std::uint64_t wanted) {
  const std::int64_t counted = blocks_->counter(counter);
  const auto right = static_cast<std::int64_t>(wanted);
  if (counted == right) return;
  batch_.add(*blocks_, counter, right - counted);
}

// named_ is in order since free space was made anew.
Result<void> Repair::rebuild_references() {
  if (!blocks_) return {};
  ARTFS_TRY(blocks_->for_each({}, [this](const ScanEntry& entry) { return correct_entry(entry); }));
  for (auto at = named_.begin(); at != named_.end();) {
    const auto next = std::find_if(at, named_.end(),
                                   [&](const data::StoredBlock& block) { return block != *at; });
    const auto references = static_cast<std::uint64_t>(next - at);
    if (references > 1 && at->stored_bytes != 0 && !indexed_.contains(at->place.first)) {
      did("the block at unit {}: {} extents name it, none were recorded: corrected",
          at->place.first, references);
      block_figures_.add(references, at->place.count);
      ARTFS_TRY(write_entry(*at, references));
    }
    at = next;
  }
  correct_figure(format::blocks_counter_entries, block_figures_.entries);
  correct_figure(format::blocks_counter_shared, block_figures_.shared);
  correct_figure(format::blocks_counter_saved_units, block_figures_.saved_units);
  return batch_.flush();
}

}  // namespace artfs::vol
