// SPDX-License-Identifier: Apache-2.0
// Pool: a fixed number of buffers that hold blocks of file contents, found by their hash.
//
// Contract:   see block.hpp for the states and states.hpp for what moves a block between them. The memory
//             is taken at once and backed by the system as it is first used; nothing else is allocated
//             that grows with the number of blocks used.
// Threading:  any thread.
// Errors:     none: nullopt when not enough buffers can be had (every one of them is held).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "data/pool/block.hpp"
#include "data/pool/registry.hpp"
#include "data/pool/states.hpp"
#include "io/aligned_buffer.hpp"

namespace artfs::data::pool {

struct PoolOptions {
  std::size_t blocks = 0;  // 0: a pool that finds nothing and gives nothing
  std::size_t block_bytes = 0;
  BlockCachePolicy policy = BlockCachePolicy::multi_lru;
  Duplicates duplicates = Duplicates::reject;
};

class Pool {
 public:
  explicit Pool(const PoolOptions& options);

  // All or nothing; buffers are aligned for O_DIRECT when block_bytes is.
  [[nodiscard]] std::optional<std::vector<MutableBlock>> allocate(std::size_t count);
  [[nodiscard]] std::optional<MutableBlock> allocate();

  // The block of this hash from now on: this one, or with Duplicates::reject the one that was there.
  ImmutableBlock register_block(CompleteBlock&& block);

  [[nodiscard]] std::optional<ImmutableBlock> find(const base::Hash128& hash);
  // Blocks of the longest prefix of `hashes` that is cached.
  [[nodiscard]] std::vector<ImmutableBlock> find_prefix(std::span<const base::Hash128> hashes);
  // One answer per hash.
  [[nodiscard]] std::vector<std::optional<ImmutableBlock>> find_scattered(
      std::span<const base::Hash128> hashes);

  // The contents will not be asked for any more (the file is gone): reset when nobody holds them.
  void reset_on_release(const base::Hash128& hash) noexcept { states_.reset_on_release(hash); }

  [[nodiscard]] Registry& registry() noexcept { return registry_; }

  [[nodiscard]] bool enabled() const noexcept { return options_.blocks > 0; }

  [[nodiscard]] BlockCacheStats stats() const;

 private:
  friend class detail::Owned;
  friend class MutableBlock;
  friend class CompleteBlock;
  friend class ImmutableBlock;
  friend class WeakBlock;

  [[nodiscard]] std::span<std::byte> buffer(Slot slot) noexcept {
    return memory_.span().subspan(slot.index * options_.block_bytes, options_.block_bytes);
  }

  const PoolOptions options_;
  io::AlignedBuffer memory_;
  Registry registry_;
  States states_;
};

}  // namespace artfs::data::pool
