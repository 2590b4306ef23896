// SPDX-License-Identifier: Apache-2.0
// The payload of a transaction record: a list of operations, encoded once by Txn and read by replay.
//
// Contract:   the encoder appends to a string; the reader yields views into the payload. Encoded form
//             of one operation: kind u8, tree le32, then by kind (lengths before bytes,
//             little-endian): put {key le16, value le32, key, value}; erase {key le16, key}; add
//             {index u8, delta le64}; create_tree {name le16, name}; move_prefix {from le16, to le16, from, to}. Guards use the same frame:
//             assert_absent {key}, assert_version {version le64, key}, assert_prefix_empty {key};
//             they are never logged.
// Errors:     log_corrupt when a payload does not parse to its last byte, holds an unknown kind, a length
//             over the limits of keys, values and names, or a counter that does not exist.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

namespace artfs::wal {

enum class OpKind : std::uint8_t {
  put = 1,
  erase = 2,
  add = 3,
  create_tree = 4,
  move_prefix = 5,  // of every key that begins with `key`: it begins with `value` from then on
  assert_absent = 16,
  assert_version = 17,
  assert_prefix_empty = 18,
};

struct Op {
  OpKind kind = OpKind::put;
  TreeId tree{};
  std::string_view key{};    // name for create_tree, prefix for assert_prefix_empty
  std::string_view value{};  // put, move_prefix
  Lsn version{};             // assert_version
  std::uint8_t index = 0;    // add
  std::int64_t delta = 0;    // add
};

void append_op(std::string& out, const Op& op);
[[nodiscard]] std::size_t encoded_bytes(const Op& op) noexcept;

class OpReader {
 public:
  explicit OpReader(std::string_view payload) noexcept : rest_(payload) {}

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

  [[nodiscard]] Result<Op> next();

 private:
  std::string_view rest_;
};

}  // namespace artfs::wal
