// SPDX-License-Identifier: Apache-2.0
#include "engine/superblock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "format/superblock.hpp"

namespace artfs::engine {
namespace {

using format::SuperblockCopy;

constexpr const char* file_name = "superblock";

[[nodiscard]] std::uint64_t checksum_of(const SuperblockCopy& copy) noexcept {
  return base::xxh3_64(base::object_bytes(copy).first(offsetof(SuperblockCopy, checksum)));
}

[[nodiscard]] constexpr std::uint64_t offset_of(std::uint32_t copy) noexcept {
  return std::uint64_t{copy} * format::superblock_copy_bytes;
}

[[nodiscard]] SuperblockCopy encode(const Superblock& superblock, std::uint32_t index) {
  ARTFS_ASSERT(superblock.label.size() <= format::label_bytes_max);
  SuperblockCopy copy;
  copy.magic = format::superblock_magic;
  copy.version = format::superblock_version;
  copy.copy = index;
  copy.features_compatible = superblock.features_compatible;
  copy.features_read_only_compatible = superblock.features_read_only_compatible;
  copy.features_incompatible = superblock.features_incompatible;
  copy.store_uuid = superblock.uuid;
  copy.content_key = superblock.content_key;
  copy.created_seconds = superblock.created_seconds;
  copy.label_bytes = static_cast<std::uint16_t>(superblock.label.size());
  std::memcpy(copy.label.data(), superblock.label.data(), superblock.label.size());
  copy.checksum = checksum_of(copy);
  return copy;
}

enum class Verdict : std::uint8_t { foreign, damaged, good };

[[nodiscard]] Verdict judge(const SuperblockCopy& copy, std::uint32_t index) noexcept {
  if (copy.magic != format::superblock_magic) return Verdict::foreign;
  const bool verifies = copy.checksum == checksum_of(copy) && copy.copy == index;
  return verifies ? Verdict::good : Verdict::damaged;
}

Result<Superblock> decode(const SuperblockCopy& copy, bool read_only) {
  if (copy.version > format::superblock_version) return fail(Errc::store_newer, copy.version);
  std::uint64_t unknown = copy.features_incompatible & ~format::features_incompatible_known;
  if (!read_only) {
    unknown |= copy.features_read_only_compatible & ~format::features_read_only_compatible_known;
  }
  if (unknown != 0) return fail(Errc::store_newer, unknown);
  if (copy.version == 0 || copy.label_bytes > format::label_bytes_max) {
    return fail(Errc::superblock_corrupt);
  }
  Superblock superblock;
  superblock.uuid = copy.store_uuid;
  superblock.content_key = copy.content_key;
  superblock.created_seconds = copy.created_seconds;
  superblock.label.assign(copy.label.data(), copy.label_bytes);
  superblock.features_compatible = copy.features_compatible;
  superblock.features_read_only_compatible = copy.features_read_only_compatible;
  superblock.features_incompatible = copy.features_incompatible;
  return superblock;
}

// Why there is no superblock: an empty directory, somebody else's, or a store that lost it.
Result<Superblock> explain_absence(io::Directory& directory) {
  const auto names = ARTFS_TRY(directory.list());
  const auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (has("manifest") && has("frames.dat")) return fail(Errc::superblock_corrupt);
  return fail(names.empty() ? Errc::store_missing : Errc::store_foreign);
}

Result<SuperblockCopy> read_copy(io::File& file, std::uint32_t index) {
  SuperblockCopy copy;
  const auto read = file.read_at(offset_of(index), base::object_bytes_mutable(copy));
  if (!read) return fail(read.error());
  if (*read < sizeof(copy)) return SuperblockCopy{};  // cut short: no magic, or no checksum
  return copy;
}

std::array<std::byte, 16> random_bytes() {
  std::array<std::byte, 16> bytes{};
  std::random_device device;  // the kernel's generator
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint32_t)) {
    const std::uint32_t word = device();
    std::memcpy(bytes.data() + i, &word, sizeof(word));
  }
  return bytes;
}

}  // namespace

Superblock new_superblock(std::string label) {
  Superblock superblock;
  superblock.uuid = random_bytes();
  // A random UUID (version 4, RFC 4122), as other tools expect it.
  superblock.uuid[6] = (superblock.uuid[6] & std::byte{0x0f}) | std::byte{0x40};
  superblock.uuid[8] = (superblock.uuid[8] & std::byte{0x3f}) | std::byte{0x80};
  superblock.content_key = random_bytes();
  superblock.created_seconds = static_cast<std::uint64_t>(base::wall_clock().seconds);
  superblock.label = std::move(label);
  return superblock;
}

Result<void> create_superblock(io::Directory& directory, const Superblock& superblock) {
  const auto file = ARTFS_TRY(directory.open(file_name, {.create = true, .exclusive = true}));
  for (std::uint32_t i = 0; i < format::superblock_copies; ++i) {
    const SuperblockCopy copy = encode(superblock, i);
    ARTFS_TRY(file->write_at(offset_of(i), base::object_bytes(copy)));
  }
  return file->sync_data();
}

Result<Superblock> read_superblock(io::Directory& directory, bool read_only) {
  if (!ARTFS_TRY(directory.exists(file_name))) return explain_absence(directory);
  const auto file = ARTFS_TRY(directory.open(file_name, {.read_only = true}));
  std::optional<SuperblockCopy> good;
  bool any_ours = false;
  bool all_good = true;
  for (std::uint32_t i = 0; i < format::superblock_copies; ++i) {
    const SuperblockCopy copy = ARTFS_TRY(read_copy(*file, i));
    const Verdict verdict = judge(copy, i);
    any_ours = any_ours || verdict != Verdict::foreign;
    all_good = all_good && verdict == Verdict::good;
    if (verdict == Verdict::good && !good) good = copy;
  }
  if (!good) return fail(any_ours ? Errc::superblock_corrupt : Errc::store_foreign);
  Superblock superblock = ARTFS_TRY(decode(*good, read_only));
  superblock.one_copy_damaged = !all_good;
  return superblock;
}

Result<void> repair_superblock(io::Directory& directory, const Superblock& superblock) {
  const auto file = ARTFS_TRY(directory.open(file_name, {}));
  for (std::uint32_t i = 0; i < format::superblock_copies; ++i) {
    const SuperblockCopy found = ARTFS_TRY(read_copy(*file, i));
    if (judge(found, i) == Verdict::good) continue;
    const SuperblockCopy copy = encode(superblock, i);
    ARTFS_TRY(file->write_at(offset_of(i), base::object_bytes(copy)));
    ARTFS_TRY(file->sync_data());
  }
  return {};
}

std::string uuid_to_text(const std::array<std::byte, 16>& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", std::to_integer<unsigned>(uuid[i]));
  }
  return text;
}

}  // namespace artfs::engine
