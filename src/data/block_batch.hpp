// SPDX-License-Identifier: Apache-2.0
// BlockBatch: the blocks of one read, from the cache or the device, verified.
//
// Contract:   whole blocks are read straight to where they are wanted; neighbours in the file that are
//             neighbours in blocks.dat in one transfer. A block wanted in part is read into a buffer of the
//             pool, verified as a whole and stays cached. What several readers miss at once one of them
//             reads; nobody waits for another while others wait for him. With every buffer held, blocks
//             are read into memory of their own.
// Threading:  one thread; holds no lock while it reads. Any number of batches at once.
// Cost:       one pool lock for all lookups; one batch of transfers for all that is missing; one copy of
//             the bytes wanted in part, none of whole blocks.
// Errors:     block_corrupt (detail: the block's number in the file), io_failed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "data/pool/pool.hpp"
#include "data/read_plan.hpp"
#include "io/aligned_buffer.hpp"
#include "io/device.hpp"

namespace artfs::data {

class BlockBatch {
 public:
  struct Source {
    io::File& file;
    pool::Pool& pool;
    std::uint64_t hash_seed = 0;
    Ino ino;  // whose blocks they are
  };

  BlockBatch(const Source& source, std::span<const BlockPiece> pieces);

  [[nodiscard]] Result<void> run();

 private:
  // One block on its way from the device.
  struct Load {
    std::size_t piece = 0;
    std::optional<pool::Loading> loading;
    std::optional<pool::MutableBlock> buffer;
    io::AlignedBuffer own;        // when the pool has no buffer
    std::span<std::byte> target;  // where the stored bytes go
    std::size_t transfer = 0;     // number of the transfer that brings it
    std::size_t end = 0;          // of its bytes in the transfer
  };

  [[nodiscard]] bool is_whole(const BlockPiece& piece) const noexcept;
  [[nodiscard]] Result<void> serve_cached();
  void copy_wanted(const BlockPiece& piece, std::span<const std::byte> stored) const;
  // Those of the missing that nobody else reads; the others stay pending.
  void choose_loads();
  void give_buffers();
  [[nodiscard]] Result<void> transfer();
  [[nodiscard]] Result<void> take_over(Load& load, const io::FileRead& read);

  const Source source_;
  const std::span<const BlockPiece> pieces_;
  std::vector<std::size_t> pending_;  // pieces not served yet
  std::vector<Load> loads_;
  std::vector<io::FileRead> reads_;
};

}  // namespace artfs::data
