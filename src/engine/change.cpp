// SPDX-License-Identifier: Apache-2.0
#include "engine/change.hpp"

#include <algorithm>

#include "wal/record.hpp"

namespace artfs::engine {

namespace {

Result<void> check_guard(const art::TreeView& tree, const wal::Op& guard, art::WritePlan& plan) {
  if (guard.kind == wal::OpKind::assert_prefix_empty) {
    const bool empty = ARTFS_TRY(plan.read_prefix_empty(tree, guard.key));
    if (!empty) return fail(Errc::prefix_not_empty);
    return {};
  }
  const Version version = ARTFS_TRY(plan.read(tree, guard.key, nullptr));
  if (guard.kind == wal::OpKind::assert_absent) {
    if (version.raw != 0) return fail(Errc::key_exists);
    return {};
  }
  if (version.raw == 0 || version != guard.version) return fail(Errc::version_mismatch);
  return {};
}

}  // namespace

Result<void> ListChange::init(const TreeTable& table, std::string_view guards,
                              std::string_view operations) {
  guards_ = guards;
  operations_ = operations;
  ARTFS_TRY(add_trees(table, guards));
  ARTFS_TRY(add_trees(table, operations));
  return {};
}

Result<void> ListChange::add_trees(const TreeTable& table, std::string_view list) {
  wal::OpReader reader(list);
  while (!reader.done()) {
    const wal::Op op = ARTFS_TRY(reader.next());
    takes_reserve_ = takes_reserve_ || op.kind == wal::OpKind::erase;
    TreeState* tree = table.find(op.tree);
    if (tree == nullptr) return fail(Errc::tree_not_found, op.tree.raw);
    // A transaction names one to three trees: a linear search beats any set.
    if (std::find(trees_.begin(), trees_.end(), tree) == trees_.end()) trees_.push_back(tree);
  }
  return {};
}

Result<std::string_view> ListChange::resolve(const Applier& applier, art::WritePlan& plan) {
  wal::OpReader reader(guards_);
  while (!reader.done()) {
    const wal::Op guard = ARTFS_TRY(reader.next());
    const auto place = std::find_if(trees_.begin(), trees_.end(),
                                    [&](const TreeState* tree) { return tree->id == guard.tree; });
    ARTFS_TRY(check_guard(applier.view(**place), guard, plan));
  }
  return operations_;
}

Result<std::string_view> KeyChange::resolve(const Applier& applier, art::WritePlan& plan) {
  if (target_.guard == Guard::none) return operations_;
  const Version version = ARTFS_TRY(plan.read(applier.view(*target_.tree), target_.key, nullptr));
  const bool is_found = version.raw != 0;
  if (target_.guard == Guard::absent) {
    if (is_found) return fail(Errc::key_exists);
  } else if (target_.guard == Guard::present) {
    if (!is_found) return fail(Errc::key_not_found);
  } else if (!is_found || version != target_.version) {
    return fail(Errc::version_mismatch);
  }
  return operations_;
}

std::size_t RenameChange::operations_bytes_max() const noexcept {
  constexpr std::size_t op_overhead_bytes_max = 32;
  return 2 * (keys_.from.size() + keys_.to.size() + value_bytes_max + op_overhead_bytes_max);
}

Result<std::string_view> RenameChange::resolve(const Applier& applier, art::WritePlan& plan) {
  const art::TreeView view = applier.view(*tree_);
  operations_.clear();
  const Version from = ARTFS_TRY(plan.read(view, keys_.from, &from_value_));
  if (from.raw == 0) return fail(Errc::key_not_found);
  const bool is_exchange = mode_ == RenameMode::exchange;
  if (mode_ != RenameMode::replace) {
    const Version to = ARTFS_TRY(plan.read(view, keys_.to, is_exchange ? &to_value_ : nullptr));
    if (is_exchange && to.raw == 0) return fail(Errc::key_not_found);
    if (!is_exchange && to.raw != 0) return fail(Errc::key_exists);
  }
  wal::append_op(
      operations_,
      {.kind = wal::OpKind::put, .tree = tree_->id, .key = keys_.to, .value = from_value_});
  if (is_exchange) {
    wal::append_op(
        operations_,
        {.kind = wal::OpKind::put, .tree = tree_->id, .key = keys_.from, .value = to_value_});
  } else {
    wal::append_op(operations_, {.kind = wal::OpKind::erase, .tree = tree_->id, .key = keys_.from});
  }
  return operations_;
}

}  // namespace artfs::engine
