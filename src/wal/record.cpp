// SPDX-License-Identifier: Apache-2.0
#include "wal/record.hpp"

#include <type_traits>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "format/log.hpp"
#include "format/manifest.hpp"

namespace artfs::wal {
namespace {

template <typename Head>
void append_object(std::string& out, const Head& head) {
  out.append(base::as_chars(base::object_bytes(head)));
}

// Takes fixed-size heads and byte strings off the front; remembers that something was missing.
class Taker {
 public:
  explicit Taker(std::string_view& rest) noexcept : rest_(&rest) {}

  template <typename Head>
  [[nodiscard]] Head head() noexcept {
    if (rest_->size() < sizeof(Head)) {
      failed_ = true;
      return Head{};
    }
    const Head head = base::copy_object<Head>(base::as_bytes(*rest_));
    rest_->remove_prefix(sizeof(Head));
    return head;
  }

  [[nodiscard]] std::string_view bytes(std::size_t count, std::size_t limit) noexcept {
    if (count > limit || rest_->size() < count) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_->substr(0, count);
    rest_->remove_prefix(count);
    return taken;
  }

  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  std::string_view* rest_;
  bool failed_ = false;
};

[[nodiscard]] constexpr bool is_op_kind(std::uint8_t kind) noexcept {
  switch (OpKind{kind}) {
    case OpKind::put:
    case OpKind::erase:
    case OpKind::add:
    case OpKind::create_tree:
    case OpKind::move_prefix:
    case OpKind::assert_absent:
    case OpKind::assert_version:
    case OpKind::assert_prefix_empty:
      return true;
  }
  return false;
}

void take_body(Taker& taker, Op& op) {
  switch (op.kind) {
    case OpKind::put: {
      const auto head = taker.head<format::LogPutHead>();
      op.key = taker.bytes(head.key_bytes, key_bytes_max);
      op.value = taker.bytes(head.value_bytes, value_bytes_max);
      return;
    }
    case OpKind::move_prefix: {
      const auto head = taker.head<format::LogMoveHead>();
      op.key = taker.bytes(head.from_bytes, key_bytes_max);
      op.value = taker.bytes(head.to_bytes, key_bytes_max);
      return;
    }
    case OpKind::erase:
    case OpKind::assert_absent:
    case OpKind::assert_prefix_empty:
      op.key = taker.bytes(taker.head<format::LogKeyHead>().key_bytes, key_bytes_max);
      return;
    case OpKind::create_tree:
      op.key = taker.bytes(taker.head<format::LogKeyHead>().key_bytes, format::tree_name_bytes_max);
      return;
    case OpKind::assert_version: {
      const auto head = taker.head<format::LogVersionHead>();
      op.version = Lsn{head.version};
      op.key = taker.bytes(head.key_bytes, key_bytes_max);
      return;
    }
    case OpKind::add: {
      const auto body = taker.head<format::LogAddBody>();
      op.index = body.index;
      op.delta = static_cast<std::int64_t>(body.delta.value());
      // An index that no tree has is treated like a missing byte.
      if (op.index >= format::manifest_tree_counters) (void)taker.bytes(1, 0);
      return;
    }
  }
}

}  // namespace

void append_op(std::string& out, const Op& op) {
  ARTFS_ASSERT(op.key.size() <= key_bytes_max && op.value.size() <= value_bytes_max);
  append_object(out, format::LogOpHead{static_cast<std::uint8_t>(op.kind), op.tree.raw});
  const auto key_bytes = static_cast<std::uint16_t>(op.key.size());
  switch (op.kind) {
    case OpKind::put:
      append_object(out,
                    format::LogPutHead{key_bytes, static_cast<std::uint32_t>(op.value.size())});
      out.append(op.key);
      out.append(op.value);
      return;
    case OpKind::move_prefix:
      ARTFS_ASSERT(op.value.size() <= key_bytes_max);
      append_object(out,
                    format::LogMoveHead{key_bytes, static_cast<std::uint16_t>(op.value.size())});
      out.append(op.key);
      out.append(op.value);
      return;
    case OpKind::create_tree:
      ARTFS_ASSERT(op.key.size() <= format::tree_name_bytes_max);
      [[fallthrough]];
    case OpKind::erase:
    case OpKind::assert_absent:
    case OpKind::assert_prefix_empty:
      append_object(out, format::LogKeyHead{key_bytes});
      out.append(op.key);
      return;
    case OpKind::assert_version:
      append_object(out, format::LogVersionHead{op.version.raw, key_bytes});
      out.append(op.key);
      return;
    case OpKind::add:
      ARTFS_ASSERT(op.index < format::manifest_tree_counters);
      append_object(out, format::LogAddBody{op.index, static_cast<std::uint64_t>(op.delta)});
      return;
  }
}

std::size_t encoded_bytes(const Op& op) noexcept {
  switch (op.kind) {
    case OpKind::put:
      return sizeof(format::LogOpHead) + sizeof(format::LogPutHead) + op.key.size() +
             op.value.size();
    case OpKind::move_prefix:
      return sizeof(format::LogOpHead) + sizeof(format::LogMoveHead) + op.key.size() +
             op.value.size();
    case OpKind::erase:
    case OpKind::create_tree:
    case OpKind::assert_absent:
    case OpKind::assert_prefix_empty:
      return sizeof(format::LogOpHead) + sizeof(format::LogKeyHead) + op.key.size();
    case OpKind::assert_version:
      return sizeof(format::LogOpHead) + sizeof(format::LogVersionHead) + op.key.size();
    case OpKind::add:
      return sizeof(format::LogOpHead) + sizeof(format::LogAddBody);
  }
  return 0;
}

Result<Op> OpReader::next() {
  Taker taker(rest_);
  const auto head = taker.head<format::LogOpHead>();
  if (taker.failed() || !is_op_kind(head.kind)) return fail(Errc::log_corrupt);
  Op op;
  op.kind = OpKind{head.kind};
  op.tree = TreeId{head.tree};
  take_body(taker, op);
  if (taker.failed()) return fail(Errc::log_corrupt);
  return op;
}

}  // namespace artfs::wal
