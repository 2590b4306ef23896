// SPDX-License-Identifier: Apache-2.0
// MemoryInode: one file of a MemoryDirectory: its bytes, and what a power cut may still take from it.
//
// Contract:   every change since the last good sync is kept with what it replaced, so that the durable
//             contents can be found again. After a failed sync nothing that was pending then ever
//             becomes durable by a later sync (Linux marks the pages clean: TRAPS P16).
// Threading:  the directory's mutex.
// Cost:       memory of the unsynced changes, twice.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/sparse_bytes.hpp"

namespace artfs::io {

class MemoryInode {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept { return current_.size(); }

  [[nodiscard]] const SparseBytes& current() const noexcept { return current_; }

  void write(std::uint64_t offset, std::span<const std::byte> data);
  void resize(std::uint64_t size_bytes);
  void zero(std::uint64_t offset, std::uint64_t length);
  // On the device too, as a decaying medium does. Pending changes stay pending.
  void flip_bit(std::uint64_t bit);

  // A sync covers the changes that were there when it began.
  [[nodiscard]] std::uint64_t changes_seen() const noexcept { return base_ + changes_.size(); }

  void synced(std::uint64_t changes_seen);
  void sync_failed(std::uint64_t changes_seen);

  // What a machine finds after a power cut. Of the unsynced changes each 512-byte sector keeps an
  // older or newer state: mostly together with the other sectors of its 4 KiB page, for one seed in
  // eight always so, for one in eight each sector for itself; independent of other pages. The size is
  // that after some prefix of the changes.
  [[nodiscard]] SparseBytes after_power_cut(std::uint64_t seed) const;
  // Only what was synced.
  [[nodiscard]] SparseBytes durable() const;
  // Contents that are durable from the start.
  void assign(SparseBytes contents);

 private:
  struct Change {
    enum class Kind : std::uint8_t { write, resize, zero };
    Kind kind = Kind::write;
    std::uint64_t offset = 0;  // or the new size
    std::uint64_t length = 0;
    std::uint64_t old_size = 0;
    std::vector<std::byte> data;      // written
    std::vector<std::byte> replaced;  // what stood below old_size in the range
  };

  [[nodiscard]] std::vector<std::byte> copy_below_size(std::uint64_t offset,
                                                       std::uint64_t length) const;
  static void redo(SparseBytes& bytes, const Change& change);
  static void undo(SparseBytes& bytes, const Change& change);

  SparseBytes current_;
  std::vector<Change> changes_;   // oldest first
  std::uint64_t base_ = 0;        // number of the first change
  std::uint64_t lost_below_ = 0;  // changes that no sync makes durable any more
};

}  // namespace artfs::io
