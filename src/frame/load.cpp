// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

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

// What may go over the budget rather than deadlock: frames that several operations pin together.
constexpr std::uint64_t overshoot_share = 8;
constexpr std::uint64_t overshoot_frames_min = 8;

}  // namespace

std::uint64_t CacheCore::resident_bytes() const noexcept {
  return frames_.load(std::memory_order_relaxed) * io::frame_bytes +
         saved_pages_.load(std::memory_order_relaxed) * io::page_bytes;
}

std::uint64_t CacheCore::overshoot_bytes() const noexcept {
  return std::max(options_.budget_bytes / overshoot_share, overshoot_frames_min * io::frame_bytes);
}

bool CacheCore::make_room() {
  if (!limbo_.empty()) sweep_limbo();
  while (resident_bytes() + io::frame_bytes > options_.budget_bytes) {
    Resident* const victim = queues_.pick();
    if (victim == nullptr) return options_.volatile_frames;
    map_.unlink(*victim);
    vacated(*victim);
    evictions_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

void CacheCore::call_for_checkpoint() {
  // Who waits here with a latch or the gate may wait for himself.
  ARTFS_ASSERT(base::LockOrder::none_held_from(base::Rank::tree));
  if (!options_.on_pressure) return;
  const std::uint64_t now = base::now_ns();
  std::uint64_t last = last_call_ns_.load(std::memory_order_relaxed);
  if (now - last < call_interval_ns) return;
  // One of those who come together calls.
  if (last_call_ns_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    options_.on_pressure();
  }
}

CacheCore::Step CacheCore::next_step(Patience& patience) const {
  const bool has_reserve =
      resident_bytes() + io::frame_bytes <= options_.budget_bytes + overshoot_bytes();
  if (!options_.on_pressure) return has_reserve ? Step::exceed : Step::give_up;
  const auto now = Patience::Clock::now();
  if (std::exchange(patience.releases, releases_) != releases_) patience.since = now;
  const bool is_stuck =
      now - patience.since >= checkpoint_patience || now - patience.begun >= patience_max;
  if (is_stuck) return has_reserve ? Step::exceed : Step::give_up;
  const bool is_dirt = unevictable_bytes() >= options_.budget_bytes / dirt_share;
  if (!is_dirt && has_reserve && now - patience.begun >= pins_patience) return Step::exceed;
  return Step::wait;
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
    if (Resident* const found = map_.find(id)) {
      if (found->try_pin(id)) {
        count_hit();
        return pin_of(*found);
      }
      // Somebody else is reading it: one read serves both.
      static_cast<void>(loaded_.wait_for(lock, look_again));
      continue;
    }
    const auto slot = slots_.find(id.raw);
    if (slot == slots_.end()) return fail(Errc::frame_corrupt, id.raw);  // a crossing to nowhere
    const Step step = make_room() ? Step::exceed : next_step(patience);
    if (step == Step::give_up) return fail(Errc::cache_exhausted);
    if (step == Step::wait) {
      lock.unlock();
      call_for_checkpoint();
      lock.lock();
      static_cast<void>(freed_.wait_for(lock, look_again));
      continue;
    }
    const FrameLocation home{id, slot->second, seal_of(id)};
    Resident& resident = begin_read(id, home.slot);
    lock.unlock();
    const Result<void> read = read_and_verify(resident, home);
    lock.lock();
    return end_read(resident, read);
  }
}

Resident& CacheCore::begin_read(FrameId id, io::SlotId slot) {
  Resident& resident = map_.insert(id, buffers_.take());
  resident.slot = slot;
  resident.is_new = false;
  frames_.fetch_add(1, std::memory_order_relaxed);
  misses_.fetch_add(1, std::memory_order_relaxed);
  return resident;
}

Result<Pin> CacheCore::end_read(Resident& resident, Result<void> read) {
  loaded_.notify_all();
  if (!read) {
    map_.unlink(resident);
    // loading + 1 becomes vacant; late readers keep their own 1.
    resident.state.fetch_sub(Resident::loading - Resident::vacant + Resident::one_pin,
                             std::memory_order_relaxed);
    resident.latch.offer();  // only to be withdrawn: nobody can have seen it available
    vacated(resident);
    return fail(read.error());
  }
  resident.latch.offer();
  queues_.add_loaded(resident);
  // Release pairs with the acquire of try_pin(): who sees it available sees its bytes.
  resident.state.fetch_and(~Resident::loading, std::memory_order_release);
  return pin_of(resident);
}

std::uint64_t CacheCore::seal_of(FrameId id) const {
  const auto found = seals_.find(id.raw);
  return found == seals_.end() ? 0 : found->second;
}

Result<void> CacheCore::read_and_verify(Resident& resident, const FrameLocation& home) {
  const FrameId id = home.id;
  const std::span<std::byte> bytes(resident.bytes.load(), io::frame_bytes);
  ARTFS_TRY(blobs_.read(resident.slot, 0, bytes));
  Result<void> sound = format::check_header(bytes.first(io::page_bytes), uuid_, id);
  if (sound && home.seal != 0 && home.seal != format::seal_of(bytes.first(io::page_bytes))) {
    sound = fail(Errc::frame_corrupt, id.raw);
  }
  // What lies beyond the used pages has no meaning, and no checksum.
  const std::size_t used = sound ? format::pages_used(bytes.first(io::page_bytes)) : 0;
  for (std::size_t page = 1; sound && page < used; ++page) sound = format::check_page(bytes, page);
  if (!sound) {
    base::log_error("frame {} in slot {} is damaged: what it holds cannot be read", id.raw,
                    resident.slot.raw);
    return fail(Errc::frame_corrupt, id.raw);
  }
  const auto header = base::copy_object<format::FrameHeader>(bytes);
  resident.pages_home = used;
  std::copy(header.page_checksums.begin(), header.page_checksums.end(), resident.checksums.begin());
  return {};
}

}  // namespace artfs::frame
