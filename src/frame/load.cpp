// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "format/frame.hpp"
#include "frame/cache_core.hpp"

namespace artfs::frame {

using base::MutexLock;
using namespace std::chrono_literals;

namespace {

// A waiter looks again this often, since unpinning tells nobody (a hit must stay cheap).
constexpr auto look_again = 10ms;
// Pins are short: when only they are in the way, the budget gives soon.
constexpr auto pins_patience = 50ms;
// Dirt leaves with checkpoints: seconds on a slow disk. Starts anew when one was released ...
constexpr auto checkpoint_patience = 10s;
// ... up to this.
constexpr auto patience_max = 30s;
// With less than this share of the budget dirty or frozen, pins are what is in the way.
constexpr std::uint64_t dirt_share = 4;
// on_pressure is called at most this often.
constexpr std::uint64_t call_interval_ns = 5'000'000;

// What may go over the budget rather than deadlock: frames that several operations pin together. Under five
// in a hundred, except for caches so small that one operation's frames are more than that.
constexpr std::uint64_t overshoot_share = 32;
constexpr std::uint64_t small_cache_frames = 64;
constexpr std::uint64_t small_cache_overshoot_frames = 8;

}  // namespace

std::uint64_t CacheCore::resident_bytes() const noexcept {
  return (pages_.load(std::memory_order_relaxed) + saved_pages_.load(std::memory_order_relaxed)) *
         io::page_bytes;
}

std::uint64_t CacheCore::overshoot_bytes() const noexcept {
  if (options_.budget_bytes < small_cache_frames * io::frame_bytes) {
    return small_cache_overshoot_frames * io::frame_bytes;
  }
  return options_.budget_bytes / overshoot_share;
}

bool CacheCore::make_room(std::size_t pages) {
  if (!limbo_.empty()) sweep_limbo();
  while (resident_bytes() + pages * io::page_bytes > options_.budget_bytes) {
    Resident* const victim = queues_.pick();
    if (victim == nullptr) return options_.volatile_frames;
    map_.unlink(*victim);
    vacated(*victim);
    evictions_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

bool CacheCore::call_for_checkpoint() {
  // Who waits here with a latch or the gate may wait for himself.
  ARTFS_ASSERT(base::LockOrder::none_held_from(base::Rank::commit_gate));
  if (!options_.on_pressure) return false;
  const std::uint64_t now = base::now_ns();
  std::uint64_t last = last_call_ns_.load(std::memory_order_relaxed);
  const bool is_due = now - last >= call_interval_ns;
  // One of those who come together calls.
  if (is_due && last_call_ns_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    is_helped_.store(options_.on_pressure(), std::memory_order_relaxed);
  }
  return is_helped_.load(std::memory_order_relaxed);
}

CacheCore::Step CacheCore::next_step(std::size_t pages, Patience& patience) const {
  const bool has_reserve =
      resident_bytes() + pages * io::page_bytes <= options_.budget_bytes + overshoot_bytes();
  if (patience.is_alone) return has_reserve ? Step::exceed : Step::give_up;
  const auto now = Patience::Clock::now();
  if (std::exchange(patience.releases, releases_) != releases_) patience.since = now;
  const bool is_stuck =
      now - patience.since >= checkpoint_patience || now - patience.begun >= patience_max;
  if (is_stuck) return has_reserve ? Step::exceed : Step::give_up;
  const bool is_dirt = unevictable_bytes() >= options_.budget_bytes / dirt_share;
  if (!is_dirt && has_reserve && now - patience.begun >= pins_patience) return Step::exceed;
  return Step::wait;
}

Result<bool> CacheCore::find_room(std::size_t pages, Patience& patience, MutexLock& lock) {
  if (make_room(pages)) return true;
  switch (next_step(pages, patience)) {
    case Step::exceed:
      return true;
    case Step::give_up:
      return fail(Errc::cache_exhausted);
    case Step::wait:
      break;
  }
  lock.unlock();
  patience.is_alone = !call_for_checkpoint();
  lock.lock();
  if (!patience.is_alone) static_cast<void>(freed_.wait_for(lock, look_again));
  return false;
}

Result<Pin> CacheCore::load(FrameId id) {
  if (Resident* const found = map_.pin(id)) {
    count_hit();
    return pin_of(*found);
  }
  Patience patience;
  MutexLock lock(books_);
  patience.releases = releases_;
  for (;;) {
    Resident* const found = map_.find(id);
    if (found != nullptr && found->try_pin(id)) {
      count_hit();
      return pin_of(*found);
    }
    if (found != nullptr && (!found->has(Resident::partial) || !found->arriving.none())) {
      // Somebody else is reading it: one read serves both. What arrives in a partial frame must be there
      // before a whole one can be changed and written home.
      static_cast<void>(loaded_.wait_for(lock, look_again));
      continue;
    }
    const auto slot = slots_.find(id.raw);
    if (slot == slots_.end()) return fail(Errc::frame_corrupt, id.raw);  // a crossing to nowhere
    // The pin keeps what is present while room is made for the whole.
    const bool is_partial = found != nullptr && found->try_pin_partial(id);
    const Result<bool> has_room = find_room(io::pages_per_frame, patience, lock);
    if (!has_room || !*has_room) {
      if (is_partial) found->unpin();
      if (!has_room) return fail(has_room.error());
      continue;
    }
    const FrameLocation home{id, slot->second, seal_of(id)};
    return is_partial ? load_rest(*found, lock) : load_all(home, lock);
  }
}

Result<Pin> CacheCore::load_all(const FrameLocation& home, MutexLock& lock) {
  Resident& resident = begin_read(home.id, home.slot);
  lock.unlock();
  Result<void> read = blobs_.read(home.slot, 0, {resident.bytes.load(), io::frame_bytes});
  if (read) read = verify(resident, home);
  lock.lock();
  return end_read(resident, read, QueueKind::young);
}

void CacheCore::read_ahead(std::span<const FrameId> ids) {
  struct Arrival {
    Resident* resident;
    FrameLocation home;
  };

  // Of the budget; a cache that is too small for that loads one after the other.
  constexpr std::uint64_t share = 16;
  std::vector<Arrival> arrivals;
  std::vector<io::PageRead> reads;
  MutexLock lock(books_);
  for (const FrameId id : ids) {
    if ((arrivals.size() + 1) * io::frame_bytes * share > options_.budget_bytes) break;
    const auto slot = slots_.find(id.raw);
    if (slot == slots_.end() || map_.find(id) != nullptr) continue;
    if (!make_room(io::pages_per_frame)) break;
    Resident& resident = begin_read(id, slot->second);
    arrivals.push_back({&resident, {id, slot->second, seal_of(id)}});
    reads.push_back(
        {.slot = slot->second, .first_page = 0, .out = {resident.bytes.load(), io::frame_bytes}});
  }
  lock.unlock();
  if (arrivals.empty()) return;
  const Result<void> read = blobs_.read_batch(reads);
  for (const Arrival& arrival : arrivals) {
    const Result<void> sound = read ? verify(*arrival.resident, arrival.home) : read;
    lock.lock();
    static_cast<void>(end_read(*arrival.resident, sound, QueueKind::young));
    lock.unlock();
  }
}

// `partial` is pinned; another resident takes its place.
Result<Pin> CacheCore::load_rest(Resident& partial, MutexLock& lock) {
  const FrameId id{partial.id.load(std::memory_order_relaxed)};
  const QueueKind kind = partial.queue;
  retire(partial);
  Resident& resident = begin_read(id, partial.slot);
  lock.unlock();
  const Result<void> read = complete(resident, partial);
  lock.lock();
  partial.unpin();
  discard(partial);
  return end_read(resident, read, kind);
}

void CacheCore::occupy(Resident& resident, std::size_t pages) {
  resident.pages = pages;
  pages_.fetch_add(pages, std::memory_order_relaxed);
  (resident.is_sparse ? partial_frames_ : frames_).fetch_add(1, std::memory_order_relaxed);
}

Resident& CacheCore::begin_read(FrameId id, io::SlotId slot) {
  Resident& resident = map_.insert(id, buffers_.take());
  resident.slot = slot;
  resident.is_new = false;
  occupy(resident, io::pages_per_frame);
  misses_.fetch_add(1, std::memory_order_relaxed);
  return resident;
}

Result<Pin> CacheCore::end_read(Resident& resident, Result<void> read, QueueKind kind) {
  loaded_.notify_all();
  if (!read) {
    abandon(resident);
    return fail(read.error());
  }
  resident.latch.offer();
  if (kind == QueueKind::young) {
    queues_.add_loaded(resident);
  } else {
    queues_.add_as(resident, kind);
  }
  // Release pairs with the acquire of try_pin(): who sees it available sees its bytes.
  resident.state.fetch_and(~Resident::loading, std::memory_order_release);
  return pin_of(resident);
}

void CacheCore::abandon(Resident& resident) {
  map_.unlink(resident);
  // loading + 1 becomes vacant; late readers keep their own 1.
  resident.state.fetch_sub(Resident::loading - Resident::vacant + Resident::one_pin,
                           std::memory_order_relaxed);
  // Only to be withdrawn: nobody can have seen it available.
  if (!resident.is_sparse) resident.latch.offer();
  vacated(resident);
}

std::uint64_t CacheCore::seal_of(FrameId id) const {
  const auto found = seals_.find(id.raw);
  return found == seals_.end() ? 0 : found->second;
}

tl::unexpected<Error> CacheCore::damaged(FrameId id, io::SlotId slot) {
  base::log_error("frame {} in slot {} is damaged: what it holds cannot be read", id.raw, slot.raw);
  return fail(Errc::frame_corrupt, id.raw);
}

bool CacheCore::is_home_header(std::span<const std::byte> header,
                               const FrameLocation& home) const noexcept {
  if (!format::check_header(header, uuid_, home.id)) return false;
  return home.seal == 0 || home.seal == format::seal_of(header);
}

Result<void> CacheCore::verify(Resident& resident, const FrameLocation& home) {
  const std::span<const std::byte> bytes(resident.bytes.load(), io::frame_bytes);
  pages_read_.fetch_add(io::pages_per_frame, std::memory_order_relaxed);
  bool is_sound = is_home_header(bytes.first(io::page_bytes), home);
  // What lies beyond the used pages has no meaning, and no checksum.
  const std::size_t used = is_sound ? format::pages_used(bytes.first(io::page_bytes)) : 0;
  for (std::size_t page = 1; is_sound && page < used; ++page) {
    is_sound = format::check_page(bytes, page).has_value();
  }
  if (!is_sound) return damaged(home.id, home.slot);
  remember_home(resident, used);
  return {};
}

Result<void> CacheCore::complete(Resident& resident, const Resident& from) {
  const PageBits present = from.present.published();
  const PageBits missing = PageBits::range_of(0, from.pages_home).without(present);
  std::byte* const to = resident.bytes.load();
  present.for_each_run([&](std::size_t begin, std::size_t end) {
    std::memcpy(to + begin * io::page_bytes, from.bytes.load() + begin * io::page_bytes,
                (end - begin) * io::page_bytes);
  });
  const std::size_t used_bytes = from.pages_home * io::page_bytes;
  std::memset(to + used_bytes, 0, io::frame_bytes - used_bytes);
  ARTFS_TRY(read_pages(resident, missing));
  remember_home(resident, from.pages_home);
  return {};
}

void CacheCore::remember_home(Resident& resident, std::size_t pages_used) {
  const std::span<const std::byte> bytes(resident.bytes.load(), io::page_bytes);
  const auto header = base::copy_object<format::FrameHeader>(bytes);
  resident.pages_home = pages_used;
  std::copy(header.page_checksums.begin(), header.page_checksums.end(), resident.checksums.begin());
}

}  // namespace artfs::frame
