// SPDX-License-Identifier: Apache-2.0
// The superblock on disk: two copies of one page, at offsets 0 and 4096 of the file `superblock`.
//
// Contract:   magic, version, copy and checksum keep their places in every future version, so that an
//             old program can tell a newer store from a damaged one. A feature bit that is unknown
//             forbids: nothing (compatible), writing (read-only compatible), opening
//             (incompatible).
// Threading:  plain bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::uint64_t superblock_magic = 0x42532d5346545241;  // "ARTFS-SB"
inline constexpr std::uint32_t superblock_version = 1;
inline constexpr std::size_t superblock_copies = 2;
inline constexpr std::size_t superblock_copy_bytes = 4 * kib;
inline constexpr std::size_t label_bytes_max = 63;

// Bits this version knows; none yet.
inline constexpr std::uint64_t features_compatible_known = 0;
inline constexpr std::uint64_t features_read_only_compatible_known = 0;
inline constexpr std::uint64_t features_incompatible_known = 0;

struct SuperblockCopy {
  base::le64 magic;                            // 0x000  superblock_magic
  base::le32 version;                          // 0x008  superblock_version
  base::le32 copy;                             // 0x00c  0 or 1: its own place
  base::le64 features_compatible;              // 0x010
  base::le64 features_read_only_compatible;    // 0x018
  base::le64 features_incompatible;            // 0x020
  std::array<std::byte, 16> store_uuid{};      // 0x028
  std::array<std::byte, 16> content_key{};     // 0x038  secret key of content hashes
  base::le64 created_seconds;                  // 0x048  wall clock, since 1970
  base::le16 label_bytes;                      // 0x050  <= label_bytes_max
  std::array<char, 64> label{};                // 0x052  zero behind label_bytes
  std::array<std::uint8_t, 0xf66> reserved{};  // 0x092  zero
  base::le64 checksum;                         // 0xff8  xxh3 of bytes 0x000..0xff7
};

static_assert(sizeof(SuperblockCopy) == superblock_copy_bytes);
static_assert(offsetof(SuperblockCopy, store_uuid) == 0x28);
static_assert(offsetof(SuperblockCopy, created_seconds) == 0x48);
static_assert(offsetof(SuperblockCopy, label) == 0x52);
static_assert(offsetof(SuperblockCopy, checksum) == 0xff8);
static_assert(std::is_trivially_copyable_v<SuperblockCopy>);

}  // namespace artfs::format
