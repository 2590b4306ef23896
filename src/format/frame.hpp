// SPDX-License-Identifier: Apache-2.0
// A frame on disk: 512 KiB, a header page and 127 pages of radix-tree objects.
//
//   frame  := header page, { object | free block } up to `bump`, unused bytes
//   object := leaf | node4 | node16 | node48 | node256 | crossing       (8-byte aligned, any order)
//
// Contract:   objects are named by references: 16-bit offsets in units of 8 bytes; 0 is none, and nothing
//             below object_ref_min (the header page) is an object. A page above `bump` has no meaning.
//             Every page is covered by a checksum in the header page, which covers itself; checks come
//             before use: check_header, then check_page for each of pages_used().
// Threading:  plain bytes; the owner of the frame serialises.
// Errors:     frame_corrupt with the frame id in `detail`.
// Invariants: PI no byte of a frame depends on key bytes above its entry edge.
//             FS live + free + (frame end - bump) == capacity: space never leaks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

using base::le16;
using base::le24;
using base::le32;
using base::le48;
using base::le64;

inline constexpr std::size_t frame_bytes = 512 * kib;
inline constexpr std::size_t page_bytes = 4 * kib;
inline constexpr std::size_t pages_per_frame = frame_bytes / page_bytes;
inline constexpr std::uint32_t frame_magic = 0x4d524641;  // "AFRM"
inline constexpr std::uint16_t frame_version = 1;

using StoreUuid = std::array<std::byte, 16>;

// --- References -------------------------------------------------------------------------------------
using Ref = std::uint16_t;
inline constexpr Ref no_ref = 0;
inline constexpr std::size_t unit_bytes = 8;
inline constexpr Ref object_ref_min = page_bytes / unit_bytes;
// Bytes for objects.
inline constexpr std::size_t frame_capacity_bytes = frame_bytes - page_bytes;

constexpr std::size_t offset_of(Ref ref) noexcept {
  return std::size_t{ref} * unit_bytes;
}

constexpr std::size_t round_to_unit(std::size_t bytes) noexcept {
  return (bytes + unit_bytes - 1) & ~(unit_bytes - 1);
}

// --- Header page ------------------------------------------------------------------------------------
// Free blocks of 1..64 units have a list for each size; larger ones share a list per power of two:
// list 64 holds 65..128 units, list 65 129..256, ... list 73 32769..65536.
inline constexpr std::size_t free_exact_lists = 64;
inline constexpr std::size_t free_lists = free_exact_lists + 10;

struct FrameHeader {
  le32 magic;              // 0x000  frame_magic
  le16 version;            // 0x004  frame_version
  le16 reserved0;          // 0x006  zero
  StoreUuid store_uuid{};  // 0x008  the store it belongs to
  le64 id;                 // 0x018  its own frame id
  le64 generation;         // 0x020  times it was rewritten as a whole
  le64 page_lsn;           // 0x028  newest logged change in it
  le32 bytes_live;         // 0x030  in objects
  le32 bytes_free;         // 0x034  in free blocks
  le32 bump;               // 0x038  offset of the first byte never handed out
  le16 root;               // 0x03c  Ref: a node or a leaf; none: the frame is empty
  le16 reserved1;          // 0x03e  zero
  le32 leaves;             // 0x040  count, own values included
  le32 nodes;              // 0x044  count
  le32 crossings;          // 0x048  count of objects, one for each child frame
  le32 checked_by;  // 0x04c  the process that last checked its whole structure; see art/room.hpp
  std::array<le16, free_lists> free_heads;      // 0x050  Ref of the first free block of each list
  std::array<std::uint8_t, 0x31c> reserved3{};  // 0x0e4  zero
  std::array<le32, pages_per_frame> page_checksums;  // 0x400  of pages 1..127; [0] is zero
  std::array<std::uint8_t, 0x9f8> reserved4{};       // 0x600  zero
  le64 header_checksum;                              // 0xff8  xxh3 of bytes 0x000..0xff7
};

static_assert(sizeof(FrameHeader) == page_bytes && alignof(FrameHeader) == 1);
static_assert(std::is_trivially_copyable_v<FrameHeader>);
static_assert(offsetof(FrameHeader, store_uuid) == 0x008 && offsetof(FrameHeader, id) == 0x018);
static_assert(offsetof(FrameHeader, bytes_live) == 0x030 && offsetof(FrameHeader, bump) == 0x038);
static_assert(offsetof(FrameHeader, root) == 0x03c && offsetof(FrameHeader, leaves) == 0x040);
static_assert(offsetof(FrameHeader, free_heads) == 0x050 &&
              offsetof(FrameHeader, reserved3) == 0x0e4);
static_assert(offsetof(FrameHeader, page_checksums) == 0x400);
static_assert(offsetof(FrameHeader, header_checksum) == 0xff8);

// --- Objects ----------------------------------------------------------------------------------------
enum class ObjectKind : std::uint8_t {
  none = 0,  // never stored: zeroed bytes are no object
  leaf = 1,
  node4 = 2,
  node16 = 3,
  node48 = 4,
  node256 = 5,
  crossing = 6,
  free_block = 7,
};

// The end of a key: the rest of the key below its edge, and the value.
struct LeafHeader {
  std::uint8_t kind;    // 0x00  ObjectKind::leaf
  le24 value_bytes;     // 0x01  <= value_bytes_max
  le16 suffix_bytes;    // 0x04  <= key_bytes_max; zero for a node's own value
  le48 record_version;  // 0x06  LSN of the log record that wrote it
                        // 0x0c  value, suffix, zeros up to the unit
};

static_assert(sizeof(LeafHeader) == 0x0c && offsetof(LeafHeader, record_version) == 0x06);

