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
//             next_with_attributes reads names ahead and then, of all that are ahead, the attributes (vol/show.hpp):
//             about as many as were asked for between the last two calls of forget_attributes. What was
//             read ahead and forgotten keeps its name alone.
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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artfs/volume.hpp"

#include "vol/core.hpp"
#include "vol/show.hpp"

namespace artfs::vol {

class DirStreamImpl {
 public:
  static constexpr std::int64_t after_dot = 1;
  static constexpr std::int64_t after_dotdot = 2;

  DirStreamImpl(Core& core, Ino dir) noexcept : core_(core), dir_(dir), reader_(core) {}

  [[nodiscard]] Result<void> seek(std::int64_t offset);
  [[nodiscard]] Result<const DirEntry*> next();
  [[nodiscard]] Result<const DirEntry*> next_with_attributes();
  void forget_attributes() noexcept;
  void unread() noexcept;

  [[nodiscard]] const Attr* attributes() const noexcept {
    return attributes_ ? &*attributes_ : nullptr;
  }

 private:
  static constexpr std::size_t ahead_min = 8;
  static constexpr std::size_t ahead_max = 240;  // as vol/walk.cpp

  // Entries that are listed, but not returned yet, or just returned: it may come back.
  struct Ahead {
    struct Name {
      std::size_t off;  // in `names`
      std::size_t bytes;
      Ino ino;
      std::uint32_t type;
      std::int64_t offset;
    };

    std::vector<ShownInode> inodes;
    std::vector<Name> entries;
    std::string names;
    std::size_t next = 0;
    bool has_attributes = false;  // those from `next` on
    bool is_at_end = false;       // nothing follows

    [[nodiscard]] bool is_used_up() const noexcept { return next == entries.size(); }
  };

  Result<bool> step();
  Result<void> read_ahead();
  void add_ahead();
  void show_ahead();
  const DirEntry* take_ahead();
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
  std::unique_ptr<Ahead> ahead_;    // once attributes were asked for
  bool is_from_ahead_ = false;      // entry_
  std::optional<Attr> attributes_;  // of entry_
  std::size_t asked_ = 0;           // attributes since they were forgotten
  std::size_t ahead_wanted_ = 24;   // what a page takes in a reply to the kernel
  ShowReader reader_;
  bool end_ = false;
};

}  // namespace artfs::vol
