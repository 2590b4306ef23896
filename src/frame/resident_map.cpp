// SPDX-License-Identifier: Apache-2.0
#include "frame/resident_map.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace artfs::frame {

namespace {

constexpr std::size_t buckets_min = 1024;

unsigned bucket_bits(std::size_t frames) noexcept {
  // Many per whole frame that the budget holds: there may be twenty times as many partial ones, and the
  // way to a whole frame shall not lead past them.
  constexpr std::size_t buckets_per_frame = 8;
  return static_cast<unsigned>(
      std::bit_width(std::max(frames * buckets_per_frame, buckets_min) - 1));
}

}  // namespace

ResidentMap::ResidentMap(CacheCore& core, std::size_t frames)
    : core_(core),
      shift_(64 - bucket_bits(frames)),
      buckets_(std::size_t{1} << bucket_bits(frames)) {}

Resident* ResidentMap::find(FrameId id) const noexcept {
  Resident* at = bucket(id).load(std::memory_order_relaxed);
  while (at != nullptr && at->id.load(std::memory_order_relaxed) != id.raw) {
    at = at->chain.load(std::memory_order_relaxed);
  }
  return at;
}

Resident& ResidentMap::insert(FrameId id, std::byte* bytes) {
  ARTFS_ASSERT(find(id) == nullptr);
  if (vacant_.empty()) vacant_.push_back(&residents_.emplace_back(core_));
  Resident& resident = *vacant_.back();
  vacant_.pop_back();
  ARTFS_ASSERT(resident.has(Resident::vacant));
  resident.id.store(id.raw, std::memory_order_relaxed);
  resident.bytes.store(bytes, std::memory_order_relaxed);
  // Late readers may still hold their 1 for a moment: add to it. vacant + 1 becomes loading + 1.
  resident.state.fetch_add(Resident::loading - Resident::vacant + Resident::one_pin,
                           std::memory_order_relaxed);
  std::atomic<Resident*>& head = bucket(id);
  resident.chain.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  // Release pairs with the acquire of pin(): the id is seen with the pointer.
  head.store(&resident, std::memory_order_release);
  return resident;
}

void ResidentMap::unlink(Resident& resident) noexcept {
  std::atomic<Resident*>* link = &bucket(FrameId{resident.id.load(std::memory_order_relaxed)});
  while (link->load(std::memory_order_relaxed) != &resident) {
    ARTFS_ASSERT(link->load(std::memory_order_relaxed) != nullptr);
    link = &link->load(std::memory_order_relaxed)->chain;
  }
  link->store(resident.chain.load(std::memory_order_relaxed), std::memory_order_release);
}

}  // namespace artfs::frame
