// SPDX-License-Identifier: Apache-2.0
// Cache: the frames in memory, who uses them, and which of their pages differ from disk.
//
// Contract:   a frame is resident whole or, for point reads, in part (partial.hpp). A Pin keeps a whole one
//             so. Bytes change only through Pin::write(), which records
//             the pages as dirty and, during a checkpoint, first saves a frozen page's image. Writers hold
//             the frame's latch exclusive (a frame that no tree leads to yet needs none) and the commit gate
//             shared; freeze() is called with the gate exclusive. Readers use looks, or pins and a latch.
// Threading:  all calls from any thread under those rules. load() reads from the device and may wait
//             for a checkpoint to free memory: call it without latches or gate. The rest does not block.
// Cost:       look: one lock-free lookup, 10 ns, and nothing written. pin: one lock-free lookup and one atomic add, 20 to 40 ns. write: two loads for a page that
//             is dirty already; the first write to a page since a freeze takes a mutex, and copies the
//             page when it is frozen. Eviction: amortised O(1) (CLOCK behind a probation queue).
// Errors:     frame_not_resident (detail: frame id) from pin; frame_corrupt (detail: frame id),
//             io_failed, cache_exhausted from load.
// Invariants: I1 a page is marked dirty exactly when its image is newer than the durable one.
//             I3 freezing the dirty set is atomic against writers.
//             EV a dirty, frozen or pinned frame is never evicted, checked under the lock that removes it.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/stats.hpp"
#include "artfs/types.hpp"

#include "frame/look.hpp"
#include "frame/partial.hpp"
#include "io/blob_store.hpp"

namespace artfs::frame {

class Cache;

using PageMask = std::bitset<io::pages_per_frame>;

class [[nodiscard]] Pin {
 public:
  Pin() noexcept = default;
  Pin(Pin&& other) noexcept;
  Pin& operator=(Pin&& other) noexcept;
  ~Pin();

  explicit operator bool() const noexcept { return resident_ != nullptr; }

  [[nodiscard]] FrameId id() const noexcept;
  [[nodiscard]] Pin clone() const noexcept;

  // The whole frame, 512 KiB, page-aligned. Valid while the pin lives.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {bytes_, io::frame_bytes};
  }

  // The frame's latch. Exclusive around every change of its bytes, several in ascending order of
  // FrameId (SameRank{id}); the pin outlives the guard.
  [[nodiscard]] sync::Latch& latch() const noexcept;

  // The bytes [offset, offset + length) for change, marked dirty (with the header page) before return.
  [[nodiscard]] std::byte* write(std::size_t offset, std::size_t length) const noexcept;

 private:
  friend class Cache;
  friend class CacheCore;
  friend class Look;

  Pin(Resident* resident, std::byte* bytes) noexcept : resident_(resident), bytes_(bytes) {}

  Resident* resident_ = nullptr;
  std::byte* bytes_ = nullptr;
};

// The right to create so many frames without failing. Unused rights return on destruction.
class [[nodiscard]] FrameReserve {
 public:
  FrameReserve() noexcept = default;
  FrameReserve(FrameReserve&& other) noexcept;
  FrameReserve& operator=(FrameReserve&& other) noexcept;
  ~FrameReserve();

  [[nodiscard]] std::size_t left() const noexcept { return left_; }

 private:
  friend class Cache;

  FrameReserve(CacheCore* cache, std::size_t count) noexcept : cache_(cache), left_(count) {}

  CacheCore* cache_ = nullptr;
  std::size_t left_ = 0;
};

struct FrameLocation {
  FrameId id;
  io::SlotId slot;
  // The header checksum of its image at home, which covers every page of it: an older whole image in
  // the slot (a write that the device dropped) is no more believed than a damaged one. 0: not known.
  std::uint64_t seal = 0;
};

// One frame of a checkpoint. `pages` always contains page 0 when it contains any.
struct FrozenFrame {
  FrameId id;
  io::SlotId slot;
  PageMask pages;
  // No durable manifest names its slot yet: it may be written home before the commit.
  bool is_new = false;
  Resident* resident = nullptr;
  std::uint64_t seal = 0;  // of its image; set by capture()
};

