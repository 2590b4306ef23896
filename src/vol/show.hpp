// SPDX-License-Identifier: Apache-2.0
// What is shown of inodes, one or very many: the record, and what was accepted since.
//
// Contract:   a size or time that was accepted before the call is shown, whether it stands in the record yet
//             or not: the state of an open inode is asked for before the record is read, and a flush moves its
//             changes under the state's mutex. So a record may be read for many inodes at once only after
//             all of their states were asked for; records are never kept from one call to the next.
// Threading:  show_inode: any thread. A ShowReader: one thread at a time. Nothing stays locked.
// Cost:       show_inode one look-up. ShowReader::read sorts what is not in order, then a cursor steps over
//             neighbours; no allocation but for long symlinks. Measured with the listing around it only (many_files).
// Errors:     as getattr; of many, each in its own place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

struct ShownInode {
  Attr attr;
  std::uint64_t entries = 0;   // of a directory
  std::string target;          // of a symbolic link
  std::optional<Error> error;  // attr is its number alone
};

[[nodiscard]] Result<void> show_inode(Core& core, Ino ino, ShownInode& out);

class ShowReader {
 public:
  explicit ShowReader(Core& core) noexcept : core_(core) {}

  // Fills in what belongs to each attr.ino.
  void read(std::span<ShownInode> inodes);

 private:
  // Neighbours this near are stepped over rather than sought: a seek costs several steps. A guess, not measured.
  static constexpr std::uint64_t gap_max = 24;

  struct Wanted {
    std::uint64_t ino;
    std::uint32_t at;  // in `inodes`
    bool is_open;
  };

  void sort(std::span<const ShownInode> inodes);
  void find_open();
  // From `first`, how far a cursor gets without a seek.
  [[nodiscard]] std::size_t run_end(std::size_t first) const noexcept;
  void read_run(std::size_t first, std::size_t end, std::span<ShownInode> inodes);
  void read_one(const Wanted& wanted, std::span<ShownInode> inodes);

  Core& core_;
  std::vector<Wanted> wanted_;  // in the order of their numbers
};

}  // namespace artfs::vol
