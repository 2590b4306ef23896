// SPDX-License-Identifier: Apache-2.0
// FlushWriter: the second step of a flush: decides where the bytes go, completes, hashes, writes them.
//
// Contract:   runs once per flush, without the inode's lock: reads the in-flight layer, the contents as
//             they were and the extents, which nobody changes meanwhile. Fills the FlushState.
// Cost:       a write per run of neighbouring blocks (at most 4 MiB each); partial blocks are read.
// Errors:     no_space only when promises were not enough after an abort; block_corrupt; io_failed.
//             The state stays fit for aborted().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/file_bytes_impl.hpp"

namespace artfs::data {

class FlushWriter {
 public:
  FlushWriter(FileBytesImpl& impl, FlushState& state) noexcept;

  [[nodiscard]] Result<void> run();

 private:
  // A block to be written.
  struct Item {
    std::uint64_t index = 0;
    const DirtyBlock* dirty = nullptr;
    Block block;                       // place and lengths; hash once written
    std::vector<std::byte> completed;  // when the layer alone does not have all bytes
  };

  [[nodiscard]] Result<void> cut_extents();
  void cut_run(std::uint64_t first, const Run& run);
  [[nodiscard]] Result<void> void_extents();
  [[nodiscard]] Result<void> void_range(BlockRange range);
  [[nodiscard]] Result<bool> go_inline();
  [[nodiscard]] Result<void> plan_blocks();
  [[nodiscard]] Result<void> plan_preallocation();
  [[nodiscard]] Result<void> allocate();
  [[nodiscard]] Result<void> write_blocks();
  [[nodiscard]] Result<void> write_group(std::span<Item> group);
  [[nodiscard]] Result<std::span<const std::byte>> bytes_of(Item& item);
  void drop(std::uint64_t index, const Block& block);
  void settle();

  FileBytesImpl& impl_;
  FlushState& state_;
  const Layer& layer_;
  const std::uint64_t block_bytes_;
  ByteReader reader_;
  std::vector<Item> items_;
  std::vector<std::uint64_t> preallocated_;  // block numbers
};

}  // namespace artfs::data