// Every node starts with this; its arrays follow, then the label, then zeros up to the unit.
struct NodeHeader {
  std::uint8_t kind;      // 0x00  ObjectKind::node4 .. node256
  std::uint8_t reserved;  // 0x01  zero
  le16 label_bytes;  // 0x02  bytes every key below shares after the node's edge; <= key_bytes_max
  le16 count;        // 0x04  edges, 0..256: wide enough for a full node256 (TRAPS P15)
  le16 own;          // 0x06  Ref of the leaf (empty suffix) of the key that ends at this node
};

static_assert(sizeof(NodeHeader) == 0x08 && offsetof(NodeHeader, own) == 0x06);

// Edges of node4 and node16 are sorted by byte; unused places are zero.
struct Node4 {
  NodeHeader header;                 // 0x00
  std::array<std::uint8_t, 4> keys;  // 0x08
  std::array<le16, 4> children;      // 0x0c
                                     // 0x14  label
};

static_assert(sizeof(Node4) == 0x14);

struct Node16 {
  NodeHeader header;                  // 0x00
  std::array<std::uint8_t, 16> keys;  // 0x08
  std::array<le16, 16> children;      // 0x18
                                      // 0x38  label
};

static_assert(sizeof(Node16) == 0x38);

struct Node48 {
  NodeHeader header;                    // 0x00
  std::array<std::uint8_t, 256> index;  // 0x08  edge byte -> place in children + 1; 0: no edge
  std::array<le16, 48> children;        // 0x108 the first `count` places are in use
                                        // 0x168 label
};

static_assert(sizeof(Node48) == 0x168);

struct Node256 {
  NodeHeader header;               // 0x00
  std::array<le16, 256> children;  // 0x08  none: no edge
                                   // 0x208 label
};

static_assert(sizeof(Node256) == 0x208);

// The way to another frame. It consumes nothing of the key: the descent goes on at the root of the child
// frame with the edge byte still ahead, so that several edges of one node may share one crossing.
struct Crossing {
  std::uint8_t kind;       // 0x00  ObjectKind::crossing
  std::uint8_t reserved0;  // 0x01  zero
  le16 edges;              // 0x02  edges of its node that lead here, 1..256
  le32 reserved1;          // 0x04  zero
  le64 frame;              // 0x08  FrameId
};

static_assert(sizeof(Crossing) == 0x10 && offsetof(Crossing, frame) == 0x08);

// What readers take from an object at once: its first units as numbers (base::from_le64 of what is stored).
constexpr ObjectKind kind_of(std::uint64_t unit0) noexcept {
  return static_cast<ObjectKind>(unit0 & 0xffU);
}

struct NodeFields {
  std::uint16_t label_bytes;
  std::uint16_t count;
  Ref own;
};

constexpr NodeFields node_fields(std::uint64_t unit0) noexcept {
  return {.label_bytes = static_cast<std::uint16_t>(unit0 >> 16U),
          .count = static_cast<std::uint16_t>(unit0 >> 32U),
          .own = static_cast<Ref>(unit0 >> 48U)};
}

static_assert(offsetof(NodeHeader, label_bytes) == 2 && offsetof(NodeHeader, count) == 4);

struct LeafFields {
  std::uint32_t value_bytes;
  std::uint16_t suffix_bytes;
  std::uint64_t record_version;
};

constexpr LeafFields leaf_fields(std::uint64_t unit0, std::uint64_t unit1) noexcept {
  return {.value_bytes = static_cast<std::uint32_t>(unit0 >> 8U) & 0xffffffU,
          .suffix_bytes = static_cast<std::uint16_t>(unit0 >> 32U),
          .record_version = unit0 >> 48U | (unit1 & 0xffffffffU) << 16U};
}

static_assert(offsetof(LeafHeader, value_bytes) == 1 && offsetof(LeafHeader, suffix_bytes) == 4);

struct FreeBlock {
  std::uint8_t kind;       // 0x00  ObjectKind::free_block
  std::uint8_t reserved0;  // 0x01  zero
  le16 units;              // 0x02  size of the block
  le16 next;               // 0x04  Ref of the next one in its list
  le16 reserved1;          // 0x06  zero
};

static_assert(sizeof(FreeBlock) == unit_bytes);

inline constexpr std::size_t object_bytes_max =
    round_to_unit(sizeof(LeafHeader) + value_bytes_max + key_bytes_max);

// --- Making and checking ----------------------------------------------------------------------------
// Zeroes the header page and writes an empty frame's header into it. The rest of `frame` is untouched.
void format_header(std::span<std::byte> frame, const StoreUuid& uuid, FrameId id) noexcept;

[[nodiscard]] std::uint32_t page_checksum(std::span<const std::byte> page) noexcept;

struct PageChecksum {
  std::uint32_t page;  // 1..127
  std::uint32_t checksum;
};

// Puts the new checksums of changed pages in the header page, then the checksum of the header itself.
void seal_header(std::span<std::byte> header_page, std::span<const PageChecksum> changed) noexcept;

// The checksum in a sealed header page: through the page checksums it stands for the whole frame.
[[nodiscard]] std::uint64_t seal_of(std::span<const std::byte> header_page) noexcept;

// Pages 0 .. pages_used()-1 carry the frame's content; at least the header page, at most all 128.
[[nodiscard]] std::size_t pages_used(std::span<const std::byte> header_page) noexcept;

// Needs only the header page. Everything in it that can be checked without the objects.
[[nodiscard]] Result<void> check_header(std::span<const std::byte> header_page,
                                        const StoreUuid& uuid, FrameId id) noexcept;
// `frame`: at least up to the end of `page` (1..127). check_header must have passed.
[[nodiscard]] Result<void> check_page(std::span<const std::byte> frame, std::size_t page) noexcept;

}  // namespace artfs::format
