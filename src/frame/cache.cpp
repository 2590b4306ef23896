// SPDX-License-Identifier: Apache-2.0
#include "frame/cache.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "format/frame.hpp"
#include "frame/cache_core.hpp"

namespace artfs::frame {

using base::MutexLock;

static_assert(io::frame_bytes == format::frame_bytes && io::page_bytes == format::page_bytes);

// --- Pin ---------------------------------------------------------------------------------------

Pin::Pin(Pin&& other) noexcept
    : resident_(std::exchange(other.resident_, nullptr)),
      bytes_(std::exchange(other.bytes_, nullptr)) {}

Pin& Pin::operator=(Pin&& other) noexcept {
  if (this == &other) return *this;
  if (resident_ != nullptr) resident_->unpin();
  resident_ = std::exchange(other.resident_, nullptr);
  bytes_ = std::exchange(other.bytes_, nullptr);
  return *this;
}

Pin::~Pin() {
  if (resident_ != nullptr) resident_->unpin();
}

FrameId Pin::id() const noexcept {
  ARTFS_ASSERT(resident_ != nullptr);
  return FrameId{resident_->id.load(std::memory_order_relaxed)};
}

Pin Pin::clone() const noexcept {
  // A pin is held, so the frame stays available: nothing to look at, nothing to order.
  if (resident_ != nullptr)
    resident_->state.fetch_add(Resident::one_pin, std::memory_order_relaxed);
  return {resident_, bytes_};
}

sync::Latch& Pin::latch() const noexcept {
  ARTFS_ASSERT(resident_ != nullptr);
  return resident_->latch;
}

std::byte* Pin::write(std::size_t offset, std::size_t length) const noexcept {
  ARTFS_ASSERT(offset <= io::frame_bytes && length <= io::frame_bytes - offset);
  const PageBits pages = PageBits::touched(offset, length);
  // Dirty since the last freeze: a frozen image of it, if there was one, is saved already.
  if (!resident_->dirty.contains(pages)) resident_->owner.begin_write(*resident_, pages);
  return bytes_ + offset;
}

// --- FrameReserve ------------------------------------------------------------------------------

FrameReserve::FrameReserve(FrameReserve&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)), left_(std::exchange(other.left_, 0)) {}

FrameReserve& FrameReserve::operator=(FrameReserve&& other) noexcept {
  if (this == &other) return *this;
  if (left_ > 0) cache_->unreserve(left_);
  cache_ = std::exchange(other.cache_, nullptr);
  left_ = std::exchange(other.left_, 0);
  return *this;
}

FrameReserve::~FrameReserve() {
  if (left_ > 0) cache_->unreserve(left_);
}

// --- Cache: the contract's calls ---------------------------------------------------------------

Cache::Cache(io::BlobStore& blobs, std::array<std::byte, 16> store_uuid, CacheOptions options)
    : core_(std::make_unique<CacheCore>(blobs, store_uuid, std::move(options))) {}

Cache::~Cache() = default;

void Cache::restore(std::span<const FrameLocation> frames, FrameId next_frame_id) {
  core_->restore(frames, next_frame_id);
}

Result<Pin> Cache::pin(FrameId id) {
  return core_->pin(id);
}

Result<Pin> Cache::load(FrameId id) {
  return core_->load(id);
}

void Cache::read_ahead(std::span<const FrameId> ids) {
  core_->read_ahead(ids);
}

Result<Look> Cache::look(FrameId id) {
  return core_->look(id);
}

Result<PartialPin> Cache::peek(FrameId id) {
  return core_->peek(id);
}

Result<PartialPin> Cache::fetch(FrameId id, ByteRange wanted) {
  return core_->fetch(id, wanted);
}

Result<FrameReserve> Cache::reserve(std::size_t count) {
  if (count == 0) return FrameReserve();
  ARTFS_TRY(core_->reserve(count));
  return FrameReserve(core_.get(), count);
}

Pin Cache::create(FrameReserve& reserve) {
  ARTFS_ASSERT(reserve.left_ > 0 && reserve.cache_ == core_.get());
  --reserve.left_;
  return core_->create();
}

FrameId Cache::take_id() {
  return core_->take_id();
}

void Cache::adopt(std::span<const FrameLocation> frames) {
  core_->adopt(frames);
}

void Cache::remove(Pin pin) {
  ARTFS_ASSERT(pin);
  pin.bytes_ = nullptr;
  core_->remove(*std::exchange(pin.resident_, nullptr));
}

