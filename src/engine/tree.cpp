// SPDX-License-Identifier: Apache-2.0
// Tree: each call one change or one read of the store.
#include "engine/change.hpp"
#include "engine/store_impl.hpp"
#include "wal/record.hpp"

namespace artfs {

namespace {

using engine::Guard;
using engine::KeyChange;

struct KeyValue {
  std::string_view key;
  std::string_view value;
};

// The encoded operation of the call in progress; a thread has one at a time.
std::string& scratch() {
  thread_local std::string operations;
  operations.clear();
  return operations;
}

struct Condition {
  Guard guard = Guard::none;
  Version version{};
};

Result<Version> put_guarded(engine::StoreImpl* store, TreeId id, KeyValue record,
                            Condition condition) {
  if (record.key.size() > key_bytes_max) return fail(Errc::key_too_long, record.key.size());
  if (record.value.size() > value_bytes_max) {
    return fail(Errc::value_too_large, record.value.size());
  }
  engine::TreeState* tree = store == nullptr ? nullptr : store->find_tree(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  std::string& operations = scratch();
  wal::append_op(operations,
                 {.kind = wal::OpKind::put, .tree = id, .key = record.key, .value = record.value});
  KeyChange change({.tree = tree,
                    .key = record.key,
                    .guard = condition.guard,
                    .version = condition.version,
                    .is_erase = false},
                   operations);
  return store->execute(change);
}

}  // namespace

Result<Record> Tree::get(std::string_view key) const {
  Record record;
  record.version = ARTFS_TRY(get_into(key, record.value));
  return record;
}

Result<Version> Tree::get_into(std::string_view key, std::string& value) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return store_->get_into(id_, key, value);
}

Result<bool> Tree::contains(std::string_view key) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return store_->contains(id_, key);
}

Result<Version> Tree::put(std::string_view key, std::string_view value) const {
  return put_guarded(store_, id_, {key, value}, {});
}

Result<Version> Tree::put_if_absent(std::string_view key, std::string_view value) const {
  return put_guarded(store_, id_, {key, value}, {.guard = Guard::absent, .version = {}});
}

Result<Version> Tree::compare_and_put(std::string_view key, Version expected,
                                      std::string_view value) const {
  return put_guarded(store_, id_, {key, value}, {.guard = Guard::version, .version = expected});
}

Result<Version> Tree::erase(std::string_view key) const {
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
  engine::TreeState* tree = store_ == nullptr ? nullptr : store_->find_tree(id_);
  if (tree == nullptr) return fail(Errc::tree_not_found, id_.raw);
  std::string& operations = scratch();
  wal::append_op(operations, {.kind = wal::OpKind::erase, .tree = id_, .key = key});
  KeyChange change(
      {.tree = tree, .key = key, .guard = Guard::present, .version = {}, .is_erase = true},
      operations);
  return store_->execute(change);
}

Result<Version> Tree::rename(std::string_view from, std::string_view to, RenameMode mode) const {
  if (from.size() > key_bytes_max) return fail(Errc::key_too_long, from.size());
  if (to.size() > key_bytes_max) return fail(Errc::key_too_long, to.size());
  engine::TreeState* tree = store_ == nullptr ? nullptr : store_->find_tree(id_);
  if (tree == nullptr) return fail(Errc::tree_not_found, id_.raw);
  if (store_->is_read_only()) return fail(Errc::store_read_only);
  if (from == to) {
    std::string value;
    return get_into(from, value);
  }
  engine::RenameChange change(*tree, {.from = from, .to = to}, mode);
  return store_->execute(change);
}

Result<Version> Tree::rename_prefix(std::string_view from, std::string_view to) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return store_->rename_prefix(id_, from, to);
}

Result<bool> Tree::prefix_empty(std::string_view prefix) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return store_->prefix_empty(id_, prefix);
}

Result<std::string> Tree::longest_prefix(std::string_view key) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return store_->longest_prefix(id_, key);
}

std::int64_t Tree::counter(std::size_t index) const {
  const engine::TreeState* tree = store_ == nullptr ? nullptr : store_->find_tree(id_);
  if (tree == nullptr || index >= tree_counters_max) return 0;
  return tree->counters[index].load(std::memory_order_relaxed);
}

}  // namespace artfs
