// SPDX-License-Identifier: Apache-2.0
#include "frame/buffer_pool.hpp"

#include <sys/mman.h>

#include "base/assert.hpp"

namespace artfs::frame {

void BufferPool::Unmap::operator()(std::byte* arena) const noexcept {
  ::munmap(arena, arena_bytes + huge_page_bytes);
}

void BufferPool::add_arena() {
  void* const mapped = ::mmap(nullptr, arena_bytes + huge_page_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ARTFS_ASSERT(mapped != MAP_FAILED);
  auto* const arena = static_cast<std::byte*>(mapped);
  arenas_.emplace_back(arena);
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(arena) % huge_page_bytes;
  std::byte* const first = arena + (misaligned == 0 ? 0 : huge_page_bytes - misaligned);
  static_cast<void>(::madvise(first, arena_bytes, MADV_HUGEPAGE));  // a wish, not a need
  // Highest first, so that the lowest is taken first and a huge page is filled before the next.
  for (std::size_t end = arena_bytes; end > 0; end -= io::frame_bytes) {
    empty_.push_back(first + end - io::frame_bytes);
  }
}

std::byte* BufferPool::take() {
  if (kept_.empty() && empty_.empty()) add_arena();
  auto& from = kept_.empty() ? empty_ : kept_;
  std::byte* const buffer = from.back();
  from.pop_back();
  return buffer;
}

void BufferPool::give(std::byte* buffer) noexcept {
  if (kept_.size() < kept_max) {
    kept_.push_back(buffer);
    return;
  }
  static_cast<void>(::madvise(buffer, io::frame_bytes, MADV_DONTNEED));
  empty_.push_back(buffer);
}

}  // namespace artfs::frame
