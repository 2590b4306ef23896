// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "format/frame.hpp"
#include "frame/cache_core.hpp"

namespace artfs::frame {

using base::MutexLock;

namespace {

PageMask mask_of(PageBits bits) noexcept {
  return (PageMask(bits.words[1]) << 64U) | PageMask(bits.words[0]);
}

}  // namespace

// --- Changes -----------------------------------------------------------------------------------

void CacheCore::begin_write(Resident& resident, PageBits pages) {
  // Before the page bits: a frame whose pages are dirty must be in the list that freeze() walks. The
  // gate, held shared by the caller, keeps freeze() out between the two.
  if (!resident.has(Resident::dirty_flag)) note_dirty(resident);
  const MutexLock lock(resident.mutex);
  const PageBits dirty = resident.dirty.load();
  const PageBits frozen = resident.frozen.load();
  const PageBits fresh = pages.without(dirty);
  save_frozen(resident, fresh.intersected(frozen));
  dirty_pages_.fetch_add(fresh.without(frozen).count(), std::memory_order_relaxed);
  resident.dirty.add(fresh);
}

void CacheCore::note_dirty(Resident& resident) {
  const MutexLock lock(books_);
  if (resident.has(Resident::dirty_flag)) return;
  queues_.remove(resident);
  add_to_dirty_list(resident);
  const std::uint64_t before =
      resident.state.fetch_or(Resident::dirty_flag, std::memory_order_relaxed);
  if ((before & Resident::frozen_flag) == 0) {
    unevictable_frames_.fetch_add(1, std::memory_order_relaxed);
  }
}

void CacheCore::add_to_dirty_list(Resident& resident) {
  resident.dirty_index = dirty_.size();
  dirty_.push_back(&resident);
}

void CacheCore::take_from_dirty_list(Resident& resident) {
  ARTFS_ASSERT(dirty_[resident.dirty_index] == &resident);
  dirty_[resident.dirty_index] = dirty_.back();
  dirty_[resident.dirty_index]->dirty_index = resident.dirty_index;
  dirty_.pop_back();
}

void CacheCore::save_frozen(Resident& resident, PageBits pages) {
  if (pages.none()) return;
  if (!resident.saved) resident.saved = std::make_unique<SavedPages>();
  for (std::size_t page = 0; page < io::pages_per_frame; ++page) {
    if (!pages.test(page)) continue;
    auto& image = resident.saved->images[page];
    ARTFS_ASSERT(image == nullptr);
    image = std::make_unique<SavedPages::Image>();
    std::memcpy(image->data(), resident.bytes.load() + page * io::page_bytes, io::page_bytes);
    ++resident.saved->count;
    saved_pages_.fetch_add(1, std::memory_order_relaxed);
  }
}

// --- Checkpoint --------------------------------------------------------------------------------

PageBits CacheCore::pages_to_freeze(Resident& resident) {
  const PageBits dirty = resident.dirty.load();
  // Mostly nothing: one field tells, where pages_used() reads the whole header (500 ns a frame).
  const std::span<const std::byte> header(resident.bytes.load(), io::page_bytes);
  const std::size_t bump =
      base::copy_object<format::le32>(header, offsetof(format::FrameHeader, bump));
  if (bump <= resident.pages_home * io::page_bytes) return dirty;
  const std::size_t used = format::pages_used(header);
  // A reader verifies every page that the header counts as used, also one that was never written to
  // because zeros suited its owner; the slot may hold anything there.
  PageBits pages = PageBits::range_of(resident.pages_home, used);
  dirty_pages_.fetch_add(pages.without(dirty).count(), std::memory_order_relaxed);
  pages.add(dirty);
  resident.pages_home = used;
  return pages;
}

FrozenSet CacheCore::freeze() {
  FrozenSet set;
  const MutexLock lock(books_);
  ARTFS_ASSERT(!is_frozen_);
  set.next_frame_id = next_id_;
  if (options_.volatile_frames) return set;
  is_frozen_ = true;
  set.frames.reserve(dirty_.size());
  set.created.reserve(dirty_.size());
  // Writers wait for us, and every frame's lines are cold: fetch ahead, the header in a second step.
  constexpr std::size_t ahead = 8;
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    if (i + 2 * ahead < dirty_.size()) dirty_[i + 2 * ahead]->prefetch();
    if (i + ahead < dirty_.size()) __builtin_prefetch(dirty_[i + ahead]->bytes.load());
    Resident* const resident = dirty_[i];
    const FrameId id{resident->id.load(std::memory_order_relaxed)};
    const PageBits pages = pages_to_freeze(*resident);
    // No writer is about (the gate) and the last set was released: nobody else looks at these.
    resident->frozen.store(pages);
    resident->dirty.store({});
    resident->captured = false;
    const bool is_new = std::exchange(resident->is_new, false);
    // dirty becomes frozen, in one step.
    resident->state.fetch_add(Resident::frozen_flag - Resident::dirty_flag,
                              std::memory_order_relaxed);
    set.frames.push_back({id, resident->slot, mask_of(pages), is_new, resident, 0});
    if (is_new) set.created.push_back({id, resident->slot, 0});
  }
  dirty_.clear();
  set.removed = std::exchange(removed_, {});
  return set;
}

