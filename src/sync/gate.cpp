// SPDX-License-Identifier: Apache-2.0
#include "sync/gate.hpp"

#include <sched.h>

#include "sync/park.hpp"

namespace artfs::sync {

// Dekker: a lease adds itself, then looks at closed_; exclusive sets closed_, then looks at the
// leases. All four are sequentially consistent, so at least one of the two sees the other.
Gate::Shard& Gate::enter() noexcept {
  const auto processor = static_cast<std::size_t>(::sched_getcpu());  // -1 becomes the last shard
  Shard& shard = shards_[processor & (shards_count - 1)];
  for (;;) {
    shard.leases.fetch_add(1, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst) == 0) return shard;
    leave(shard);
    for (std::uint32_t spin = 0; spin < spins_before_park; ++spin) {
      if (closed_.load(std::memory_order_relaxed) == 0) break;
      spin_step(spin);
    }
    park(closed_, 1);
  }
}

void Gate::leave(Shard& shard) noexcept {
  // Also the release that close() pairs with: what was done under the lease is visible to it.
  shard.leases.fetch_sub(1, std::memory_order_seq_cst);
  if (closed_.load(std::memory_order_seq_cst) == 0) return;
  drained_.fetch_add(1, std::memory_order_release);
  wake_all(drained_);
}

void Gate::close() noexcept {
  std::uint32_t expected = 0;
  while (!closed_.compare_exchange_strong(expected, 1, std::memory_order_seq_cst)) {
    park(closed_, 1);
    expected = 0;
  }
  for (Shard& shard : shards_) {
    for (std::uint32_t spin = 0; spin < spins_before_park; ++spin) {
      if (shard.leases.load(std::memory_order_seq_cst) == 0) break;
      spin_step(spin);
    }
    for (;;) {
      const std::uint32_t seen = drained_.load(std::memory_order_acquire);  // pairs with leave
      if (shard.leases.load(std::memory_order_seq_cst) == 0) break;
      park(drained_, seen);
    }
  }
}

void Gate::open() noexcept {
  // seq_cst store: also the release that the next leases pair with.
  closed_.store(0, std::memory_order_seq_cst);
  wake_all(closed_);
}

}  // namespace artfs::sync
