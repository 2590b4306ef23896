// SPDX-License-Identifier: Apache-2.0
// CacheCore: what stands behind Cache; private to src/frame.
//
// Contract:   one mutex ("books": Rank::cache) guards the map's changes, the queues, the dirty list, the
//             slots and the sums. It is taken on misses, evictions, creations, removals, the first
//             change of a frame after a freeze, and by checkpoints: never for a hit, never over I/O.
//             Resident::mutex comes after it.
// Threading:  as frame/cache.hpp.
//
// cache.cpp: hits, creation, removal, figures.  load.cpp: misses, room, waiting.  dirty_pages.cpp: changes,
// freeze, capture, release.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/mutex.hpp"
#include "frame/buffer_pool.hpp"
#include "frame/cache.hpp"
#include "frame/evict.hpp"
#include "frame/hit_counter.hpp"
#include "frame/resident.hpp"
#include "frame/resident_map.hpp"

namespace artfs::frame {

// How long one caller has waited for memory, and since when nothing moves.
struct Patience {
  using Clock = std::chrono::steady_clock;
  Clock::time_point since = Clock::now();
  Clock::time_point begun = since;
  std::uint64_t releases = 0;  // seen
};

class CacheCore {
 public:
  CacheCore(io::BlobStore& blobs, std::array<std::byte, 16> store_uuid, CacheOptions options);
  CacheCore(const CacheCore&) = delete;
  CacheCore& operator=(const CacheCore&) = delete;
  ~CacheCore();

  void restore(std::span<const FrameLocation> frames, FrameId next_frame_id);

  // cache.cpp
  [[nodiscard]] Result<Pin> pin(FrameId id) noexcept;
  [[nodiscard]] Result<Look> look(FrameId id) noexcept;
  [[nodiscard]] Result<void> reserve(std::size_t count);
  void unreserve(std::size_t count) noexcept;
  [[nodiscard]] Pin create();
  void remove(Resident& resident);
  [[nodiscard]] std::vector<FrameLocation> live_frames() const;
  [[nodiscard]] CacheStats stats() const noexcept;

  [[nodiscard]] std::uint64_t budget_bytes() const noexcept { return options_.budget_bytes; }

  [[nodiscard]] std::uint64_t unevictable_bytes() const noexcept;

  // load.cpp
  [[nodiscard]] Result<Pin> load(FrameId id);

  // dirty_pages.cpp
  void begin_write(Resident& resident, PageBits pages);
  [[nodiscard]] FrozenSet freeze();
  void capture(FrozenFrame& frozen, std::span<std::byte> out);
  void release(FrozenSet&& frozen);

 private:
  enum class Step : std::uint8_t { exceed, wait, give_up };

  // cache.cpp
  friend class Look;

  [[nodiscard]] Pin pin_of(Resident& resident) const noexcept {
    return {&resident, resident.bytes.load(std::memory_order_relaxed)};
  }

  void count_hit() noexcept { hits_.add_one(); }

  // Vacates the resident when nobody pins it any more, else later.
  void discard(Resident& resident) ARTFS_REQUIRES(books_);
  void sweep_limbo() ARTFS_REQUIRES(books_);
  [[nodiscard]] bool try_vacate(Resident& resident) ARTFS_REQUIRES(books_);
  void vacated(Resident& resident) ARTFS_REQUIRES(books_);
  void drop_dirt(Resident& resident) ARTFS_REQUIRES(books_);

  // load.cpp
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept;
  [[nodiscard]] std::uint64_t overshoot_bytes() const noexcept;
  // True when one more frame fits in the budget now.
  bool make_room() ARTFS_REQUIRES(books_);
  // What who needs a frame does when it does not fit.
  [[nodiscard]] Step next_step(Patience& patience) const ARTFS_REQUIRES(books_);
  void call_for_checkpoint() ARTFS_EXCLUDES(books_);
  [[nodiscard]] Resident& begin_read(FrameId id, io::SlotId slot) ARTFS_REQUIRES(books_);
  [[nodiscard]] Result<Pin> end_read(Resident& resident, Result<void> read) ARTFS_REQUIRES(books_);
  [[nodiscard]] std::uint64_t seal_of(FrameId id) const ARTFS_REQUIRES(books_);
  [[nodiscard]] Result<void> read_and_verify(Resident& resident, const FrameLocation& home);

  // dirty_pages.cpp
  void note_dirty(Resident& resident) ARTFS_EXCLUDES(books_);
  void add_to_dirty_list(Resident& resident) ARTFS_REQUIRES(books_);
  void take_from_dirty_list(Resident& resident) ARTFS_REQUIRES(books_);
  void save_frozen(Resident& resident, PageBits pages) ARTFS_REQUIRES(resident.mutex);
  [[nodiscard]] PageBits pages_to_freeze(Resident& resident) ARTFS_REQUIRES(books_);
  void unfreeze(Resident& resident) ARTFS_EXCLUDES(resident.mutex);

  io::BlobStore& blobs_;
  const std::array<std::byte, 16> uuid_;
  const CacheOptions options_;

  mutable base::Mutex books_{base::Rank::cache};
  base::CondVar loaded_;  // a load ended
  base::CondVar freed_;   // a checkpoint was released
  ResidentMap map_;       // changed under books_
  EvictionQueues queues_ ARTFS_GUARDED_BY(books_);
  BufferPool buffers_ ARTFS_GUARDED_BY(books_);
  std::unordered_map<std::uint64_t, io::SlotId> slots_ ARTFS_GUARDED_BY(books_);
  // Of the images at home that are known (FrameLocation::seal).
  std::unordered_map<std::uint64_t, std::uint64_t> seals_ ARTFS_GUARDED_BY(books_);
  std::vector<Resident*> dirty_ ARTFS_GUARDED_BY(books_);
  std::vector<Resident*> limbo_ ARTFS_GUARDED_BY(books_);  // removed, still pinned by somebody
  std::vector<FrameLocation> removed_ ARTFS_GUARDED_BY(books_);  // since the last freeze
  FrameId next_id_ ARTFS_GUARDED_BY(books_){1};
  bool is_frozen_ ARTFS_GUARDED_BY(books_) = false;
  std::uint64_t releases_ ARTFS_GUARDED_BY(books_) = 0;

  // Sums; read by stats() without the mutex.
  std::atomic<std::uint64_t> frames_{0};              // resident
  std::atomic<std::uint64_t> unevictable_frames_{0};  // dirty or frozen
  std::atomic<std::uint64_t> dirty_pages_{0};         // newer than durable
  std::atomic<std::uint64_t> saved_pages_{0};
  std::atomic<std::uint64_t> misses_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> last_call_ns_{0};  // of on_pressure

  HitCounter hits_;
};

}  // namespace artfs::frame
