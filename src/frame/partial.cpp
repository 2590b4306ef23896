// SPDX-License-Identifier: Apache-2.0
#include "frame/partial.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "format/frame.hpp"
#include "frame/cache_core.hpp"

namespace artfs::frame {

using base::MutexLock;
using namespace std::chrono_literals;

namespace {

// A read of a virtual disk takes 50 us and another 0.7 us for each KiB (measured with O_DIRECT; 4 KiB: 55 us,
// 64 KiB: 96 us, 512 KiB: 365 us). Hence:
// The header page and what stands first in a frame, the nodes near its root.
constexpr std::size_t first_pages = 4;
// As long as nothing has to leave for it, a miss brings its neighbours ...
constexpr std::size_t cluster_pages = 8;
// ... and a frame that was read so many times before gets a long read, which takes about as long. Once: what it
// leaves out comes in clusters, so that a store that is read all over is not read whole.
constexpr std::uint32_t misses_before_long = 2;
constexpr std::size_t long_pages = 64;

// The bookkeeping of a partial frame, counted as if it were a page of it.
constexpr std::size_t own_pages = 1;

// A hit here costs 0.3 us more than in a whole frame; making it whole about 150 us.
constexpr std::uint32_t hits_before_whole = 512;

}  // namespace

// --- PartialPin --------------------------------------------------------------------------------

PartialPin::PartialPin(PartialPin&& other) noexcept
    : resident_(std::exchange(other.resident_, nullptr)) {}

PartialPin& PartialPin::operator=(PartialPin&& other) noexcept {
  if (this == &other) return *this;
  if (resident_ != nullptr) resident_->unpin();
  resident_ = std::exchange(other.resident_, nullptr);
  return *this;
}

PartialPin::~PartialPin() {
  if (resident_ != nullptr) resident_->unpin();
}

FrameId PartialPin::id() const noexcept {
  ARTFS_ASSERT(resident_ != nullptr);
  return FrameId{resident_->id.load(std::memory_order_relaxed)};
}

std::span<const std::byte> PartialPin::bytes() const noexcept {
  ARTFS_ASSERT(resident_ != nullptr);
  return {resident_->bytes.load(std::memory_order_relaxed), io::frame_bytes};
}

bool PartialPin::holds(ByteRange range) const noexcept {
  if (range.offset >= io::frame_bytes || range.bytes > io::frame_bytes - range.offset) return false;
  return PageBits::touched(range.offset, range.bytes)
      .without(resident_->present.published())
      .none();
}

bool PartialPin::is_current() const noexcept {
  return (resident_->state.load(std::memory_order_acquire) & Resident::removed) == 0;
}

// --- CacheCore ---------------------------------------------------------------------------------

Result<PartialPin> CacheCore::peek(FrameId id) noexcept {
  Resident* const found = map_.seek(id);
  if (found == nullptr || !found->try_pin_partial(id))
    return fail(Errc::frame_not_resident, id.raw);
  PartialPin pin(*found);
  if (found->hits.fetch_add(1, std::memory_order_relaxed) >= hits_before_whole) {
    return fail(Errc::frame_not_resident, id.raw);
  }
  count_hit();
  return pin;
}

Result<PartialPin> CacheCore::fetch(FrameId id, ByteRange wanted) {
  Patience patience;
  MutexLock lock(books_);
  patience.releases = releases_;
  PartialPin kept;  // what was read first stays for what is read next
  for (;;) {
    Resident* const found = map_.find(id);
    if (found == nullptr) {
      const auto slot = slots_.find(id.raw);
      if (slot == slots_.end()) return fail(Errc::frame_corrupt, id.raw);  // a crossing to nowhere
      if (!ARTFS_TRY(find_room(first_pages + own_pages, patience, lock))) continue;
      kept = ARTFS_TRY(fetch_first({id, slot->second, seal_of(id)}, lock));
      if (!kept || kept.holds(wanted)) return kept;
      continue;
    }
    if (found->has(Resident::loading)) {
      static_cast<void>(loaded_.wait_for(lock, 10ms));
      continue;
    }
    if (!found->has(Resident::partial)) return PartialPin();
    if (found->hits.exchange(0, std::memory_order_relaxed) >= hits_before_whole &&
        make_room(io::pages_per_frame)) {
      lock.unlock();
      static_cast<void>(ARTFS_TRY(load(id)));
      return PartialPin();
    }
    const bool is_inside = wanted.offset + wanted.bytes <= found->pages_home * io::page_bytes;
    if (!is_inside) return damaged(id, found->slot);
    const PageBits missing =
        PageBits::touched(wanted.offset, wanted.bytes).without(found->present.load());
    // It is partial and in the map, and who could change that waits for our mutex.
    found->state.fetch_add(Resident::one_pin, std::memory_order_acquire);
    PartialPin pin(*found);
    if (missing.none()) return pin;
    if (!missing.intersected(found->arriving).none()) {
      // Somebody else is reading them.
      static_cast<void>(loaded_.wait_for(lock, 10ms));
      continue;
    }
    const PageBits pages = pages_to_read(*found, missing);
    if (!ARTFS_TRY(find_room(pages.count(), patience, lock))) continue;
    ARTFS_TRY(fetch_more(*found, pages, lock));
    return pin;
  }
}

Result<PartialPin> CacheCore::fetch_first(const FrameLocation& home, MutexLock& lock) {
  std::byte* const buffer = sparse_buffers_.take();
  if (buffer == nullptr) {  // no addresses left: then as a whole
    lock.unlock();
    static_cast<void>(ARTFS_TRY(load(home.id)));
    return PartialPin();
  }
  Resident& resident = map_.insert(home.id, buffer);
  resident.slot = home.slot;
  resident.is_new = false;
  resident.is_sparse = true;
  resident.present.store({});
  resident.arriving = {};
  resident.hits.store(0, std::memory_order_relaxed);
  resident.misses = 1;
  occupy(resident, first_pages + own_pages);
  misses_.fetch_add(1, std::memory_order_relaxed);
  lock.unlock();
  const Result<void> read = read_first(resident, home);
  lock.lock();
  loaded_.notify_all();
  if (!read) {
    abandon(resident);
    return fail(read.error());
  }
  resize(resident, resident.present.load().count() + own_pages);
  queues_.add_loaded(resident);
  // Release pairs with the acquire of try_pin_partial().
  resident.state.fetch_add(Resident::partial - Resident::loading, std::memory_order_release);
  return PartialPin(resident);
}

Result<void> CacheCore::read_first(Resident& resident, const FrameLocation& home) {
  const std::span<std::byte> bytes(resident.bytes.load(), first_pages * io::page_bytes);
  ARTFS_TRY(blobs_.read(resident.slot, 0, bytes));
  pages_read_.fetch_add(first_pages, std::memory_order_relaxed);
  const std::span<const std::byte> header = bytes.first(io::page_bytes);
  if (!is_home_header(header, home)) return damaged(home.id, home.slot);
  resident.pages_home = format::pages_used(header);
  const std::size_t sound_end = std::min(first_pages, resident.pages_home);
  for (std::size_t page = 1; page < sound_end; ++page) {
    // Another page of the frame may be what is wanted.
    if (format::check_page(bytes, page))
      resident.present.publish(PageBits::range_of(page, page + 1));
  }
  resident.present.publish(PageBits::range_of(0, 1));
  return {};
}

PageBits CacheCore::pages_to_read(const Resident& resident, PageBits missing) const {
  // Under pressure what nobody asked for would push out what somebody did.
  if (resident_bytes() + long_pages * io::page_bytes > options_.budget_bytes) return missing;
  const std::size_t used = resident.pages_home;
  PageBits taken = resident.present.load();
  taken.add(resident.arriving);
  const auto with_neighbours = [&](std::size_t begin, std::size_t end) {
    PageBits pages = PageBits::range_of(begin, std::min(end, used)).without(taken);
    pages.add(missing);
    return pages;
  };
  const std::size_t wanted = missing.first();
  if (resident.misses >= misses_before_long) {
    const std::size_t begin_max = used - std::min(used, long_pages);
    const std::size_t begin = std::min(wanted - std::min(wanted, long_pages / 2), begin_max);
    const PageBits pages = with_neighbours(begin, begin + long_pages);
    if (pages.count() >= long_pages / 2) return pages;
  }
  const std::size_t begin = wanted - wanted % cluster_pages;
  return with_neighbours(begin, begin + cluster_pages);
}

// Pinned by the caller.
Result<void> CacheCore::fetch_more(Resident& resident, PageBits pages, MutexLock& lock) {
  resident.arriving.add(pages);
  ++resident.misses;
  misses_.fetch_add(1, std::memory_order_relaxed);
  resize(resident, resident.pages + pages.count());
  lock.unlock();
  const Result<void> read = read_pages(resident, pages);
  lock.lock();
  resident.arriving.remove(pages);
  loaded_.notify_all();
  if (read) {
    resident.present.publish(pages);
  } else {
    resize(resident, resident.pages - pages.count());
  }
  return read;
}

Result<void> CacheCore::read_pages(const Resident& resident, PageBits pages) {
  std::vector<io::PageRead> reads;
  pages.for_each_run([&](std::size_t begin, std::size_t end) {
    reads.push_back(
        {.slot = resident.slot,
         .first_page = static_cast<std::uint32_t>(begin),
         .out = {resident.bytes.load() + begin * io::page_bytes, (end - begin) * io::page_bytes}});
  });
  ARTFS_TRY(blobs_.read_batch(reads));
  pages_read_.fetch_add(pages.count(), std::memory_order_relaxed);
  const std::span<const std::byte> bytes(resident.bytes.load(), io::frame_bytes);
  for (std::size_t page = 1; page < io::pages_per_frame; ++page) {
    if (!pages.test(page) || format::check_page(bytes, page)) continue;
    return damaged(FrameId{resident.id.load(std::memory_order_relaxed)}, resident.slot);
  }
  return {};
}

void CacheCore::resize(Resident& resident, std::size_t pages) {
  pages_.fetch_add(pages - resident.pages, std::memory_order_relaxed);  // modulo 2^64
  queues_.resize(resident, pages);
}

void CacheCore::retire(Resident& resident) {
  map_.unlink(resident);
  queues_.remove(resident);
  resident.state.fetch_or(Resident::removed, std::memory_order_release);
}

}  // namespace artfs::frame
