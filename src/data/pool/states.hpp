// SPDX-License-Identifier: Apache-2.0
// States: the state of every buffer of a pool, all transitions and the hash -> block map under one mutex.
//
//   reset      on the free list (first in, first out)
//   mutable    one owner fills it                                 dropped -> reset
//   staged     complete and named, one owner                      dropped -> reset
//   primary    the one registered copy of its hash, shared        last holder gone -> inactive, or reset
//   duplicate  a second copy that was allowed, shared             last holder gone -> reset
//   inactive   registered, nobody holds it, in the eviction index found -> primary; taken -> mutable
//
// Contract:   below the handles of block.hpp, which make wrong transitions not compile; here they are
//             asserted. A hash that is registered is in the map from its registration until its block is
//             reset or taken: it is never missing between active and inactive.
//             allocate() is all or nothing: free buffers first, then what the index gives; short of enough,
//             everything goes back in order.
//             Letting go has two parts: release() counts down without the lock, and retire() by the last
//             holder moves the block on. A lookup between the two moves it on itself and begins a new
//             tenure; the late retire() finds its tenure outdated and does nothing.
// Threading:  any thread; Rank::block_pool. Registrations are let go, and frequencies touched, after the
//             lock was released.
// Cost:       O(1) per block and the index's; one lock per call, however many blocks.
// Errors:     none; a full pool is an answer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "artfs/options.hpp"
#include "artfs/stats.hpp"

#include "base/mutex.hpp"
#include "data/pool/eviction_index.hpp"
#include "data/pool/registry.hpp"
#include "data/pool/slot.hpp"
#include "data/pool/slot_list.hpp"

namespace artfs::data::pool {

// What registering a hash does that is registered already.
enum class Duplicates : std::uint8_t {
  reject,  // the block there is returned, the new one is reset
  allow,   // the new one is kept beside it, found by nobody else, reset when let go
};

struct StatesOptions {
  std::size_t slots = 0;
  BlockCachePolicy policy = BlockCachePolicy::multi_lru;
  Duplicates duplicates = Duplicates::reject;
};

class States {
 public:
  States(Registry& registry, const StatesOptions& options);
  States(const States&) = delete;
  States& operator=(const States&) = delete;
  ~States();

  [[nodiscard]] bool allocate(std::span<Slot> out) ARTFS_EXCLUDES(mutex_);
  // mutable -> staged
  void stage(Slot slot, const Identity& identity) ARTFS_EXCLUDES(mutex_);
  // mutable or staged -> reset
  void reset(Slot slot) noexcept ARTFS_EXCLUDES(mutex_);
  // staged -> primary, duplicate, or reset in favour of the block that is there. The caller holds what is
  // returned.
  [[nodiscard]] Tenure enter(Slot slot) ARTFS_EXCLUDES(mutex_);

  // The prefix of `hashes` that is there; the caller holds what `out` gets.
  [[nodiscard]] std::size_t find_prefix(std::span<const base::Hash128> hashes,
                                        std::span<Tenure> out) ARTFS_EXCLUDES(mutex_);
  // Those of `hashes` that are there.
  [[nodiscard]] std::size_t find_scattered(std::span<const base::Hash128> hashes,
                                           std::span<std::optional<Tenure>> out)
      ARTFS_EXCLUDES(mutex_);
  // Whether a lookup would find it; counts and touches nothing.
  [[nodiscard]] bool contains(const base::Hash128& hash) const ARTFS_EXCLUDES(mutex_);

  // One more holder; the caller holds it.
  void share(Tenure tenure) noexcept;
  // One more holder if anybody holds this very tenure; no lock.
  [[nodiscard]] bool try_share(Tenure tenure) noexcept;
  // True: that was the last holder, retire() must follow.
  [[nodiscard]] bool release(Tenure tenure) noexcept;
  void retire(Tenure tenure) noexcept ARTFS_EXCLUDES(mutex_);

  // The contents are worth nothing any more: reset at once if nobody holds them, else when let go.
  void reset_on_release(const base::Hash128& hash) noexcept ARTFS_EXCLUDES(mutex_);

  // Of a slot that the caller holds.
  [[nodiscard]] const Identity& identity(Slot slot) const noexcept {
    return slots_[slot.index].identity;
  }

  [[nodiscard]] BlockCacheStats stats() const ARTFS_EXCLUDES(mutex_);

 private:
  enum class State : std::uint8_t { reset, mutable_, staged, primary, duplicate, inactive };
  static constexpr std::size_t states_count = 6;

  struct Record {
    State state = State::reset;
    bool reset_on_release = false;
    Identity identity{};
    std::uint64_t registration_number = 0;
    Registration registration;
    // Generation in the upper half, holders in the lower one. At no holders only the lock's owner changes it.
    std::atomic<std::uint64_t> tenure{0};
  };

  [[nodiscard]] Record& record(Slot slot) noexcept { return slots_[slot.index]; }

  void move(Record& record, State to) noexcept ARTFS_REQUIRES(mutex_);
  [[nodiscard]] IndexEntry entry_of(Slot slot) noexcept;
  [[nodiscard]] Tenure begin_tenure(Slot slot, State state) noexcept ARTFS_REQUIRES(mutex_);
  [[nodiscard]] std::optional<Tenure> find_locked(const base::Hash128& hash,
                                                  std::vector<Registration>& gone)
      ARTFS_REQUIRES(mutex_);
  void retire_locked(Slot slot, std::vector<Registration>& gone) noexcept ARTFS_REQUIRES(mutex_);
  void forget_locked(Slot slot, std::vector<Registration>& gone) noexcept ARTFS_REQUIRES(mutex_);
  void to_free_list(Slot slot) noexcept ARTFS_REQUIRES(mutex_);
  void count_lookup(std::size_t found, std::size_t asked) noexcept ARTFS_REQUIRES(mutex_);

  Registry& registry_;
  const Duplicates duplicates_;
  FrequencySketch sketch_;
  mutable base::Mutex mutex_{base::Rank::block_pool};
  std::vector<Record> slots_;  // fields under mutex_, but for `tenure`, and `identity` while held
  SlotLinks free_links_;
  SlotList free_ ARTFS_GUARDED_BY(mutex_);
  std::unique_ptr<EvictionIndex> index_ ARTFS_PT_GUARDED_BY(mutex_);
  std::unordered_map<base::Hash128, Slot, HashOfHash> map_ ARTFS_GUARDED_BY(mutex_);
  std::array<std::uint64_t, states_count> in_state_ ARTFS_GUARDED_BY(mutex_){};
  std::uint64_t registrations_ ARTFS_GUARDED_BY(mutex_) = 0;
  BlockCacheStats counters_ ARTFS_GUARDED_BY(mutex_);  // the gauges in it are unused
  std::atomic<std::uint64_t> shared_weakly_{0};
};

}  // namespace artfs::data::pool
