// SPDX-License-Identifier: Apache-2.0
// Gate: admission of many against one. Many hold leases at once; one exclusive holder drains them.
//
// Contract:   a GateLease is one admission; GateExclusive holds the gate with nobody inside. The
//             destructor is the only exit. One thread holds at most one of both on one gate
//             (checked by rank: a second entry behind a waiting exclusive would deadlock).
// Threading:  any thread. A lease blocks while somebody is or wants to be exclusive; exclusive
//             blocks until the leases given before have ended. Leases are short: no I/O while one
//             is held.
// Cost:       a lease is one add and one load on a counter of the processor's own cache line, one
//             sub at its end. 64 bytes per shard, at most 16 shards.
// Invariants: I3 rests on this: inside GateExclusive nobody holds a lease, and all that happened
//             under earlier leases is visible.
// Source:     the "big reader" lock of the Linux kernel; Dekker's entry protocol.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/assert.hpp"
#include "base/lock_order.hpp"

namespace artfs::sync {

class Gate {
 public:
  explicit Gate(base::Rank rank) noexcept : rank_(rank) {}

  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  ~Gate() { ARTFS_ASSERT(closed_.load(std::memory_order_relaxed) == 0); }

  [[nodiscard]] base::Rank rank() const noexcept { return rank_; }

 private:
  friend class GateLease;
  friend class GateExclusive;

  static constexpr std::size_t shards_count = 16;  // a power of two; more processors share
  static constexpr std::size_t cache_line_bytes = 64;

  struct alignas(cache_line_bytes) Shard {
    std::atomic<std::uint32_t> leases{0};
  };

  // The shard the lease was counted in; a thread may leave on another processor than it entered on.
  [[nodiscard]] Shard& enter() noexcept;
  void leave(Shard& shard) noexcept;
  void close() noexcept;
  void open() noexcept;

  std::array<Shard, shards_count> shards_;
  std::atomic<std::uint32_t> closed_{0};   // 0 open, 1 exclusive or draining; leases park on it
  std::atomic<std::uint32_t> drained_{0};  // changes when a lease ends while closed
  const base::Rank rank_;
};

class [[nodiscard]] GateLease {
 public:
  explicit GateLease(Gate& gate) noexcept : gate_(&gate) {
    base::LockOrder::acquire(gate.rank_, &gate);
    shard_ = &gate.enter();
  }

  GateLease(GateLease&& other) noexcept
      : gate_(std::exchange(other.gate_, nullptr)), shard_(other.shard_) {}

  GateLease& operator=(GateLease&&) = delete;

  ~GateLease() {
    if (gate_ == nullptr) return;
    gate_->leave(*shard_);
    base::LockOrder::release(gate_->rank_);
  }

 private:
  Gate* gate_;
  Gate::Shard* shard_ = nullptr;
};

class [[nodiscard]] GateExclusive {
 public:
  explicit GateExclusive(Gate& gate) noexcept : gate_(&gate) {
    base::LockOrder::acquire(gate.rank_, &gate);
    gate.close();
  }

  GateExclusive(GateExclusive&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}

  GateExclusive& operator=(GateExclusive&&) = delete;

  ~GateExclusive() {
    if (gate_ == nullptr) return;
    gate_->open();
    base::LockOrder::release(gate_->rank_);
  }

 private:
  Gate* gate_;
};

}  // namespace artfs::sync
