// SPDX-License-Identifier: Apache-2.0
#include "data/flush_state.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/assert.hpp"
#include "data/file_bytes_impl.hpp"
#include "format/key.hpp"

namespace artfs::data {

Result<const Block*> RunEditor::get(std::uint64_t index) {
  const std::uint64_t first = run_of(index);
  auto found = runs_.find(first);
  if (found == runs_.end()) {
    const Run run = ARTFS_TRY(load_run(volume_, ino_, first));
    found = runs_.emplace(first, Edit{.run = run}).first;
  }
  return &found->second.run[index - first];
}

void RunEditor::set(std::uint64_t index, const Block& block) {
  const std::uint64_t first = run_of(index);
  const auto found = runs_.find(first);
  ARTFS_ASSERT(found != runs_.end());
  found->second.run[index - first] = block;
  found->second.changed = true;
}

void RunEditor::put_run(std::uint64_t first, const Run& run) {
  runs_.try_emplace(first, Edit{.run = run});
}

void RunEditor::write_to(Txn& txn) const {
  for (const auto& [first, edit] : runs_) {
    if (!edit.changed) continue;
    const std::string value = encode_run(edit.run);
    const format::Key key = format::extent_key(ino_, first);
    if (value.empty()) {
      txn.erase(volume_, key);
    } else {
      txn.put(volume_, key, value);
    }
  }
}

void FlushState::gain(const Block& block) {
  ARTFS_ASSERT(block.patches.empty());
  if (!block.has_base()) return;
  if (block.unwritten) {
    gain_units(block.place);
  } else {
    after.units += block.place.count;
    gained.push_back(stored_block(block));
  }
}

void FlushState::lose(const Block& block) {
  for (const UnitRun& place : block.patch_places()) lose_units(place);
  if (!block.has_base()) return;
  if (block.unwritten) {
    lose_units(block.place);
  } else {
    after.units -= block.place.count;
    lost.push_back(stored_block(block));
  }
}

void FlushState::gain_units(UnitRun run) {
  after.units += run.count;
  allocated.push_back(run);
}

void FlushState::lose_units(UnitRun run) {
  after.units -= run.count;
  freed.push_back(run);
}

// Where an abort or a crash left too few promises, what others were promised stays theirs.
Result<std::vector<UnitRun>> FlushState::allocate(std::span<const std::uint32_t> sizes) {
  const std::uint64_t units = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  const std::uint64_t promised = layer->reserved_units - kept_units - converted_units;
  const std::uint64_t converted = std::min(promised, units);
  const std::uint64_t missing = units - converted;
  ARTFS_TRY(owner->space().reserve(missing));
  Result<std::vector<UnitRun>> found = owner->space().allocate(sizes, converted + missing);
  if (!found) {
    owner->space().unreserve(missing);
    return found;
  }
  std::vector<UnitRun> places = *std::move(found);
  converted_units += converted;
  taken.insert(taken.end(), places.begin(), places.end());
  return places;
}

}  // namespace artfs::data
