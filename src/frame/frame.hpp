// SPDX-License-Identifier: Apache-2.0
// View: the objects of one frame, read with every length checked.
//
// Contract:   a view borrows the 512 KiB of a frame and copies nothing. A reader returns false when the
//             object is not of the asked kind, or any part of it would lie outside the frame: whatever the
//             bytes say, and however they change meanwhile, nothing outside is touched: header words are
//             loaded once, whole, then checked, then used. What a reader returns points into the frame: of a
//             pinned and latched frame it holds until the latch goes, of a Look once that says valid().
// Threading:  beside a writer through a Look only.
// Cost:       a few compares for each object; no allocation.
// Errors:     false; callers turn it into frame_corrupt with the frame's id.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/frame.hpp"
#include "sync/racy.hpp"

namespace artfs::frame {

using format::ObjectKind;
using format::Ref;

struct Leaf {
  std::string_view value;
  std::string_view suffix;
  Lsn version;

  [[nodiscard]] std::size_t bytes() const noexcept;  // that it takes in a frame
};

// Bytes a leaf takes in a frame.
constexpr std::size_t leaf_bytes(std::size_t value_bytes, std::size_t suffix_bytes) noexcept {
  return format::round_to_unit(sizeof(format::LeafHeader) + value_bytes + suffix_bytes);
}

inline std::size_t Leaf::bytes() const noexcept {
  return leaf_bytes(value.size(), suffix.size());
}

inline constexpr std::size_t crossing_bytes = sizeof(format::Crossing);

// Bytes of a node without its label; 0 when the kind is no node.
constexpr std::size_t node_fixed_bytes(ObjectKind kind) noexcept {
  switch (kind) {
    case ObjectKind::node4:
      return sizeof(format::Node4);
    case ObjectKind::node16:
      return sizeof(format::Node16);
    case ObjectKind::node48:
      return sizeof(format::Node48);
    case ObjectKind::node256:
      return sizeof(format::Node256);
    case ObjectKind::none:
    case ObjectKind::leaf:
    case ObjectKind::crossing:
    case ObjectKind::free_block:
      break;
  }
  return 0;
}

constexpr std::size_t node_bytes(ObjectKind kind, std::size_t label_bytes) noexcept {
  return format::round_to_unit(node_fixed_bytes(kind) + label_bytes);
}

constexpr std::size_t node_capacity(ObjectKind kind) noexcept {
  switch (kind) {
    case ObjectKind::node4:
      return 4;
    case ObjectKind::node16:
      return 16;
    case ObjectKind::node48:
      return 48;
    case ObjectKind::node256:
      return 256;
    case ObjectKind::none:
    case ObjectKind::leaf:
    case ObjectKind::crossing:
    case ObjectKind::free_block:
      break;
  }
  return 0;
}

struct Node {
  const std::byte* at = nullptr;  // its first byte
  Ref ref = format::no_ref;
  ObjectKind kind = ObjectKind::none;
  std::uint16_t count = 0;  // <= node_capacity(kind)
  Ref own = format::no_ref;
  std::string_view label;

  [[nodiscard]] std::size_t bytes() const noexcept { return node_bytes(kind, label.size()); }

  template <typename Layout>
  [[nodiscard]] const Layout& as() const noexcept {
    return *reinterpret_cast<const Layout*>(at);
  }
};

// A reference stored at `at`, loaded once.
[[nodiscard]] inline Ref load_ref(const std::byte* at) noexcept {
  return std::bit_cast<format::le16>(sync::racy_load<std::uint16_t>(at));
}

class View {
 public:
  explicit View(std::span<const std::byte> bytes) noexcept : base_(bytes.data()) {
    ARTFS_ASSERT(bytes.size() == format::frame_bytes);
  }

  [[nodiscard]] const format::FrameHeader& header() const noexcept {
    return *reinterpret_cast<const format::FrameHeader*>(base_);
  }

  [[nodiscard]] FrameId id() const noexcept { return FrameId{header().id}; }

  [[nodiscard]] Ref root() const noexcept {
    return load_ref(base_ + offsetof(format::FrameHeader, root));
  }

