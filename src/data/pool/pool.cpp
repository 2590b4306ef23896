// SPDX-License-Identifier: Apache-2.0
#include "data/pool/pool.hpp"

#include <utility>

#include "base/assert.hpp"

namespace artfs::data::pool {

// --- handles ----------------------------------------------------------------------------------------

detail::Owned::~Owned() {
  if (pool_ != nullptr) pool_->states_.reset(slot_);
}

std::span<std::byte> MutableBlock::bytes() noexcept {
  return owned_.pool().buffer(owned_.slot());
}

CompleteBlock MutableBlock::complete(const Identity& identity) && {
  Pool& pool = owned_.pool();
  ARTFS_ASSERT(identity.bytes <= pool.options_.block_bytes);
  pool.states_.stage(owned_.slot(), identity);
  return CompleteBlock(std::move(owned_));
}

std::span<const std::byte> CompleteBlock::bytes() const noexcept {
  Pool& pool = owned_.pool();
  return pool.buffer(owned_.slot()).first(pool.states_.identity(owned_.slot()).bytes);
}

const base::Hash128& CompleteBlock::hash() const noexcept {
  return owned_.pool().states_.identity(owned_.slot()).hash;
}

ImmutableBlock::~ImmutableBlock() {
  if (pool_ != nullptr && pool_->states_.release(tenure_)) pool_->states_.retire(tenure_);
}

std::span<const std::byte> ImmutableBlock::bytes() const noexcept {
  return pool_->buffer(tenure_.slot).first(pool_->states_.identity(tenure_.slot).bytes);
}

const base::Hash128& ImmutableBlock::hash() const noexcept {
  return pool_->states_.identity(tenure_.slot).hash;
}

ImmutableBlock ImmutableBlock::share() const noexcept {
  pool_->states_.share(tenure_);
  return {*pool_, tenure_};
}

WeakBlock ImmutableBlock::weak() const noexcept {
  return {*pool_, tenure_, hash()};
}

std::optional<ImmutableBlock> WeakBlock::upgrade() const {
  if (pool_->states_.try_share(tenure_)) return ImmutableBlock(*pool_, tenure_);
  return pool_->find(hash_);
}

// --- Pool -------------------------------------------------------------------------------------------

Pool::Pool(const PoolOptions& options)
    : options_(options),
      memory_(options.blocks * options.block_bytes),
      states_(
          registry_,
          {.slots = options.blocks, .policy = options.policy, .duplicates = options.duplicates}) {}

std::optional<std::vector<MutableBlock>> Pool::allocate(std::size_t count) {
  std::vector<Slot> slots(count);
  if (!states_.allocate(slots)) return std::nullopt;
  std::vector<MutableBlock> blocks;
  blocks.reserve(count);
  for (const Slot slot : slots) blocks.push_back(MutableBlock(detail::Owned(*this, slot)));
  return blocks;
}

std::optional<MutableBlock> Pool::allocate() {
  Slot slot;
  if (!states_.allocate(std::span(&slot, 1))) return std::nullopt;
  return MutableBlock(detail::Owned(*this, slot));
}

ImmutableBlock Pool::register_block(CompleteBlock&& block) {
  ARTFS_ASSERT(&block.owned_.pool() == this);
  return {*this, states_.enter(block.owned_.release())};
}

std::optional<ImmutableBlock> Pool::find(const base::Hash128& hash) {
  std::optional<Tenure> tenure;
  if (states_.find_scattered(std::span(&hash, 1), std::span(&tenure, 1)) == 0) return std::nullopt;
  return ImmutableBlock(*this, *tenure);
}

std::vector<ImmutableBlock> Pool::find_prefix(std::span<const base::Hash128> hashes) {
  std::vector<Tenure> tenures(hashes.size());
  const std::size_t found = states_.find_prefix(hashes, tenures);
  std::vector<ImmutableBlock> blocks;
  blocks.reserve(found);
  for (std::size_t i = 0; i < found; ++i) blocks.push_back(ImmutableBlock(*this, tenures[i]));
  return blocks;
}

std::vector<std::optional<ImmutableBlock>> Pool::find_scattered(
    std::span<const base::Hash128> hashes) {
  std::vector<std::optional<Tenure>> tenures(hashes.size());
  static_cast<void>(states_.find_scattered(hashes, tenures));
  std::vector<std::optional<ImmutableBlock>> blocks;
  blocks.reserve(hashes.size());
  for (const std::optional<Tenure>& tenure : tenures) {
    if (tenure) {
      blocks.emplace_back(ImmutableBlock(*this, *tenure));
    } else {
      blocks.emplace_back(std::nullopt);
    }
  }
  return blocks;
}

BlockCacheStats Pool::stats() const {
  BlockCacheStats stats = states_.stats();
  stats.budget_bytes = options_.blocks * options_.block_bytes;
  return stats;
}

}  // namespace artfs::data::pool
