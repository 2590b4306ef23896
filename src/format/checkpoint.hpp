// SPDX-License-Identifier: Apache-2.0
// The checkpoint log on disk.
//
//   log  := commit page, page*, tail, zeros to a multiple of 4096
//   tail := CheckpointFrame* (in the order of their pages), manifest delta (format/manifest.hpp)
//
// Contract:   the commit page is written last, in the same sync as the rest: it counts only when the
//             checksum over pages and tail holds. Every part starts on a page, so that the file can
//             be written around the page cache.
// Threading:  plain bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::uint64_t checkpoint_magic = 0x504b435346545241;  // "ARTFSCKP"
inline constexpr std::uint32_t checkpoint_version = 2;
inline constexpr std::uint32_t checkpoint_version_min = 1;  // its delta had no seals
inline constexpr std::size_t checkpoint_page_bytes = 4096;
inline constexpr std::size_t checkpoint_pages_per_frame = 128;

struct CheckpointCommit {
  base::le64 magic;                        // 0x00  checkpoint_magic
  base::le32 version;                      // 0x08  checkpoint_version
  base::le32 reserved;                     // 0x0c  zero
  std::array<std::byte, 16> store_uuid{};  // 0x10
  base::le64 generation;                   // 0x20  of the checkpoint
  base::le64 cut;                          // 0x28  LSN
  base::le64 pages;                        // 0x30  count
  base::le64 frames;                       // 0x38  count of CheckpointFrame
  base::le64 delta_bytes;                  // 0x40
  base::le64 content_checksum;             // 0x48  xxh3 of pages and tail, without the last zeros
  base::le64 checksum;                     // 0x50  xxh3 of bytes 0x00..0x4f
};

static_assert(sizeof(CheckpointCommit) == 0x58);
static_assert(offsetof(CheckpointCommit, store_uuid) == 0x10);
static_assert(offsetof(CheckpointCommit, content_checksum) == 0x48);
static_assert(std::is_trivially_copyable_v<CheckpointCommit>);

struct CheckpointFrame {
  base::le64 id;                                                     // 0x00  frame id
  base::le64 slot;                                                   // 0x08  from 1
  std::array<std::uint8_t, checkpoint_pages_per_frame / 8> pages{};  // 0x10  bit n: page n
};

static_assert(sizeof(CheckpointFrame) == 0x20 && std::is_trivially_copyable_v<CheckpointFrame>);

}  // namespace artfs::format
