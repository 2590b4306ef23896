// SPDX-License-Identifier: Apache-2.0
// FlushState: what a flush carries from step to step; RunEditor: the extent runs it changes.
//
// Contract:   extents of an inode change only through its one running flush (or reclaim), so what is
//             loaded in write_out is still true in finish_flush.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "data/buffer.hpp"
#include "data/change.hpp"
#include "data/contents.hpp"
#include "data/extents.hpp"
#include "data/layer.hpp"

namespace artfs::data {

class RunEditor {
 public:
  RunEditor(Tree volume, Ino ino) noexcept : volume_(volume), ino_(ino) {}

  // The block as it will be; change it through set().
  [[nodiscard]] Result<const Block*> get(std::uint64_t index);
  // get() of the block, or put_run(), came before.
  void set(std::uint64_t index, const Block& block);
  // A run known from a scan; nothing happens when it is here already.
  void put_run(std::uint64_t first, const Run& run);

  [[nodiscard]] std::size_t runs_count() const noexcept { return runs_.size(); }

  // Adds the changed records to the transaction.
  void write_to(Txn& txn) const;

 private:
  struct Edit {
    Run run;
    bool changed = false;
  };

  Tree volume_;
  Ino ino_;
  std::map<std::uint64_t, Edit> runs_;  // by first block
};

struct FlushState {
  // The extents name the block, or cease to: space and references follow. What is gained has no patches.
  void gain(const Block& block);
  void lose(const Block& block);
  // The same of units without bytes, or of patches.
  void gain_units(UnitRun run);
  void lose_units(UnitRun run);
  // A place for each of `sizes`: promises become units, as far as they go.
  [[nodiscard]] Result<std::vector<UnitRun>> allocate(std::span<const std::uint32_t> sizes);

  // Bytes now stand where fallocate had put space aside.
  void settle(const Block& block) { settled.push_back(stored_block(block)); }

  FlushState(FileBytesImpl& impl, Tree volume, Ino inode, Buffer& its_buffer) noexcept
      : owner(&impl), ino(inode), buffer(&its_buffer), edits(volume, inode) {}

  FileBytesImpl* owner;
  Ino ino;
  Buffer* buffer;
  const Layer* layer = nullptr;  // the in-flight layer of buffer
  Contents before;               // when the flush began
  Contents after;                // what write_out made of it
  RunEditor edits;
  std::vector<UnitRun> allocated;   // for what fallocate asked, and patches
  std::vector<UnitRun> freed;       // never written, or patches
  std::vector<StoredBlock> gained;  // references, as in Change
  std::vector<StoredBlock> lost;
  std::vector<StoredBlock> settled;
  std::vector<UnitRun> taken;         // from Space: all of this flush but offered blocks
  std::vector<StoredBlock> held;      // in Space, until the flush ends
  std::uint64_t converted_units = 0;  // promises turned into units
  std::uint64_t kept_units = 0;       // promises that `left_over` still needs
  std::vector<BlockRange> left_over;  // of preallocate, for the next flush
  bool tail_is_clean = false;         // nothing stands behind the old size (TAIL), no need to look
  bool deferred =
      false;  // only extents were removed: the layer goes back and the next flush goes on
  bool written_out = false;
  std::uint64_t write_ticket =
      0;  // W-DATA: BlockFile must have synced this far; 0: nothing written
};

}  // namespace artfs::data
