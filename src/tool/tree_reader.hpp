// SPDX-License-Identifier: Apache-2.0
// TreeReader: the records of a part of a FileTree, a directory before its entries.
//
// Contract:   of a file with several names the first one met has the contents, the others are hard links to it. What
//             cannot be read is told to the Progress, and left out.
// Threading:  one thread.
// Cost:       some hundred bytes for each file with several names.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tool/file_record.hpp"
#include "tool/progress.hpp"

namespace artfs::tool {

// `file`: of a regular file that is no hard link. False ends it.
using RecordVisit = std::function<bool(FileRecord& record, OpenFile* file)>;

class TreeReader {
 public:
  // `shown`: what messages say in front of a path.
  TreeReader(FileTree& tree, std::string base, std::string shown, Progress& progress)
      : tree_(tree), base_(std::move(base)), shown_(std::move(shown)), progress_(progress) {}

  // Errors: those of find() of the base.
  [[nodiscard]] Result<void> run(const RecordVisit& visit);

  // The device and inode that are left out: an archive that is written into what it holds.
  void leave_out(std::uint64_t device, Ino ino) { left_out_ = {device, ino.raw}; }

 private:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;

  struct IdentityHash {
    std::size_t operator()(const Identity& identity) const noexcept {
      return std::hash<std::uint64_t>{}(identity.first * 31 + identity.second);
    }
  };

  bool show(const TreeEntry& entry, const RecordVisit& visit);
  [[nodiscard]] std::string shown_path(std::string_view path) const;

  FileTree& tree_;
  const std::string base_;
  const std::string shown_;
  Progress& progress_;
  std::optional<Identity> left_out_;
  std::unordered_map<Identity, std::string, IdentityHash> first_names_;
};

// In order; empty: one hole, or nothing.
[[nodiscard]] Result<std::vector<DataRange>> data_ranges(OpenFile& file, const FileRecord& record);

// The bytes of the ranges of `from`, and its size; `count` is told the bytes of each step. A file that became
// shorter meanwhile reads as zeros there.
[[nodiscard]] Result<void> copy_ranges(OpenFile& from, OpenFile& to, const FileRecord& record,
                                       const std::function<void(std::uint64_t)>& count);

}  // namespace artfs::tool
