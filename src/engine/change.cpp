// SPDX-License-Identifier: Apache-2.0
#include "engine/change.hpp"

#include <algorithm>

#include "wal/record.hpp"

namespace artfs::engine {

namespace {

// The record's version, or zero when the key is absent.
Result<Version> version_of(const art::TreeView& tree, std::string_view key) {
  const Result<art::Found> found = art::find(tree, key);
  if (found) return found->version;
  if (found.error().code == Errc::key_not_found) return Version{};
  return fail(found.error());
}

Result<void> check_guard(const art::TreeView& tree, const wal::Op& guard) {
  if (guard.kind == wal::OpKind::assert_prefix_empty) {
    const bool empty = ARTFS_TRY(art::prefix_empty(tree, guard.key));
    if (!empty) return fail(Errc::prefix_not_empty);
    return {};
  }
  const Result<art::Found> found = art::find(tree, guard.key);
  if (!found && found.error().code != Errc::key_not_found) return fail(found.error());
  if (guard.kind == wal::OpKind::assert_absent) {
    if (found) return fail(Errc::key_exists);
    return {};
  }
  if (!found || found->version != guard.version) return fail(Errc::version_mismatch);
  return {};
}

}  // namespace

Result<void> ListChange::init(const TreeTable& table, std::string_view guards,
                              std::string_view operations) {
  guards_ = guards;
  operations_ = operations;
  ARTFS_TRY(add_trees(table, guards));
  ARTFS_TRY(add_trees(table, operations));
  std::sort(trees_.begin(), trees_.end(),
            [](const TreeState* left, const TreeState* right) { return left->id < right->id; });
  return {};
}

Result<void> ListChange::add_trees(const TreeTable& table, std::string_view list) {
  wal::OpReader reader(list);
  while (!reader.done()) {
    const wal::Op op = ARTFS_TRY(reader.next());
    TreeState* tree = table.find(op.tree);
    if (tree == nullptr) return fail(Errc::tree_not_found, op.tree.raw);
    // A transaction names one to three trees: a linear search beats any set.
    if (std::find(trees_.begin(), trees_.end(), tree) == trees_.end()) trees_.push_back(tree);
  }
  return {};
}

Result<std::string_view> ListChange::resolve(const Applier& applier) {
  wal::OpReader reader(guards_);
  while (!reader.done()) {
    const wal::Op guard = ARTFS_TRY(reader.next());
    const auto place = std::find_if(trees_.begin(), trees_.end(),
                                    [&](const TreeState* tree) { return tree->id == guard.tree; });
    ARTFS_TRY(check_guard(applier.view(**place), guard));
  }
  return operations_;
}

Result<std::string_view> KeyChange::resolve(const Applier& applier) {
  if (target_.guard == Guard::none) return operations_;
  const Result<art::Found> found = art::find(applier.view(*target_.tree), target_.key);
  if (!found && found.error().code != Errc::key_not_found) return fail(found.error());
  if (target_.guard == Guard::absent) {
    if (found) return fail(Errc::key_exists);
  } else if (target_.guard == Guard::present) {
    if (!found) return fail(Errc::key_not_found);
  } else if (!found || found->version != target_.version) {
    return fail(Errc::version_mismatch);
  }
  return operations_;
}

std::size_t RenameChange::operations_bytes_max() const noexcept {
  constexpr std::size_t op_overhead_bytes_max = 32;
  return 2 * (keys_.from.size() + keys_.to.size() + value_bytes_max + op_overhead_bytes_max);
}

Result<std::string_view> RenameChange::resolve(const Applier& applier) {
  const art::TreeView view = applier.view(*tree_);
  operations_.clear();
  const art::Found from = ARTFS_TRY(art::find(view, keys_.from));
  const wal::Op put_to{
      .kind = wal::OpKind::put, .tree = tree_->id, .key = keys_.to, .value = from.value};
  if (mode_ == RenameMode::exchange) {
    const art::Found to = ARTFS_TRY(art::find(view, keys_.to));
    wal::append_op(operations_, put_to);
    wal::append_op(
        operations_,
        {.kind = wal::OpKind::put, .tree = tree_->id, .key = keys_.from, .value = to.value});
    return operations_;
  }
  if (mode_ == RenameMode::no_replace) {
    const Version present = ARTFS_TRY(version_of(view, keys_.to));
    if (present.raw != 0) return fail(Errc::key_exists);
  }
  wal::append_op(operations_, put_to);
  wal::append_op(operations_, {.kind = wal::OpKind::erase, .tree = tree_->id, .key = keys_.from});
  return operations_;
}

}  // namespace artfs::engine
