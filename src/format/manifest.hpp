// SPDX-License-Identifier: Apache-2.0
// The manifest on disk, and the delta that travels through the checkpoint log.
//
//   manifest := record(snapshot), record(delta)*, zeros
//   record   := header, body, zeros to a multiple of 8
//   body     := ManifestBody, ManifestFrame* (created), ManifestFrame* (removed), tree*, ManifestSeal*
//   tree     := ManifestTreeHead, name
//
// Contract:   a snapshot is a body that creates everything and removes nothing. A record is believed
//             only at its own offset; the journal ends at the first one that does not verify.
//             The seals, to the end of the body, say which image of a frame is the right one: a whole but
//             older one in its slot, left by a write home that the device dropped, is not believed.
//             Version 1 had none; it is still read.
// Threading:  plain bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::uint32_t manifest_magic = 0x464e4d41;  // "AMNF"
inline constexpr std::uint16_t manifest_version = 2;
inline constexpr std::uint16_t manifest_version_min = 1;
inline constexpr std::size_t manifest_record_alignment = 8;
inline constexpr std::size_t manifest_tree_counters = 16;
inline constexpr std::size_t tree_name_bytes_max = 255;

enum class ManifestRecordKind : std::uint16_t { snapshot = 1, delta = 2 };

struct ManifestRecordHeader {
  base::le32 magic;                        // 0x00  manifest_magic
  base::le16 version;                      // 0x04  manifest_version
  base::le16 kind;                         // 0x06  ManifestRecordKind
  std::array<std::byte, 16> store_uuid{};  // 0x08
  base::le64 offset;                       // 0x18  its own place in the file
  base::le64 body_bytes;                   // 0x20  without padding
  base::le64 body_checksum;                // 0x28  xxh3 of the body and the zeros that pad it
  base::le64 header_checksum;              // 0x30  xxh3 of bytes 0x00..0x2f
};

static_assert(sizeof(ManifestRecordHeader) == 0x38);
static_assert(offsetof(ManifestRecordHeader, store_uuid) == 0x08);
static_assert(offsetof(ManifestRecordHeader, offset) == 0x18);
static_assert(offsetof(ManifestRecordHeader, header_checksum) == 0x30);
static_assert(std::is_trivially_copyable_v<ManifestRecordHeader>);

struct ManifestBody {
  base::le64 generation;     // 0x00  of the checkpoint
  base::le64 cut;            // 0x08  LSN
  base::le64 next_frame_id;  // 0x10
  base::le32 next_tree_id;   // 0x18
  base::le32 trees;          // 0x1c  count
  base::le64 created;        // 0x20  count of frames
  base::le64 removed;        // 0x28  count of frames
};

static_assert(sizeof(ManifestBody) == 0x30 && offsetof(ManifestBody, created) == 0x20);
static_assert(std::is_trivially_copyable_v<ManifestBody>);

struct ManifestFrame {
  base::le64 id;    // 0x00  frame id
  base::le64 slot;  // 0x08  its place in the data file, from 1
};

static_assert(sizeof(ManifestFrame) == 0x10 && std::is_trivially_copyable_v<ManifestFrame>);

// The header checksum of a frame that this checkpoint wrote.
struct ManifestSeal {
  base::le64 id;    // 0x00  frame id
  base::le64 seal;  // 0x08  FrameHeader::header_checksum of its image at home; not zero
};

static_assert(sizeof(ManifestSeal) == 0x10 && std::is_trivially_copyable_v<ManifestSeal>);

struct ManifestTreeHead {
  base::le32 id;                                            // 0x00  tree id
  base::le16 name_bytes;                                    // 0x04  1 to tree_name_bytes_max
  base::le16 reserved;                                      // 0x06  zero
  base::le64 root;                                          // 0x08  frame id
  std::array<base::le64, manifest_tree_counters> counters;  // 0x10  two's complement
};

static_assert(sizeof(ManifestTreeHead) == 0x90 && offsetof(ManifestTreeHead, counters) == 0x10);
static_assert(std::is_trivially_copyable_v<ManifestTreeHead>);

}  // namespace artfs::format
