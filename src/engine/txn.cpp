// SPDX-License-Identifier: Apache-2.0
#include "artfs/store.hpp"

#include "wal/log.hpp"
#include "wal/record.hpp"

namespace artfs {

namespace {

void note(std::optional<Error>& invalid, Errc code, std::size_t detail) {
  if (!invalid) invalid = Error{code, detail};
}

}  // namespace

Txn& Txn::assert_absent(Tree tree, std::string_view key) {
  if (key.size() > key_bytes_max) {
    note(invalid_, Errc::key_too_long, key.size());
    return *this;
  }
  wal::append_op(guards_, {.kind = wal::OpKind::assert_absent, .tree = tree.id(), .key = key});
  return *this;
}

Txn& Txn::assert_version(Tree tree, std::string_view key, Version version) {
  if (key.size() > key_bytes_max) {
    note(invalid_, Errc::key_too_long, key.size());
    return *this;
  }
  wal::append_op(
      guards_,
      {.kind = wal::OpKind::assert_version, .tree = tree.id(), .key = key, .version = version});
  return *this;
}

Txn& Txn::assert_prefix_empty(Tree tree, std::string_view prefix) {
  if (prefix.size() > key_bytes_max) {
    note(invalid_, Errc::key_too_long, prefix.size());
    return *this;
  }
  wal::append_op(guards_,
                 {.kind = wal::OpKind::assert_prefix_empty, .tree = tree.id(), .key = prefix});
  return *this;
}

Txn& Txn::put(Tree tree, std::string_view key, std::string_view value) {
  if (key.size() > key_bytes_max) {
    note(invalid_, Errc::key_too_long, key.size());
  } else if (value.size() > value_bytes_max) {
    note(invalid_, Errc::value_too_large, value.size());
  } else if (!invalid_) {
    wal::append_op(operations_,
                   {.kind = wal::OpKind::put, .tree = tree.id(), .key = key, .value = value});
    if (operations_.size() > wal::payload_bytes_max) {
      note(invalid_, Errc::transaction_too_large, operations_.size());
    }
  }
  return *this;
}

Txn& Txn::erase(Tree tree, std::string_view key) {
  if (key.size() > key_bytes_max) {
    note(invalid_, Errc::key_too_long, key.size());
  } else if (!invalid_) {
    wal::append_op(operations_, {.kind = wal::OpKind::erase, .tree = tree.id(), .key = key});
    if (operations_.size() > wal::payload_bytes_max) {
      note(invalid_, Errc::transaction_too_large, operations_.size());
    }
  }
  return *this;
}

Txn& Txn::add(Tree tree, std::size_t counter_index, std::int64_t delta) {
  if (counter_index >= tree_counters_max) {
    note(invalid_, Errc::invalid_argument, counter_index);
  } else if (!invalid_) {
    wal::append_op(operations_, {.kind = wal::OpKind::add,
                                 .tree = tree.id(),
                                 .index = static_cast<std::uint8_t>(counter_index),
                                 .delta = delta});
  }
  return *this;
}

void Txn::clear() noexcept {
  operations_.clear();
  guards_.clear();
  invalid_.reset();
  takes_reserve_ = false;
}

}  // namespace artfs