FrozenSet Cache::freeze() {
  return core_->freeze();
}

void Cache::capture(FrozenFrame& frozen, std::vector<std::byte>& out) {
  const std::size_t bytes = frozen.pages.count() * io::page_bytes;
  out.resize(out.size() + bytes);
  core_->capture(frozen, std::span(out).last(bytes));
}

void Cache::capture(FrozenFrame& frozen, std::span<std::byte> out) {
  core_->capture(frozen, out);
}

void Cache::release(FrozenSet&& frozen) {
  core_->release(std::move(frozen));
}

std::uint64_t Cache::unevictable_bytes() const noexcept {
  return core_->unevictable_bytes();
}

std::uint64_t Cache::dirty_bytes() const noexcept {
  return core_->dirty_bytes();
}

std::uint64_t Cache::budget_bytes() const noexcept {
  return core_->budget_bytes();
}

std::vector<FrameLocation> Cache::live_frames() const {
  return core_->live_frames();
}

CacheStats Cache::stats() const noexcept {
  return core_->stats();
}

// --- CacheCore: hits, creation, removal, figures -----------------------------------------------

CacheCore::CacheCore(io::BlobStore& blobs, std::array<std::byte, 16> store_uuid,
                     CacheOptions options)
    : blobs_(blobs),
      uuid_(store_uuid),
      options_(std::move(options)),
      // A volatile cache holds the whole store: 64 Ki chains serve 32 GiB well.
      map_(*this, options_.volatile_frames ? std::size_t{1} << 13U
                                           : options_.budget_bytes / io::frame_bytes) {}

CacheCore::~CacheCore() {
  for (const Resident& resident : map_.all()) {
    ARTFS_ASSERT((resident.state.load() & Resident::pins_mask) == 0);  // a pin outlived its cache
  }
}

void CacheCore::restore(std::span<const FrameLocation> frames, FrameId next_frame_id) {
  std::vector<io::SlotId> in_use;
  in_use.reserve(frames.size());
  const MutexLock lock(books_);
  ARTFS_ASSERT(slots_.empty() && frames_.load() == 0);
  slots_.reserve(frames.size());
  for (const FrameLocation& frame : frames) {
    slots_[frame.id.raw] = frame.slot;
    if (frame.seal != 0) seals_[frame.id.raw] = frame.seal;
    in_use.push_back(frame.slot);
  }
  next_id_ = next_frame_id;
  blobs_.restore(in_use);
}

Result<Pin> CacheCore::pin(FrameId id) noexcept {
  Resident* found = map_.pin(id);
  if (found == nullptr) {
    // Away, or missed by the lock-free walk: only the books know.
    const MutexLock lock(books_);
    found = map_.find(id);
    if (found == nullptr || !found->try_pin(id)) return fail(Errc::frame_not_resident, id.raw);
  }
  count_hit();
  return pin_of(*found);
}

Result<Look> CacheCore::look(FrameId id) noexcept {
  Resident* found = map_.seek(id);
  Look look = found != nullptr ? Look(*found, id) : Look();
  if (!look) {
    {
      const MutexLock lock(books_);
      found = map_.find(id);
    }
    if (found != nullptr) look = Look(*found, id);
    if (!look) return fail(Errc::frame_not_resident, id.raw);
  }
  count_hit();
  return look;
}

Result<void> CacheCore::reserve(std::size_t count) {
  if (!options_.volatile_frames) ARTFS_TRY(blobs_.reserve(count));
  return {};
}

void CacheCore::unreserve(std::size_t count) noexcept {
  if (!options_.volatile_frames) blobs_.unreserve(count);
}

Pin CacheCore::create() {
  const io::SlotId slot = options_.volatile_frames ? io::SlotId{} : blobs_.allocate();
  MutexLock lock(books_);
  make_room(io::pages_per_frame);
  std::byte* const bytes = buffers_.take();
  const FrameId id = next_id_;
  ++next_id_.raw;
  slots_[id.raw] = slot;
  Resident& resident = map_.insert(id, bytes);
  resident.slot = slot;
  resident.is_new = true;
  resident.checksums.fill(0);
  resident.pages_home = 1;
  occupy(resident, io::pages_per_frame);
  lock.unlock();
  std::memset(bytes, 0, io::frame_bytes);
  format::format_header({bytes, io::frame_bytes}, uuid_, id);
  begin_write(resident, PageBits::touched(0, io::page_bytes));
  resident.latch.offer();
  resident.state.fetch_and(~Resident::loading, std::memory_order_release);
  return pin_of(resident);
}

