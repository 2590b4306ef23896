// SPDX-License-Identifier: Apache-2.0
#include "io/memory_store.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::io {

using base::MutexLock;

MemoryStore::MemoryStore(std::uint64_t slots_max) {
  book_.restore({}, slots_max);
}

Result<void> MemoryStore::read(SlotId slot, std::uint32_t first_page, std::span<std::byte> out) {
  ARTFS_ASSERT(first_page * page_bytes + out.size() <= frame_bytes);
  const MutexLock lock(mutex_);
  const auto found = slots_.find(slot.raw);
  if (found == slots_.end()) {
    std::fill(out.begin(), out.end(), std::byte{0});
  } else {
    std::copy_n(found->second.data() + first_page * page_bytes, out.size(), out.data());
  }
  return {};
}

Result<void> MemoryStore::write(std::span<const PageWrite> writes) {
  const MutexLock lock(mutex_);
  for (const PageWrite& write : writes) {
    ARTFS_ASSERT(write.first_page * page_bytes + write.pages.size() <= frame_bytes);
    AlignedBuffer& frame = slots_[write.slot.raw];
    if (frame.size() == 0) {
      frame = AlignedBuffer(frame_bytes);
      std::fill_n(frame.data(), frame_bytes, std::byte{0});
    }
    std::copy(write.pages.begin(), write.pages.end(), frame.data() + write.first_page * page_bytes);
  }
  return {};
}

Result<void> MemoryStore::reserve(std::size_t count) {
  const MutexLock lock(mutex_);
  if (book_.available() < count) return fail(Errc::no_space);
  book_.promise(count);
  return {};
}

void MemoryStore::unreserve(std::size_t count) noexcept {
  const MutexLock lock(mutex_);
  book_.take_back(count);
}

SlotId MemoryStore::allocate() noexcept {
  const MutexLock lock(mutex_);
  return book_.allocate();
}

void MemoryStore::free(SlotId slot) noexcept {
  const MutexLock lock(mutex_);
  slots_.erase(slot.raw);
  book_.free(slot);
}

void MemoryStore::restore(std::span<const SlotId> in_use) {
  const MutexLock lock(mutex_);
  book_.restore(in_use, book_.capacity());
}

std::uint64_t MemoryStore::size_bytes() const noexcept {
  const MutexLock lock(mutex_);
  return slots_.size() * frame_bytes;
}

}  // namespace artfs::io
