// SPDX-License-Identifier: Apache-2.0
#include "engine/applier.hpp"

#include "base/assert.hpp"
#include "wal/record.hpp"

namespace artfs::engine {

Result<void> Applier::plan(std::string_view operations, Plan& plan) const {
  wal::OpReader reader(operations);
  while (!reader.done()) {
    const wal::Op op = ARTFS_TRY(reader.next());
    if (op.kind == wal::OpKind::create_tree) {
      if (trees_.full() || op.tree != trees_.next_id()) return fail(Errc::log_corrupt, op.tree.raw);
      ++plan.trees_created;
      continue;
    }
    const TreeState* tree = trees_.find(op.tree);
    if (tree == nullptr) return fail(Errc::tree_not_found, op.tree.raw);
    if (tree->is_loading.load(std::memory_order_relaxed)) {
      plan.must_wait = true;
      return fail(Errc::contended);
    }
    if (op.kind == wal::OpKind::put) {
      ARTFS_TRY(plan.writes.add_put(view(*tree), op.key, op.value.size()));
    } else if (op.kind == wal::OpKind::erase) {
      ARTFS_TRY(plan.writes.add_erase(view(*tree), op.key));
    } else if (op.kind == wal::OpKind::move_prefix) {
      ARTFS_TRY(plan.writes.add_move(view(*tree), op.key, op.value));
    } else if (op.kind != wal::OpKind::add || op.index >= tree_counters_max) {
      return fail(Errc::log_corrupt, static_cast<std::uint64_t>(op.kind));
    }
  }
  return {};
}

void Applier::apply(std::string_view operations, Lsn version, Plan& plan,
                    frame::FrameReserve& reserve) const {
  wal::OpReader reader(operations);
  while (!reader.done()) {
    const Result<wal::Op> op = reader.next();
    ARTFS_ASSERT(op.has_value());  // plan() read the same bytes
    if (op->kind == wal::OpKind::create_tree) {
      const frame::Pin root = cache_.create(reserve);
      art::format_root(root);
      trees_.add(op->tree, op->key, root.id());
      continue;
    }
    TreeState* tree = trees_.find(op->tree);
    ARTFS_ASSERT(tree != nullptr);
    if (op->kind == wal::OpKind::put) {
      tree->note_key(op->key.size());
      plan.writes.put(op->value, version, reserve);
    } else if (op->kind == wal::OpKind::erase) {
      (void)plan.writes.erase(version);
    } else if (op->kind == wal::OpKind::move_prefix) {
      tree->note_move(op->key.size(), op->value.size());
      plan.writes.move({.tree = view(*tree), .from = op->key, .to = op->value}, version, reserve);
    } else {
      // Relaxed: a checkpoint reads them with the commit gate exclusive, others each by itself.
      tree->counters[op->index].fetch_add(op->delta, std::memory_order_relaxed);
    }
  }
}

}  // namespace artfs::engine
