// SPDX-License-Identifier: Apache-2.0
// MutableBlock, CompleteBlock, ImmutableBlock, WeakBlock: a block's states as types.
//
//   MutableBlock ──complete──► CompleteBlock ──register_block──► ImmutableBlock ⇄ WeakBlock
//
// Contract:   each step consumes the handle it starts from, so that a wrong transition does not compile; a
//             moved-from handle holds nothing. Dropping a MutableBlock or a CompleteBlock resets its buffer;
//             dropping the last ImmutableBlock makes the block inactive: found again or evicted. A
//             WeakBlock keeps nothing: upgrade() gives the block while its contents are cached.
//             Bytes of an ImmutableBlock never change. No handle outlives its Pool.
// Threading:  a handle: one thread at a time; handles of one block: any threads.
// Cost:       upgrade while somebody holds the block, and share: one atomic operation. The rest: one lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "data/pool/slot.hpp"

namespace artfs::data::pool {

class Pool;
class CompleteBlock;

namespace detail {

// The buffer of one owner: reset when dropped.
class Owned {
 public:
  Owned(Pool& pool, Slot slot) noexcept : pool_(&pool), slot_(slot) {}

  Owned(Owned&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), slot_(other.slot_) {}

  Owned& operator=(Owned&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(slot_, other.slot_);
    return *this;
  }

  ~Owned();

  [[nodiscard]] Pool& pool() const noexcept { return *pool_; }

  [[nodiscard]] Slot slot() const noexcept { return slot_; }

  // The buffer goes on in another state.
  Slot release() noexcept {
    pool_ = nullptr;
    return slot_;
  }

 private:
  Pool* pool_;
  Slot slot_;
};

}  // namespace detail

class [[nodiscard]] MutableBlock {
 public:
  // The whole buffer; its contents start undefined.
  [[nodiscard]] std::span<std::byte> bytes() noexcept;
  // Its first identity.bytes bytes are what the hash says.
  CompleteBlock complete(const Identity& identity) &&;

 private:
  friend class Pool;

  explicit MutableBlock(detail::Owned owned) noexcept : owned_(std::move(owned)) {}

  detail::Owned owned_;
};

class [[nodiscard]] CompleteBlock {
 public:
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  [[nodiscard]] const base::Hash128& hash() const noexcept;

 private:
  friend class MutableBlock;
  friend class Pool;

  explicit CompleteBlock(detail::Owned owned) noexcept : owned_(std::move(owned)) {}

  detail::Owned owned_;
};

class WeakBlock;

class [[nodiscard]] ImmutableBlock {
 public:
  ImmutableBlock(ImmutableBlock&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), tenure_(other.tenure_) {}

  ImmutableBlock& operator=(ImmutableBlock&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(tenure_, other.tenure_);
    return *this;
  }

  ~ImmutableBlock();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  [[nodiscard]] const base::Hash128& hash() const noexcept;
  ImmutableBlock share() const noexcept;
  [[nodiscard]] WeakBlock weak() const noexcept;

 private:
  friend class Pool;
  friend class WeakBlock;

  ImmutableBlock(Pool& pool, Tenure tenure) noexcept : pool_(&pool), tenure_(tenure) {}

  Pool* pool_;
  Tenure tenure_;
};

class WeakBlock {
 public:
  [[nodiscard]] const base::Hash128& hash() const noexcept { return hash_; }

  [[nodiscard]] std::optional<ImmutableBlock> upgrade() const;

 private:
  friend class ImmutableBlock;

  WeakBlock(Pool& pool, Tenure tenure, const base::Hash128& hash) noexcept
      : pool_(&pool), tenure_(tenure), hash_(hash) {}

  Pool* pool_;
  Tenure tenure_;
  base::Hash128 hash_;
};

}  // namespace artfs::data::pool