// What one checkpoint must make durable: the exact state at the moment of freeze().
struct FrozenSet {
  std::vector<FrozenFrame> frames;
  std::vector<FrameLocation> created;  // since the last freeze, still live at this one
  std::vector<FrameLocation> removed;  // their slots are reusable after release()
  FrameId next_frame_id;
};

struct CacheOptions {
  std::uint64_t budget_bytes = 256 * mib;
  // Called, without the cache's locks, when dirty or frozen frames leave no room: start a checkpoint, do
  // not wait for it. False: there is nobody to do it (yet). Then, or without it, nothing waits: load()
  // fails once the budget and its reserve are used.
  std::function<bool()> on_pressure;
  // Changes stay in memory: for stores in memory and read-only ones. Frames created take no slot, changed
  // frames are never frozen nor written, and the budget bounds only frames that equal the device's.
  bool volatile_frames = false;
};

class Cache {
 public:
  Cache(io::BlobStore& blobs, std::array<std::byte, 16> store_uuid, CacheOptions options);
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache();

  // At open, before anything else: the durable frames, and the next id to hand out.
  void restore(std::span<const FrameLocation> frames, FrameId next_frame_id);

  [[nodiscard]] Result<Pin> pin(FrameId id);   // frame_not_resident
  [[nodiscard]] Result<Pin> load(FrameId id);  // as pin; reads and verifies the frame on a miss
  // Reads those that are not there, several at a time, as far as they are few for the budget; they are
  // pinned by nobody then. What fails is left to load().
  void read_ahead(std::span<const FrameId> ids);
  // The frame without pinning it (look.hpp). frame_not_resident. Waits for a writer that holds its latch,
  // so the caller holds no frame latch and no open Look.
  [[nodiscard]] Result<Look> look(FrameId id);

  // For point reads of frames that are not resident. peek: the frame as far as it is present;
  // frame_not_resident when nothing of it is, when it is whole, or when fetch() should see to it (it is
  // used so much that it had better be whole). fetch: reads what is missing of the range (more where that
  // is cheap) and returns the frame; or nothing, when it is whole. As load() it may wait; frame_corrupt is
  // about the pages read, and leaves the others as they are.
  [[nodiscard]] Result<PartialPin> peek(FrameId id);
  [[nodiscard]] Result<PartialPin> fetch(FrameId id, ByteRange wanted);

  // no_space when the device cannot hold them. May grow the data file: call it without latches.
  [[nodiscard]] Result<FrameReserve> reserve(std::size_t count);
  // A fresh frame with a formatted header, all else zero. Out of `reserve`; cannot fail. May exceed the
  // budget for a moment. Gate held shared.
  [[nodiscard]] Pin create(FrameReserve& reserve);
  // For frames that are written home without passing through here: an id of its own, and later, when they
  // are durable there and the manifest names them, the frames. Gate exclusive.
  [[nodiscard]] FrameId take_id();
  void adopt(std::span<const FrameLocation> frames);
  // The frame is no longer reachable from any tree. Gate held shared. Who holds its latch, so that looks
  // notice, keeps another pin (Pin::clone) until the latch is released; nobody else uses it any more.
  void remove(Pin pin);

  // Checkpoint. freeze: gate exclusive, O(dirty frames). capture: the images of the frame's frozen
  // pages in page order, checksums and header filled in, appended to `out`; repeatable until release.
  // release: the set is durable at home; frees removed slots, unfreezes. Only one set at a time.
  [[nodiscard]] FrozenSet freeze();
  void capture(FrozenFrame& frozen, std::vector<std::byte>& out);
  // The same into `out` of frozen.pages.count() pages: aligned ones can be written without a copy.
  void capture(FrozenFrame& frozen, std::span<std::byte> out);
  void release(FrozenSet&& frozen);

  // Bytes of frames that cannot be evicted because they are dirty or frozen, and the images saved for them.
  [[nodiscard]] std::uint64_t unevictable_bytes() const noexcept;
  // Of pages that differ from the device's.
  [[nodiscard]] std::uint64_t dirty_bytes() const noexcept;
  [[nodiscard]] std::uint64_t budget_bytes() const noexcept;
  // Every frame id that is live now, for verify and fsck. O(frames).
  [[nodiscard]] std::vector<FrameLocation> live_frames() const;
  [[nodiscard]] CacheStats stats() const noexcept;

 private:
  std::unique_ptr<CacheCore> core_;
};

}  // namespace artfs::frame
