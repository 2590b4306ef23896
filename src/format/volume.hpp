// SPDX-License-Identifier: Apache-2.0
// What a volume fixes at mkfs: the record under volume_settings_key.
//
// Contract:   written in the transaction that makes the root directory; strict on decode. Version 1 had no
//             flags, so what they say of a volume of it is "no"; the first opening that may write makes
//             what is missing and writes version 3, which older programs refuse. Those of version 1 would list
//             directories wrongly, and free blocks that several files name; those of version 2 would lose
//             logged writes ("p/" keys), and do not know of patches.
// Errors:     record_corrupt; store_newer for a version we do not know.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "artfs/result.hpp"

#include "base/endian.hpp"
#include "format/content.hpp"

namespace artfs::format {

// Trees of a store that holds a volume, and the one key of the volume tree that is not of key.hpp.
inline constexpr std::string_view volume_tree_name = "volume";
inline constexpr std::string_view space_tree_name = "space";
inline constexpr std::string_view blocks_tree_name = "blocks";  // not in volumes of version 1
inline constexpr std::string_view volume_settings_key = "v/settings";

// Counters of the volume tree (Tree::counter), changed in the transactions they count.
enum class VolumeCounter : std::uint8_t {
  inodes = 0,         // "i/" keys
  directories = 1,    // of these, directories
  inos_reserved = 2,  // inode numbers given to the allocator since mkfs
  orphans = 3,        // "o/" keys
};

[[nodiscard]] constexpr std::size_t index_of(VolumeCounter counter) noexcept {
  return static_cast<std::size_t>(counter);
}

inline constexpr std::uint32_t volume_settings_version = 3;
inline constexpr std::uint32_t volume_flag_no_dedup = 1;  // equal blocks are not looked for
inline constexpr std::uint32_t volume_flag_numbered = 2;  // every entry stands under "n/" too

struct VolumeSettingsRecord {
  base::le32 version;           // 0x00
  base::le32 inline_bytes_max;  // 0x04  0 to inline_bytes_limit
  base::le32 block_bytes;       // 0x08  power of two, block_bytes_min to block_bytes_max
  base::le32 flags;             // 0x0c  volume_flag_*; unknown ones are refused; version 1: zero
  std::array<std::uint8_t, 16> reserved{};  // 0x10  zero
};

static_assert(sizeof(VolumeSettingsRecord) == 0x20);

struct VolumeSettings {
  std::uint32_t version = volume_settings_version;  // read; what is written is always the newest
  std::uint32_t inline_bytes_max = 2048;
  std::uint32_t block_bytes = 65536;
  bool is_numbered = true;  // directories can be listed by number
  bool dedup = true;        // equal blocks are stored once

  friend bool operator==(const VolumeSettings&, const VolumeSettings&) = default;
};

[[nodiscard]] bool valid(const VolumeSettings& settings) noexcept;
[[nodiscard]] std::string encode(const VolumeSettings& settings);
[[nodiscard]] Result<VolumeSettings> decode_volume_settings(std::string_view record);

}  // namespace artfs::format