  [[nodiscard]] const std::byte* at(Ref ref) const noexcept {
    return base_ + format::offset_of(ref);
  }

  // Fetches the object ahead of its use. Most are shorter than a line of the processor's cache, but lie
  // across two.
  void prefetch(Ref ref) const noexcept {
    constexpr std::size_t reach = 48;
    __builtin_prefetch(at(ref));
    __builtin_prefetch(at(ref) + reach);
  }

  // A reference stored in the frame, by its byte offset.
  [[nodiscard]] Ref slot(std::size_t slot_off) const noexcept { return load_ref(base_ + slot_off); }

  // May be a value that is no enumerator.
  [[nodiscard]] ObjectKind kind(Ref ref) const noexcept {
    if (ref < format::object_ref_min) return ObjectKind::none;
    return static_cast<ObjectKind>(sync::racy_load<std::uint8_t>(at(ref)));
  }

  // The first unit of the object, loaded once; of kind none when nothing can be there.
  [[nodiscard]] std::uint64_t unit0(Ref ref) const noexcept {
    return ref < format::object_ref_min ? 0 : load(format::offset_of(ref));
  }

  [[nodiscard]] bool leaf(Ref ref, Leaf& out) const noexcept { return leaf(ref, unit0(ref), out); }

  // `unit0` is that of `ref`.
  [[nodiscard]] bool leaf(Ref ref, std::uint64_t unit0, Leaf& out) const noexcept {
    const std::size_t off = format::offset_of(ref);
    const bool is_leaf = format::kind_of(unit0) == ObjectKind::leaf;
    // A leaf takes two units at least.
    if (!is_leaf || off + 2 * format::unit_bytes > format::frame_bytes) return false;
    const format::LeafFields leaf = format::leaf_fields(unit0, load(off + format::unit_bytes));
    const std::size_t value_bytes = leaf.value_bytes;
    const std::size_t suffix_bytes = leaf.suffix_bytes;
    const bool fits = value_bytes <= value_bytes_max && suffix_bytes <= key_bytes_max &&
                      off + leaf_bytes(value_bytes, suffix_bytes) <= format::frame_bytes;
    if (!fits) return false;
    const char* value = reinterpret_cast<const char*>(base_ + off + sizeof(format::LeafHeader));
    out = {.value = {value, value_bytes},
           .suffix = {value + value_bytes, suffix_bytes},
           .version = Lsn{leaf.record_version}};
    return true;
  }

  [[nodiscard]] bool node(Ref ref, Node& out) const noexcept { return node(ref, unit0(ref), out); }

  [[nodiscard]] bool node(Ref ref, std::uint64_t unit0, Node& out) const noexcept {
    const std::size_t off = format::offset_of(ref);
    const format::NodeFields node = format::node_fields(unit0);
    const ObjectKind found = format::kind_of(unit0);
    const std::size_t fixed_bytes = node_fixed_bytes(found);
    const std::size_t label_bytes = node.label_bytes;
    const bool fits = fixed_bytes != 0 && label_bytes <= key_bytes_max &&
                      node.count <= node_capacity(found) &&
                      off + node_bytes(found, label_bytes) <= format::frame_bytes;
    if (!fits) return false;
    out = {.at = base_ + off,
           .ref = ref,
           .kind = found,
           .count = node.count,
           .own = node.own,
           .label = {reinterpret_cast<const char*>(base_ + off + fixed_bytes), label_bytes}};
    return true;
  }

  // The child frame; no id when the object is no crossing.
  [[nodiscard]] FrameId crossing(Ref ref) const noexcept {
    const std::size_t off = format::offset_of(ref);
    if (kind(ref) != ObjectKind::crossing || off + crossing_bytes > format::frame_bytes) return {};
    return FrameId{load(off + offsetof(format::Crossing, frame))};
  }

 private:
  // One unit as a number. References are 16 bits and every object starts a unit, so it lies inside the frame.
  [[nodiscard]] std::uint64_t load(std::size_t off) const noexcept {
    return base::from_le64(sync::racy_load<std::uint64_t>(base_ + off));
  }

  const std::byte* base_;
};

}  // namespace artfs::frame
