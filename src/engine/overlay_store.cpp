// SPDX-License-Identifier: Apache-2.0
#include "engine/overlay_store.hpp"

#include <algorithm>
#include <cstring>

namespace artfs::engine {

Result<void> OverlayStore::read(io::SlotId slot, std::uint32_t first_page,
                                std::span<std::byte> out) {
  bool fresh = false;
  {
    const base::MutexLock lock(mutex_);
    fresh = slot.raw >= first_fresh_slot_;
  }
  if (fresh) {
    std::memset(out.data(), 0, out.size());
  } else {
    ARTFS_TRY(base_->read(slot, first_page, out));
  }
  const base::MutexLock lock(mutex_);
  for (std::size_t page = 0; page < out.size() / io::page_bytes; ++page) {
    const auto written = pages_.find(key_of(slot, first_page + page));
    if (written == pages_.end()) continue;
    std::memcpy(out.data() + page * io::page_bytes, written->second.data(), io::page_bytes);
  }
  return {};
}

Result<void> OverlayStore::write(std::span<const io::PageWrite> writes) {
  const base::MutexLock lock(mutex_);
  for (const io::PageWrite& write : writes) {
    for (std::size_t page = 0; page < write.pages.size() / io::page_bytes; ++page) {
      io::AlignedBuffer& place = pages_[key_of(write.slot, write.first_page + page)];
      if (place.size() == 0) place = io::AlignedBuffer(io::page_bytes);
      std::memcpy(place.data(), write.pages.data() + page * io::page_bytes, io::page_bytes);
    }
  }
  return {};
}

Result<void> OverlayStore::sync() {
  return {};
}

Result<void> OverlayStore::reserve(std::size_t /*count*/) {
  return {};
}

void OverlayStore::unreserve(std::size_t /*count*/) noexcept {}

io::SlotId OverlayStore::allocate() noexcept {
  const base::MutexLock lock(mutex_);
  return io::SlotId{next_slot_++};
}

void OverlayStore::free(io::SlotId slot) noexcept {
  const base::MutexLock lock(mutex_);
  for (std::size_t page = 0; page < io::pages_per_frame; ++page) pages_.erase(key_of(slot, page));
}

void OverlayStore::restore(std::span<const io::SlotId> in_use) {
  base_->restore(in_use);
  io::SlotId highest;
  for (const io::SlotId slot : in_use) highest = std::max(highest, slot);
  const base::MutexLock lock(mutex_);
  first_fresh_slot_ = highest.raw + 1;
  next_slot_ = first_fresh_slot_;
}

}  // namespace artfs::engine
