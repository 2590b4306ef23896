// SPDX-License-Identifier: Apache-2.0
#include "format/volume.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.hpp"

namespace artfs::format {

bool valid(const VolumeSettings& settings) noexcept {
  return settings.inline_bytes_max <= inline_bytes_limit &&
         std::has_single_bit(settings.block_bytes) && settings.block_bytes >= block_bytes_min &&
         settings.block_bytes <= block_bytes_max;
}

std::string encode(const VolumeSettings& settings) {
  ARTFS_ASSERT(valid(settings));
  VolumeSettingsRecord record{};
  record.version = volume_settings_version;
  record.inline_bytes_max = settings.inline_bytes_max;
  record.block_bytes = settings.block_bytes;
  record.flags = (settings.is_numbered ? volume_flag_numbered : 0U) |
                 (settings.dedup ? 0U : volume_flag_no_dedup);
  std::string out(sizeof(record), '\0');
  std::memcpy(out.data(), &record, sizeof(record));
  return out;
}

Result<VolumeSettings> decode_volume_settings(std::string_view bytes) {
  VolumeSettingsRecord record{};
  if (bytes.size() < sizeof(record.version)) return fail(Errc::record_corrupt);
  std::memcpy(&record.version, bytes.data(), sizeof(record.version));
  if (record.version > volume_settings_version) return fail(Errc::store_newer, record.version);
  if (bytes.size() != sizeof(record) || record.version == 0) return fail(Errc::record_corrupt);
  std::memcpy(&record, bytes.data(), sizeof(record));
  const std::uint32_t known_flags =
      record.version == 1 ? 0U : volume_flag_numbered | volume_flag_no_dedup;
  if ((record.flags & ~known_flags) != 0) return fail(Errc::record_corrupt);
  const VolumeSettings settings{.version = record.version,
                                .inline_bytes_max = record.inline_bytes_max,
                                .block_bytes = record.block_bytes,
                                .is_numbered = (record.flags & volume_flag_numbered) != 0,
                                .dedup = (record.flags & volume_flag_no_dedup) == 0};
  const bool zero = std::all_of(record.reserved.begin(), record.reserved.end(),
                                [](std::uint8_t byte) { return byte == 0; });
  if (!zero || !valid(settings)) return fail(Errc::record_corrupt);
  return settings;
}

}  // namespace artfs::format
