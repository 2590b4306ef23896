// SPDX-License-Identifier: Apache-2.0
#include "data/block_index.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "format/content.hpp"

namespace artfs::data {

namespace {

using BlockKey = std::array<char, format::block_key_bytes>;

BlockKey key_of(const base::Hash128& hash, std::uint64_t first_unit = 0) noexcept {
  BlockKey key;
  base::store_be64(key.data(), hash.high);
  base::store_be64(key.data() + 8, hash.low);
  base::store_be64(key.data() + format::block_key_hash_bytes, first_unit);
  return key;
}

std::string_view view_of(const BlockKey& key) noexcept {
  return {key.data(), key.size()};
}

// How an entry with this many references counts.
BlockFigures weight(std::uint64_t references, std::uint64_t units) noexcept {
  BlockFigures figures;
  figures.add(references, units);
  return figures;
}

}  // namespace

BlockRecord encode_block(const StoredBlock& block, std::uint64_t references) {
  BlockRecord record{.key = key_of(block.hash, block.place.first), .value = {}};
  record.value.references = references;
  record.value.stored_bytes = block.stored_bytes;
  record.value.units = static_cast<std::uint16_t>(block.place.count);
  ARTFS_ASSERT(format::check_block_entry(record.value));
  return record;
}

Result<CountedBlock> decode_block(std::string_view key, std::string_view value) {
  if (key.size() != format::block_key_bytes) return fail(Errc::record_corrupt);
  const std::uint64_t first = base::load_be64(key.data() + format::block_key_hash_bytes);
  if (value.size() != sizeof(format::BlockEntry)) return fail(Errc::record_corrupt, first);
  const auto entry = base::copy_object<format::BlockEntry>(base::as_bytes(value));
  if (!format::check_block_entry(entry)) return fail(Errc::record_corrupt, first);
  return CountedBlock{.block = {.hash = {.low = base::load_be64(key.data() + 8),
                                         .high = base::load_be64(key.data())},
                                .place = {.first = first, .count = entry.units},
                                .stored_bytes = entry.stored_bytes},
                      .references = entry.references};
}

Result<std::vector<StoredBlock>> BlockIndex::find(const base::Hash128& hash) const {
  std::vector<StoredBlock> found;
  const BlockKey key = key_of(hash);
  const std::string_view prefix = view_of(key).substr(0, format::block_key_hash_bytes);
  // Most content is new: one descent, nothing allocated.
  if (!tree_ || ARTFS_TRY(tree_->prefix_empty(prefix))) return found;
  Scan scan = tree_->scan({.prefix = prefix});
  while (ARTFS_TRY(scan.next())) {
    const CountedBlock entry = ARTFS_TRY(decode_block(scan.entry().key, scan.entry().value));
    found.push_back(entry.block);
  }
  return found;
}

Result<bool> BlockIndex::contains(const StoredBlock& block) const {
  if (!tree_) return false;
  return tree_->contains(view_of(key_of(block.hash, block.place.first)));
}

Result<BlockIndex::Count> BlockIndex::count(const StoredBlock& block) const {
  if (!tree_) return Count{.references = 1};
  const BlockKey key = key_of(block.hash, block.place.first);
  const Result<Record> record = tree_->get(view_of(key));
  if (!record) {
    if (record.error().code == Errc::key_not_found) return Count{.references = 1};
    return fail(record.error());
  }
  const CountedBlock entry = ARTFS_TRY(decode_block(view_of(key), record->value));
  if (entry.block != block) return fail(Errc::record_corrupt, block.place.first);
  return Count{.references = entry.references, .has_entry = true};
}

void BlockIndex::write(Txn& txn, const StoredBlock& block, const Count& before,
                       std::uint64_t references, Delta& delta) const {
  ARTFS_ASSERT(tree_);
  const bool keep = references > (keep_all_ ? 0U : 1U);
  if (keep) {
    const BlockRecord record = encode_block(block, references);
    txn.put(*tree_, record.key_view(), record.value_view());
  } else if (before.has_entry) {
    txn.erase(*tree_, view_of(key_of(block.hash, block.place.first)));
  }
  const BlockFigures old =
      before.has_entry ? weight(before.references, block.place.count) : BlockFigures{};
  const BlockFigures now = keep ? weight(references, block.place.count) : BlockFigures{};
  delta.entries += now.entries - old.entries;
  delta.shared += now.shared - old.shared;
  delta.saved_units += now.saved_units - old.saved_units;
}

void BlockIndex::write_figures(Txn& txn, const Delta& delta) const {
  const auto add = [&](std::size_t counter, std::uint64_t change) {
    if (change != 0) txn.add(*tree_, counter, static_cast<std::int64_t>(change));
  };
  add(format::blocks_counter_entries, delta.entries);
  add(format::blocks_counter_shared, delta.shared);
  add(format::blocks_counter_saved_units, delta.saved_units);
}

BlockFigures BlockIndex::figures() const {
  if (!tree_) return {};
  const auto counter = [this](std::size_t index) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, tree_->counter(index)));
  };
  return {.entries = counter(format::blocks_counter_entries),
          .shared = counter(format::blocks_counter_shared),
          .saved_units = counter(format::blocks_counter_saved_units)};
}

Result<void> BlockIndex::for_each(
    const std::function<void(const StoredBlock&, std::uint64_t references)>& visit) const {
  if (!tree_) return {};
  Scan scan = tree_->scan({});
  while (ARTFS_TRY(scan.next())) {
    const CountedBlock entry = ARTFS_TRY(decode_block(scan.entry().key, scan.entry().value));
    visit(entry.block, entry.references);
  }
  return {};
}

}  // namespace artfs::data
