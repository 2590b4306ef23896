// SPDX-License-Identifier: Apache-2.0
// File contents on disk: block references in extent runs, and the records of the space tree.
//
//   volume tree   extent key of a run's first block -> 1 to 16 BlockRef; holes are zero, trailing ones left out;
//                 then the PatchRefs of all these blocks, in order of block and unit
//   space tree    be64(first unit) -> FreeRun: units that nothing uses
//                 "secret"                          -> ContentSecret: keys the content hashes
//   blocks tree   block key (hash, first unit)      -> BlockEntry: how many references name the block
//   blocks.dat    units of 4 KiB; a block starts at a unit, its last unit is filled with zeros
//
// Contract:   a run is aligned to blocks_per_run. A reference names its bytes by place and by keyed hash,
//             so reading needs the volume tree alone; the hash covers stored_bytes bytes, of which the
//             first valid_bytes count (a truncation shortens them without rewriting the block). Written
//             blocks may be named by several references; a block without an entry has exactly one. With
//             deduplication every new block gets an entry, by which equal content is found; without,
//             only blocks with two references and more have one. Blocks of equal content may exist
//             twice (their keys differ in the first unit).
//             A patch is one unit of a block that stands elsewhere in blocks.dat than what the
//             reference names (the base: a hole, space put aside, or written bytes) and hides what
//             the base has there. Its checksum covers the whole unit, of which valid_bytes count.
//             Patches are no shared content: nobody else names their units. Where the base is space
//             put aside, a patch may stand in its own place there; that unit is the base's.
//             Volumes of version 1 and 2 have no patches.
// Errors:     check_block_ref, check_patch_ref: false for what no writer produces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "artfs/types.hpp"

#include "base/endian.hpp"

