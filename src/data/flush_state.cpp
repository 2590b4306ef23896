// SPDX-License-Identifier: Apache-2.0
#include "data/flush_state.hpp"

#include <string>

#include "base/assert.hpp"
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
  if (block.is_hole()) return;
  after.units += block.place.count;
  if (block.unwritten) {
    allocated.push_back(block.place);
  } else {
    gained.push_back(stored_block(block));
  }
}

void FlushState::lose(const Block& block) {
  if (block.is_hole()) return;
  after.units -= block.place.count;
  if (block.unwritten) {
    freed.push_back(block.place);
  } else {
    lost.push_back(stored_block(block));
  }
}

}  // namespace artfs::data
