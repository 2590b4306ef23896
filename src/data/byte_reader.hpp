// SPDX-License-Identifier: Apache-2.0
// ByteReader: the bytes of one file through its layers: active, in flight, inline or blocks.
//
// Contract:   `layers` from top to bottom, without gaps; what they, the contents and the file point to
//             outlives the reader. Each layer hides what its cut voids and what lies behind the size
//             of the layer below (TAIL).
// Threading:  one thread; the caller keeps the layers unchanged.
//             plan() may run under the inode's lock and fetch() of what it left without it.
// Errors:     block_corrupt with the block number in `detail`; record_corrupt; io_failed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/block_file.hpp"
#include "data/contents.hpp"
#include "data/extents.hpp"
#include "data/layer.hpp"
#include "data/read_plan.hpp"

namespace artfs::data {

struct FileView {
  Ino ino;
  const Contents* contents = nullptr;
  std::array<const Layer*, 2> layers{};  // top first; null ones are skipped
};

class ByteReader {
 public:
  ByteReader(BlockFile& file, Tree volume, std::uint32_t block_bytes,
             const FileView& view) noexcept;

  // The file's size as the top layer says.
  [[nodiscard]] std::uint64_t size() const noexcept;

  // Where the bytes below the top layer end: at its cut or the size below it.
  [[nodiscard]] std::uint64_t visible_below() const noexcept { return visible_below(0); }

  // Bytes of the range that lie in the file.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out);

  // The same inside one block, whatever the size says; bytes behind everything are zero.
  [[nodiscard]] Result<void> read_block(std::uint64_t index, std::uint32_t from,
                                        std::span<std::byte> out);

  // As read(), but what stands in blocks.dat is left to be read.
  [[nodiscard]] Result<ReadPlan> plan(std::uint64_t offset, std::span<std::byte> out);

 private:
  [[nodiscard]] std::uint64_t visible_below(std::size_t level) const noexcept;
  [[nodiscard]] Result<void> fill(std::size_t level, std::uint64_t index, std::uint32_t from,
                                  std::span<std::byte> out);
  [[nodiscard]] Result<void> fill_base(std::uint64_t index, std::uint32_t from,
                                       std::span<std::byte> out);
  void fill_stored(const Block& block, std::uint64_t index, std::uint32_t from,
                   std::span<std::byte> out);
  [[nodiscard]] Result<void> fetch(const ReadPlan& plan);

  BlockFile& file_;
  const std::uint32_t block_bytes_;
  const Ino ino_;
  const Contents& contents_;
  std::array<const Layer*, 2> layers_{};
  std::size_t layers_count_ = 0;
  ExtentReader extents_;
  ReadPlan plan_;  // found by fill(), not read yet
};

}  // namespace artfs::data