namespace artfs::format {

inline constexpr std::uint64_t content_unit_bytes = 4 * kib;
inline constexpr std::uint64_t blocks_per_run = 16;
inline constexpr std::uint32_t block_bytes_min = 4 * static_cast<std::uint32_t>(kib);
inline constexpr std::uint32_t block_bytes_max = static_cast<std::uint32_t>(mib);
inline constexpr std::uint32_t inline_bytes_limit = 4096;
inline constexpr std::string_view blocks_file_name = "blocks.dat";

// Allocated in advance, never written: no bytes, no hash, reads as zeros.
inline constexpr std::uint8_t block_flag_unwritten = 1;
// Patches of the block follow behind the references of the run.
inline constexpr std::uint8_t block_flag_patched = 2;

// A run's record stays below 5 KiB however its blocks are patched.
inline constexpr std::uint8_t patches_per_block_max = 16;
// blocks.dat stays below 4 PiB: a patch has 40 bits for its place.
inline constexpr std::uint64_t content_units_max = std::uint64_t{1} << 40;

struct BlockRef {
  base::le48 first_unit;        // 0x00  position in blocks.dat, in units
  base::le16 units;             // 0x06  allocated; 0: a hole, everything else is zero then
  base::le24 stored_bytes;      // 0x08  covered by the hash
  base::le24 valid_bytes;       // 0x0b  bytes of the file; what follows in the block reads as zeros
  std::uint8_t flags = 0;       // 0x0e  block_flag_*; unknown ones are refused
  std::uint8_t patches = 0;     // 0x0f  how many; zero without block_flag_patched
  base::le64 content_hash_low;  // 0x10  XXH3-128, keyed
  base::le64 content_hash_high;  // 0x18
};

static_assert(sizeof(BlockRef) == 0x20 && std::is_trivially_copyable_v<BlockRef>);
static_assert(offsetof(BlockRef, stored_bytes) == 0x08 && offsetof(BlockRef, flags) == 0x0e);
static_assert(offsetof(BlockRef, content_hash_low) == 0x10);

using le40 = base::LittleEndian<std::uint64_t, 5>;

struct PatchRef {
  le40 place;              // 0x00  position in blocks.dat, in units
  std::uint8_t unit = 0;   // 0x05  of the block
  base::le16 valid_bytes;  // 0x06  bytes of the file; what follows in the unit reads as zeros
  base::le64 checksum;     // 0x08  low half of XXH3-128, keyed, of the whole unit
};

static_assert(sizeof(PatchRef) == 0x10 && std::is_trivially_copyable_v<PatchRef>);
static_assert(offsetof(PatchRef, unit) == 0x05 && offsetof(PatchRef, checksum) == 0x08);

struct FreeRun {
  base::le64 units;  // 0x00  not zero
};

static_assert(sizeof(FreeRun) == 0x08 && std::is_trivially_copyable_v<FreeRun>);

inline constexpr std::string_view content_secret_key = "secret";

struct ContentSecret {
  base::le64 hash_seed;  // 0x00  random, from mkfs
};

static_assert(sizeof(ContentSecret) == 0x08 && std::is_trivially_copyable_v<ContentSecret>);

// Transactional counters of the space tree.
inline constexpr std::size_t space_counter_total = 0;  // units of blocks.dat
inline constexpr std::size_t space_counter_used = 1;   // units that files name, each once

struct BlockEntry {
  base::le48 references;      // 0x00  extents that name the block; not zero
  base::le24 stored_bytes;    // 0x06
  base::le16 units;           // 0x09
  std::uint8_t reserved = 0;  // 0x0b  zero
};

static_assert(sizeof(BlockEntry) == 0x0c && std::is_trivially_copyable_v<BlockEntry>);

[[nodiscard]] constexpr bool check_block_entry(const BlockEntry& entry) noexcept {
  return entry.references != 0 && entry.stored_bytes != 0 && entry.units != 0 &&
         entry.units <= block_bytes_max / content_unit_bytes &&
         entry.stored_bytes <= entry.units * content_unit_bytes && entry.reserved == 0;
}

// be64(hash high), be64(hash low), be64(first unit).
inline constexpr std::size_t block_key_bytes = 24;
inline constexpr std::size_t block_key_hash_bytes = 16;

// Transactional counters of the blocks tree.
inline constexpr std::size_t blocks_counter_entries = 0;
inline constexpr std::size_t blocks_counter_shared = 1;  // entries with two references and more
inline constexpr std::size_t blocks_counter_saved_units = 2;  // of references beyond each first one

[[nodiscard]] constexpr bool is_zero(const BlockRef& ref) noexcept {
  return ref.first_unit == 0 && ref.units == 0 && ref.stored_bytes == 0 && ref.valid_bytes == 0 &&
         ref.flags == 0 && ref.patches == 0 && ref.content_hash_low == 0 &&
         ref.content_hash_high == 0;
}

[[nodiscard]] constexpr bool check_block_ref(const BlockRef& ref) noexcept {
  const bool is_patched = (ref.flags & block_flag_patched) != 0;
  if (is_patched != (ref.patches != 0) || ref.patches > patches_per_block_max) return false;
  BlockRef base = ref;
  base.flags = static_cast<std::uint8_t>(ref.flags & ~unsigned{block_flag_patched});
  base.patches = 0;
  if (base.units == 0) return is_zero(base);
  if (base.units > block_bytes_max / content_unit_bytes) return false;
  if (base.flags == block_flag_unwritten) {
    return base.stored_bytes == 0 && base.valid_bytes == 0 && base.content_hash_low == 0 &&
           base.content_hash_high == 0;
  }
  return base.flags == 0 && base.stored_bytes != 0 && base.valid_bytes <= base.stored_bytes &&
         base.stored_bytes <= base.units * content_unit_bytes;
}

// A patch of the block `ref`, behind the one for the unit before `unit_min`.
[[nodiscard]] constexpr bool check_patch_ref(const PatchRef& patch, const BlockRef& ref,
                                             unsigned unit_min) noexcept {
  static_assert(block_bytes_max / content_unit_bytes <= 256);  // every unit has its number
  if (patch.unit < unit_min) return false;
  if (patch.valid_bytes == 0 || patch.valid_bytes > content_unit_bytes) return false;
  const bool in_base = patch.place >= ref.first_unit && patch.place - ref.first_unit < ref.units;
  return !in_base ||
         ((ref.flags & block_flag_unwritten) != 0 && patch.place == ref.first_unit + patch.unit);
}

}  // namespace artfs::format