void CacheCore::capture(FrozenFrame& frozen, std::span<std::byte> out) {
  Resident& resident = *frozen.resident;
  ARTFS_ASSERT(out.size() == frozen.pages.count() * io::page_bytes);
  if (out.empty()) return;
  std::array<format::PageChecksum, io::pages_per_frame - 1> checksums;
  {
    // Keeps a writer from changing a frozen page between our look for its image and our copy.
    const MutexLock lock(resident.mutex);
    ARTFS_ASSERT(mask_of(resident.frozen.load()) == frozen.pages);
    std::byte* to = out.data();
    for (std::size_t page = 0; page < io::pages_per_frame; ++page) {
      if (!frozen.pages.test(page)) continue;
      const bool is_saved = resident.saved && resident.saved->images[page];
      const std::byte* const from = is_saved ? resident.saved->images[page]->data()
                                             : resident.bytes.load() + page * io::page_bytes;
      std::memcpy(to, from, io::page_bytes);
      to += io::page_bytes;
    }
  }
  std::span<const std::byte> rest(out);
  for (std::size_t page = 0; page < io::pages_per_frame; ++page) {
    if (!frozen.pages.test(page)) continue;
    if (page > 0) resident.checksums[page] = format::page_checksum(rest.first(io::page_bytes));
    rest = rest.subspan(io::page_bytes);
  }
  for (std::uint32_t page = 1; page < io::pages_per_frame; ++page) {
    checksums[page - 1] = {page, resident.checksums[page]};
  }
  ARTFS_ASSERT(frozen.pages.test(0));
  format::seal_header(out.first(io::page_bytes), checksums);
  frozen.seal = format::seal_of(out.first(io::page_bytes));
  resident.captured = true;
}

void CacheCore::unfreeze(Resident& resident) {
  const MutexLock lock(resident.mutex);
  // I1: what was not changed again equals the durable image now.
  const PageBits clean = resident.frozen.load().without(resident.dirty.load());
  dirty_pages_.fetch_sub(clean.count(), std::memory_order_relaxed);
  resident.frozen.store({});
  if (!resident.saved) return;
  saved_pages_.fetch_sub(resident.saved->count, std::memory_order_relaxed);
  resident.saved.reset();
}

void CacheCore::release(FrozenSet&& frozen) {
  const FrozenSet set = std::move(frozen);
  if (options_.volatile_frames) return;
  for (const FrozenFrame& frame : set.frames) {
    Resident& resident = *frame.resident;
    ARTFS_ASSERT(resident.captured);
    unfreeze(resident);
    const MutexLock lock(books_);
    if (frame.seal != 0 && slots_.contains(frame.id.raw)) seals_[frame.id.raw] = frame.seal;
    const std::uint64_t before =
        resident.state.fetch_and(~Resident::frozen_flag, std::memory_order_relaxed);
    ARTFS_ASSERT((before & Resident::frozen_flag) != 0);
    if ((before & Resident::dirty_flag) != 0) continue;
    unevictable_frames_.fetch_sub(1, std::memory_order_relaxed);
    if ((before & Resident::removed) != 0) {
      discard(resident);
    } else {
      queues_.add_settled(resident);
    }
  }
  // No durable state names these slots any more.
  for (const FrameLocation& gone : set.removed) blobs_.free(gone.slot);
  const MutexLock lock(books_);
  ARTFS_ASSERT(is_frozen_);
  is_frozen_ = false;
  ++releases_;
  make_room(0);
  freed_.notify_all();
}

}  // namespace artfs::frame
