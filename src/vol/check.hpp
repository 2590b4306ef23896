// SPDX-License-Identifier: Apache-2.0
// check: a walk over everything a volume holds, compared with what its records say of each other.
//
// Contract:   reads the committed state and changes nothing. Found: names without inode or of another
//             type, entries that listings miss or make up, wrong link counts, wrong parents and entry counts, inodes nobody can reach, orphans
//             without mark and marks without orphan, attributes, extents and logged writes of nobody, logged writes that
//             cannot be understood or that their file does not announce, extents that
//             overlap, leave the file or disagree with the record, references of blocks that are not
//             those of the block index, free space that is not the complement, counters that differ from the walk, and what Store::verify finds.
// Threading:  one thread; a volume that is written to meanwhile may look broken when it is not.
// Cost:       one scan of the tree; 24 bytes per name, 24 per inode and 56 per block in memory;
//             read_contents reads every block.
// Errors:     only when the tree cannot be read at all; everything else is a problem in the report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "artfs/volume.hpp"

#include "data/block_index.hpp"
#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<CheckReport> check(Core& core, const CheckOptions& options);

inline constexpr std::size_t problems_max = 1000;  // reported; more say little more

void report(CheckReport& out, std::string problem);

// The entries by name and by number: the same ones.
class NumberCheck {
 public:
  NumberCheck(Core& core, CheckReport& out) noexcept : core_(core), out_(out) {}

  // Once per entry by name that can be read.
  void add_name(Ino dir, const format::Dirent& entry, std::string_view name);
  // After the last one.
  [[nodiscard]] Result<void> finish();

 private:
  Result<void> compare();

  Core& core_;
  CheckReport& out_;
  std::uint64_t names_ = 0;
  std::uint64_t sum_ = 0;  // of all entries by name, less all by number
};

// The extents of all files, and the space between them.
class SpaceCheck {
 public:
  SpaceCheck(Core& core, const CheckOptions& options, CheckReport& out) noexcept
      : core_(core), options_(options), out_(out) {}

  // Once per regular file.
  [[nodiscard]] Result<void> add_file(Ino ino, const format::Inode& inode);
  // After the last file.
  [[nodiscard]] Result<void> finish();

 private:
  // A reference of an extent, or free space.
  struct Run {
    data::StoredBlock block;  // stored_bytes 0: only the place counts
    std::uint64_t owner = 0;  // inode number, 0: free
    bool counted = false;     // by its entry in the block index

    // References of one block stand together.
    [[nodiscard]] static bool is_before(const Run& left, const Run& right) noexcept {
      const auto order = [](const data::StoredBlock& which) {
        return std::tuple(which.place.first, which.hash.high, which.hash.low);
      };
      return order(left.block) < order(right.block);
    }
  };

  struct BadBlock {
    std::uint64_t ino;
    std::uint64_t index;
    Error error;
  };

  [[nodiscard]] Result<void> name_bad_blocks();
  [[nodiscard]] Result<void> check_references();
  void check_entry(const data::StoredBlock& block, std::uint64_t references);
  void check_counter(std::string_view what, std::uint64_t counted, std::uint64_t walked);
  void check_units();

  Core& core_;
  const CheckOptions& options_;
  CheckReport& out_;
  std::vector<Run> runs_;
  std::vector<BadBlock> bad_blocks_;
  std::uint64_t used_units_ = 0;  // each block once
  data::BlockFigures figures_;    // of the entries of the block index
};

}  // namespace artfs::vol
