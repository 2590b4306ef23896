// SPDX-License-Identifier: Apache-2.0
// DirStreamImpl: an open directory: a scan of its names with offsets one can come back to.
//
// Contract:   as DirStream in volume.hpp. The offset of an entry is a hash of its name, so it means
//             the same in every stream and after a restart. Where it is in the directory is known
//             without a search for the current position and for the window of entries returned last
//             (a reader that discards the end of a reply comes back into it), also when the entry was
//             removed since. Any other offset is searched for by reading the directory from its start
//             until a name has that hash; if none has it (the entry was removed meanwhile), the
//             stream starts over, so that nothing is lost and some entries may come again. Of two
//             names with one hash (once in 10^5 directories of ten million names) the current
//             position and the window tell them apart, a search finds the first.
// Threading:  one thread at a time; locks nothing.
// Cost:       a step is a step of Scan; the window holds at most window_entries_max names and
//             window_bytes_max bytes, whatever the size of the directory. A search reads up to the
//             whole directory: about a second for ten million entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "artfs/volume.hpp"

#include "vol/core.hpp"

namespace artfs::vol {

// 63 bits, never 0 to 2.
[[nodiscard]] std::int64_t name_offset(std::string_view name) noexcept;

class DirStreamImpl {
 public:
  using Hash = std::int64_t (*)(std::string_view) noexcept;

  static constexpr std::size_t window_entries_max = 8192;
  static constexpr std::size_t window_bytes_max = 256 * kib;
  static constexpr std::int64_t after_dot = 1;
  static constexpr std::int64_t after_dotdot = 2;

  // `hash` is replaced by tests only, to make collisions and small windows likely.
  DirStreamImpl(Core& core, Ino dir, Hash hash = name_offset,
                std::size_t window_entries = window_entries_max) noexcept
      : core_(core), dir_(dir), hash_(hash), window_entries_(window_entries) {}

  [[nodiscard]] Result<void> seek(std::int64_t offset);
  [[nodiscard]] Result<const DirEntry*> next();
  void unread() noexcept;

 private:
  struct Seen {
    std::int64_t offset;
    std::string name;
  };

  Result<const DirEntry*> step();
  Result<bool> step_name();
  Result<void> search(std::int64_t offset);
  void start_after(std::string_view name);
  void remember();
  [[nodiscard]] const Seen* find_seen(std::int64_t offset) const noexcept;

  Core& core_;
  const Ino dir_;
  const Hash hash_;
  const std::size_t window_entries_;
  std::optional<Scan> scan_;   // none: "." and ".." are not passed yet
  std::string scan_start_;     // what scan_'s views point to
  std::string name_;           // of entry_
  DirEntry entry_;             // the last one returned; offset 0: none yet
  std::int64_t before_ = 0;    // position before entry_
  std::int64_t position_ = 0;  // where the next entry follows
  bool unread_ = false;        // entry_ comes again
  bool end_ = false;
  std::deque<Seen> window_;
  std::size_t window_bytes_ = 0;
};

}  // namespace artfs::vol
