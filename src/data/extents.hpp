// SPDX-License-Identifier: Apache-2.0
// Extents: where the blocks of a file are; runs of 16 references as records of the volume tree.
//
// Contract:   a Run is always 16 blocks; encode_run leaves trailing holes out and gives an empty string
//             when all are empty (the record is erased then). decode_run accepts exactly what
//             encode_run produces. A Block is its base (a hole, space put aside, or written bytes) and
//             patches, which hide what the base has in their units; what neither has reads as zeros.
// Threading:  values; load_run as Tree::get.
// Errors:     record_corrupt with the inode number in `detail`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/store.hpp"

#include "base/checksum.hpp"
#include "data/change.hpp"
#include "format/content.hpp"

namespace artfs::data {

// One unit of a block that stands in a unit of its own.
struct Patch {
  std::uint64_t place = 0;        // unit of blocks.dat
  std::uint64_t checksum = 0;     // of the whole unit
  std::uint32_t valid_bytes = 0;  // of the file; what follows in the unit reads as zeros
  std::uint32_t unit = 0;         // in the block

  friend bool operator==(const Patch&, const Patch&) = default;
};

struct Block {
  UnitRun place{};  // of the base; count 0: a hole
  std::uint32_t stored_bytes = 0;
  std::uint32_t valid_bytes = 0;
  bool unwritten = false;
  base::Hash128 hash{};
  std::vector<Patch> patches{};  // ascending by unit

  [[nodiscard]] bool has_base() const noexcept { return place.count != 0; }

  [[nodiscard]] bool is_empty() const noexcept { return !has_base() && patches.empty(); }

  // The same without patches.
  [[nodiscard]] Block base() const {
    return {.place = place,
            .stored_bytes = stored_bytes,
            .valid_bytes = valid_bytes,
            .unwritten = unwritten,
            .hash = hash};
  }

  // The base's bytes stand in blocks.dat.
  [[nodiscard]] bool is_written() const noexcept { return place.count != 0 && !unwritten; }

  [[nodiscard]] bool has_bytes() const noexcept { return is_written() || !patches.empty(); }

  [[nodiscard]] const Patch* patch_of(std::uint32_t unit) const noexcept;

  // The unit is the base's, which was put aside.
  [[nodiscard]] bool is_in_place(const Patch& patch) const noexcept {
    return unwritten && patch.unit < place.count && patch.place == place.first + patch.unit;
  }

  // Where the bytes end: what follows in the block reads as zeros.
  [[nodiscard]] std::uint32_t end_bytes() const noexcept;
  // What the block takes of the space.
  [[nodiscard]] std::uint64_t units() const noexcept;
  // Units of patches that are not the base's.
  [[nodiscard]] std::vector<UnitRun> patch_places() const;

  friend bool operator==(const Block&, const Block&) = default;
};

// Of a written block: what other references of it have in common.
[[nodiscard]] inline StoredBlock stored_block(const Block& block) noexcept {
  return {.hash = block.hash, .place = block.place, .stored_bytes = block.stored_bytes};
}

using Run = std::array<Block, format::blocks_per_run>;

[[nodiscard]] constexpr std::uint64_t run_of(std::uint64_t block) noexcept {
  return block - block % format::blocks_per_run;
}

[[nodiscard]] std::string encode_run(const Run& run);
[[nodiscard]] Result<Run> decode_run(Ino ino, std::string_view value);

// The run that starts at `first_block`; all holes when there is no record.
[[nodiscard]] Result<Run> load_run(Tree volume, Ino ino, std::uint64_t first_block);

// Block lookups of one operation: keeps the run it looked at last.
class ExtentReader {
 public:
  ExtentReader(Tree volume, Ino ino) noexcept : volume_(volume), ino_(ino) {}

  // Valid until the next call.
  [[nodiscard]] Result<const Block*> find(std::uint64_t block);

 private:
  Tree volume_;
  Ino ino_;
  std::uint64_t loaded_ = ~std::uint64_t{0};  // first block of run_
  Run run_;
};

// The runs of a file in ascending order, from the one that holds `from` on.
class ExtentScan {
 public:
  ExtentScan(Tree volume, Ino ino, std::uint64_t from);

  // False at the end.
  [[nodiscard]] Result<bool> next();

  // After next() gave true.
  [[nodiscard]] std::uint64_t first() const noexcept { return first_; }

  [[nodiscard]] const Run& run() const noexcept { return run_; }

 private:
  Ino ino_;
  Scan scan_;
  std::uint64_t first_ = 0;
  Run run_;
};

}  // namespace artfs::data
