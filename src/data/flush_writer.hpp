// SPDX-License-Identifier: Apache-2.0
// FlushWriter: the second step of a flush: decides where the bytes go, completes, hashes, writes them.
//
// Contract:   runs once per flush, without the inode's lock: reads the in-flight layer, the contents as
//             they were and the extents, which nobody changes meanwhile. Fills the FlushState. Content
//             that is stored already is not written again but named (ContentFinder), also when it
//             comes up twice in the flush itself. Blocks of which little changed are patched
//             (patch_policy.hpp).
// Cost:       a write per run of neighbouring blocks (at most 4 MiB each); partial blocks are read.
// Errors:     no_space only when promises were not enough after an abort; block_corrupt; io_failed.
//             The state stays fit for aborted().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/content_finder.hpp"
#include "data/file_bytes_impl.hpp"
#include "data/patch_writer.hpp"

namespace artfs::data {

class FlushWriter {
 public:
  FlushWriter(FileBytesImpl& impl, FlushState& state) noexcept;

  [[nodiscard]] Result<void> run();

 private:
  // How a block gets its place.
  enum class Way : std::uint8_t {
    undecided,
    in_place,   // where fallocate put space aside
    fresh,      // in fresh space, of which only this flush knows
    claimed,    // in fresh space that others may name too
    shared,     // equal content stands there already
    twin,       // as another block of this window
    postponed,  // another flush writes this content
  };

  // A block to be stored.
  struct Item {
    std::uint64_t index = 0;
    const DirtyBlock* dirty = nullptr;
    Block block;                       // lengths; then hash and place
    std::vector<std::byte> completed;  // when the layer alone does not have all bytes
    std::span<const std::byte> bytes;  // stored_bytes of them
    Way way = Way::undecided;
    const Item* twin = nullptr;  // earlier in the window
    bool settles = false;        // in place, where patches have the rest already
  };

  [[nodiscard]] Result<void> cut_extents();
  [[nodiscard]] Result<void> cut_run(std::uint64_t first, const Run& run);
  [[nodiscard]] Result<void> cut_block(std::uint64_t index, std::uint32_t end);
  [[nodiscard]] bool removed_enough() const noexcept;
  [[nodiscard]] Result<void> void_extents();
  [[nodiscard]] Result<void> void_range(BlockRange range);
  [[nodiscard]] Result<bool> go_inline();
  [[nodiscard]] Result<void> plan_blocks();
  [[nodiscard]] Result<void> plan_block(std::uint64_t index, const DirtyBlock& dirty);
  [[nodiscard]] Result<void> plan_preallocation();
  [[nodiscard]] Result<void> allocate_preallocation();
  // Windows bound the memory for completed blocks.
  [[nodiscard]] Result<void> store_blocks();
  [[nodiscard]] Result<void> store_window(std::span<Item> window);
  [[nodiscard]] Result<void> load(Item& item);
  [[nodiscard]] Result<void> decide(std::span<Item> window, ContentFinder& finder);
  [[nodiscard]] Result<void> place(std::span<Item* const> fresh);
  [[nodiscard]] Result<void> write_blocks(std::span<const Item* const> items);
  [[nodiscard]] Result<void> write_group(std::span<const Item* const> group);
  [[nodiscard]] Result<void> write_dirty_units(const Item& item);
  [[nodiscard]] Result<void> name(Item& item);
  void drop(std::uint64_t index, const Block& block);

  FileBytesImpl& impl_;
  FlushState& state_;
  const Layer& layer_;
  const std::uint64_t block_bytes_;
  ByteReader reader_;
  PatchWriter patches_;
  std::vector<Item> items_;
  std::vector<std::uint64_t> preallocated_;  // block numbers
};

}  // namespace artfs::data
