// SPDX-License-Identifier: Apache-2.0
#include "engine/tree_table.hpp"

#include "base/assert.hpp"

namespace artfs::engine {

TreeTable::~TreeTable() = default;

TreeState* TreeTable::find(TreeId id) const noexcept {
  if (id.raw == 0 || id.raw > size()) return nullptr;
  return trees_[id.raw - 1].get();
}

TreeState* TreeTable::find(std::string_view name) const noexcept {
  const std::size_t count = size();
  for (std::size_t index = 0; index < count; ++index) {
    if (trees_[index]->name == name) return trees_[index].get();
  }
  return nullptr;
}

std::vector<TreeState*> TreeTable::all() const {
  std::vector<TreeState*> trees;
  const std::size_t count = size();
  trees.reserve(count);
  for (std::size_t index = 0; index < count; ++index) trees.push_back(trees_[index].get());
  return trees;
}

TreeState& TreeTable::add(TreeId id, std::string_view name, FrameId root) {
  ARTFS_ASSERT(id == next_id() && !full());
  const std::size_t index = id.raw - 1;
  trees_[index] = std::make_unique<TreeState>(id, name, root);
  size_.store(index + 1, std::memory_order_release);  // pairs with the acquire of size()
  return *trees_[index];
}

}  // namespace artfs::engine