FrameId CacheCore::take_id() {
  const MutexLock lock(books_);
  const FrameId id = next_id_;
  ++next_id_.raw;
  return id;
}

void CacheCore::adopt(std::span<const FrameLocation> frames) {
  const MutexLock lock(books_);
  for (const FrameLocation& frame : frames) {
    ARTFS_ASSERT(!slots_.contains(frame.id.raw));
    slots_[frame.id.raw] = frame.slot;
    if (frame.seal != 0) seals_[frame.id.raw] = frame.seal;
  }
}

void CacheCore::remove(Resident& resident) {
  MutexLock lock(books_);
  ARTFS_ASSERT(!resident.has(Resident::unavailable));
  const FrameId id{resident.id.load(std::memory_order_relaxed)};
  const io::SlotId slot = resident.slot;
  const bool never_frozen = resident.is_new;
  resident.is_new = false;
  slots_.erase(id.raw);
  seals_.erase(id.raw);
  map_.unlink(resident);
  queues_.remove(resident);
  drop_dirt(resident);
  resident.state.fetch_or(Resident::removed, std::memory_order_relaxed);
  resident.unpin();
  if (!never_frozen) removed_.push_back({id, slot, 0});
  // A frame that is being checkpointed is still needed for that; release() discards it.
  if (!resident.has(Resident::frozen_flag)) discard(resident);
  lock.unlock();
  // No durable state ever named the slot of a frame that lived between two freezes.
  if (never_frozen && slot) blobs_.free(slot);
}

void CacheCore::drop_dirt(Resident& resident) {
  if (!resident.has(Resident::dirty_flag)) return;
  take_from_dirty_list(resident);
  resident.state.fetch_and(~Resident::dirty_flag, std::memory_order_relaxed);
  if (!resident.has(Resident::frozen_flag)) {
    unevictable_frames_.fetch_sub(1, std::memory_order_relaxed);
  }
  const MutexLock lock(resident.mutex);
  const PageBits gone = resident.dirty.load().without(resident.frozen.load());
  dirty_pages_.fetch_sub(gone.count(), std::memory_order_relaxed);
  resident.dirty.store({});
}

bool CacheCore::try_vacate(Resident& resident) {
  if (!resident.claim(Resident::removed)) return false;
  vacated(resident);
  return true;
}

void CacheCore::vacated(Resident& resident) {
  if (!resident.is_sparse) resident.latch.withdraw();
  BufferPool& pool = resident.is_sparse ? sparse_buffers_ : buffers_;
  pool.give(resident.bytes.exchange(nullptr, std::memory_order_relaxed));
  (resident.is_sparse ? partial_frames_ : frames_).fetch_sub(1, std::memory_order_relaxed);
  pages_.fetch_sub(resident.pages, std::memory_order_relaxed);
  resident.is_sparse = false;
  resident.pages = 0;
  map_.recycle(resident);
}

void CacheCore::discard(Resident& resident) {
  limbo_.push_back(&resident);
  sweep_limbo();
}

void CacheCore::sweep_limbo() {
  std::size_t kept = 0;
  for (Resident* const late : limbo_) {
    if (!try_vacate(*late)) limbo_[kept++] = late;
  }
  limbo_.resize(kept);
}

std::vector<FrameLocation> CacheCore::live_frames() const {
  std::vector<FrameLocation> frames;
  const MutexLock lock(books_);
  frames.reserve(slots_.size());
  for (const auto& [id, slot] : slots_) {
    frames.push_back({FrameId{id}, slot, seal_of(FrameId{id})});
  }
  return frames;
}

std::uint64_t CacheCore::unevictable_bytes() const noexcept {
  return unevictable_frames_.load(std::memory_order_relaxed) * io::frame_bytes +
         saved_pages_.load(std::memory_order_relaxed) * io::page_bytes;
}

CacheStats CacheCore::stats() const noexcept {
  CacheStats stats;
  stats.budget_bytes = options_.budget_bytes;
  stats.resident_bytes = resident_bytes();
  stats.dirty_bytes = dirty_bytes();
  stats.frames = frames_.load(std::memory_order_relaxed);
  stats.partial_frames = partial_frames_.load(std::memory_order_relaxed);
  stats.read_bytes = pages_read_.load(std::memory_order_relaxed) * io::page_bytes;
  stats.hits = hits_.sum();
  stats.misses = misses_.load(std::memory_order_relaxed);
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace artfs::frame
