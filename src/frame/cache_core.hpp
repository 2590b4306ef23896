// SPDX-License-Identifier: Apache-2.0
// CacheCore: what stands behind Cache; private to src/frame.
//
// Contract:   one mutex ("books": Rank::cache) guards the map's changes, the queues, the dirty list, the
//             slots and the sums. It is taken on misses, evictions, creations, removals, the first
//             change of a frame after a freeze, and by checkpoints: never for a hit, never over I/O.
//             Resident::mutex comes after it.
// Threading:  as frame/cache.hpp.
//
// cache.cpp: hits, creation, removal, figures.  load.cpp: misses, room, waiting.  partial.cpp: frames of which
// some pages are present.  dirty_pages.cpp: changes, freeze, capture, release.
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
#include "frame/partial.hpp"
#include "frame/resident.hpp"
#include "frame/resident_map.hpp"

namespace artfs::frame {

// How long one caller has waited for memory, and since when nothing moves.
struct Patience {
  using Clock = std::chrono::steady_clock;
  Clock::time_point since = Clock::now();
  Clock::time_point begun = since;
  std::uint64_t releases = 0;  // seen
  bool is_alone = false;       // no checkpoint will come
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
  [[nodiscard]] FrameId take_id();
  void adopt(std::span<const FrameLocation> frames);
  void remove(Resident& resident);
  [[nodiscard]] std::vector<FrameLocation> live_frames() const;
  [[nodiscard]] CacheStats stats() const noexcept;

  [[nodiscard]] std::uint64_t budget_bytes() const noexcept { return options_.budget_bytes; }

  [[nodiscard]] std::uint64_t unevictable_bytes() const noexcept;

  [[nodiscard]] std::uint64_t dirty_bytes() const noexcept {
    return dirty_pages_.load(std::memory_order_relaxed) * io::page_bytes;
  }

  // load.cpp
  [[nodiscard]] Result<Pin> load(FrameId id);
  void read_ahead(std::span<const FrameId> ids);

  // partial.cpp
  [[nodiscard]] Result<PartialPin> peek(FrameId id) noexcept;
  [[nodiscard]] Result<PartialPin> fetch(FrameId id, ByteRange wanted);

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

  // load.cpp. Calls that are passed a lock let it go meanwhile, which clang's analysis cannot follow.
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept;
  [[nodiscard]] std::uint64_t overshoot_bytes() const noexcept;
  // True when so many more pages fit in the budget now.
  bool make_room(std::size_t pages) ARTFS_REQUIRES(books_);
  // What who needs so many pages does when they do not fit.
  [[nodiscard]] Step next_step(std::size_t pages, Patience& patience) const ARTFS_REQUIRES(books_);
  // True: there is room. False: it has waited a little, and the world may have changed.
  [[nodiscard]] Result<bool> find_room(std::size_t pages, Patience& patience, base::MutexLock& lock)
      ARTFS_REQUIRES(books_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  // False when nobody will come.
  [[nodiscard]] bool call_for_checkpoint() ARTFS_EXCLUDES(books_);
  [[nodiscard]] Result<Pin> load_all(const FrameLocation& home, base::MutexLock& lock)
      ARTFS_REQUIRES(books_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] Result<Pin> load_rest(Resident& partial, base::MutexLock& lock)
      ARTFS_REQUIRES(books_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  void occupy(Resident& resident, std::size_t pages) ARTFS_REQUIRES(books_);
  [[nodiscard]] Resident& begin_read(FrameId id, io::SlotId slot) ARTFS_REQUIRES(books_);
  [[nodiscard]] Result<Pin> end_read(Resident& resident, Result<void> read, QueueKind kind)
      ARTFS_REQUIRES(books_);
  // A read failed: the resident is vacant again.
  void abandon(Resident& resident) ARTFS_REQUIRES(books_);
  [[nodiscard]] static tl::unexpected<Error> damaged(FrameId id, io::SlotId slot);
  [[nodiscard]] std::uint64_t seal_of(FrameId id) const ARTFS_REQUIRES(books_);
  // The header page of that frame, as it was last written home.
  [[nodiscard]] bool is_home_header(std::span<const std::byte> header,
                                    const FrameLocation& home) const noexcept;
  // What was read of the whole frame.
  [[nodiscard]] Result<void> verify(Resident& resident, const FrameLocation& home);
  // The whole frame: what is present in `from` and the rest from the device.
  [[nodiscard]] Result<void> complete(Resident& resident, const Resident& from);
  static void remember_home(Resident& resident, std::size_t pages_used);

  // partial.cpp
  [[nodiscard]] Result<PartialPin> fetch_first(const FrameLocation& home, base::MutexLock& lock)
      ARTFS_REQUIRES(books_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] Result<void> fetch_more(Resident& resident, PageBits pages, base::MutexLock& lock)
      ARTFS_REQUIRES(books_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] PageBits pages_to_read(const Resident& resident, PageBits missing) const
      ARTFS_REQUIRES(books_);
  [[nodiscard]] Result<void> read_first(Resident& resident, const FrameLocation& home);
  // Reads and checks pages of a frame whose header page is there.
  [[nodiscard]] Result<void> read_pages(const Resident& resident, PageBits pages);
  // The frame takes so many pages now.
  void resize(Resident& resident, std::size_t pages) ARTFS_REQUIRES(books_);
  // Out of the map and the queues; who has it pinned may go on reading.
  void retire(Resident& resident) ARTFS_REQUIRES(books_);

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
  BufferPool buffers_ ARTFS_GUARDED_BY(books_){BufferPool::Use::whole};
  BufferPool sparse_buffers_ ARTFS_GUARDED_BY(books_){BufferPool::Use::sparse};
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
  std::atomic<std::uint64_t> frames_{0};  // whole ones, resident
  std::atomic<std::uint64_t> partial_frames_{0};
  std::atomic<std::uint64_t> pages_{0};               // of memory that both take
  std::atomic<std::uint64_t> unevictable_frames_{0};  // dirty or frozen
  std::atomic<std::uint64_t> dirty_pages_{0};         // newer than durable
  std::atomic<std::uint64_t> saved_pages_{0};
  std::atomic<std::uint64_t> misses_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> pages_read_{0};
  std::atomic<std::uint64_t> last_call_ns_{0};  // of on_pressure ...
  std::atomic<bool> is_helped_{false};          // ... and what it said

  HitCounter hits_;
};

}  // namespace artfs::frame
