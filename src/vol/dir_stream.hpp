// SPDX-License-Identifier: Apache-2.0
// DirStreamImpl: an open directory: a scan of its entries by number.
//
// Contract:   as DirStream in volume.hpp. An entry's offset is its number (format/dirent.hpp), which it
//             has from its first moment to its last and which no other entry ever has: so an offset
//             means the same in every stream and after a restart, and also the place of an entry that is
//             gone. A name that is replaced or exchanged keeps its number, a renamed one too: who
//             renames what he lists, or replaces it, sees each once and comes to an end. Entries made
//             after the stream read its first one are not listed, but for the rest of one run of 64
//             numbers: the listing of a directory that others fill ends.
//             A volume that was last written before entries had numbers, opened read-only, is listed by
//             name; offsets are ordinals then.
// Threading:  one thread at a time; locks nothing but the number allocator, once.
// Cost:       a step is a step of Scan, a seek one descent; the memory of one batch of a Scan, whatever the
//             size of the directory. Entries come in the order of their inodes, so that whoever looks at
//             each (ls -l, cp -a, rm -rf) walks the records of neighbours.
// Source:     btrfs' directory index. Considered instead, and rejected: a persisted order by hash (random
//             inodes for whoever looks at what he lists, and two names may share an offset); offsets that are
//             hashes with a window per open directory, as we had it (a seek outside of the window read the
//             directory from its start, and started over when the entry was gone). What it costs: a second
//             record per entry: 0.9 us of CPU and 40 bytes of log more per file made (3.0 us, 360 bytes before), 14 %
//             more metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

class DirStreamImpl {
 public:
  static constexpr std::int64_t after_dot = 1;
  static constexpr std::int64_t after_dotdot = 2;

  DirStreamImpl(Core& core, Ino dir) noexcept : core_(core), dir_(dir) {}

  [[nodiscard]] Result<void> seek(std::int64_t offset);
  [[nodiscard]] Result<const DirEntry*> next();
  void unread() noexcept;

 private:
  Result<bool> step_dots();
  Result<bool> step_number();
  Result<bool> step_name();
  void start_numbers();
  Result<void> start_names();

  Core& core_;
  const Ino dir_;
  std::optional<Scan> scan_;   // none: starts behind position_
  std::uint64_t bound_ = 0;    // entries from here on are newer than the listing; 0: not known yet
  std::string name_;           // of entry_
  DirEntry entry_;             // the last one returned
  std::int64_t before_ = 0;    // position before entry_
  std::int64_t position_ = 0;  // where the next entry follows
  bool unread_ = false;        // entry_ comes again
  bool end_ = false;
};

}  // namespace artfs::vol
