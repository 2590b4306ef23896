// SPDX-License-Identifier: Apache-2.0
#include "frame/buffer_pool.hpp"

#include <sys/mman.h>

#include "base/assert.hpp"

namespace artfs::frame {

namespace {

constexpr std::size_t whole_arena_bytes = 16 * mib;
constexpr std::size_t sparse_arena_bytes = 256 * mib;

}  // namespace

void BufferPool::Unmap::operator()(std::byte* arena) const noexcept {
  ::munmap(arena, bytes);
}

bool BufferPool::add_arena() {
  const std::size_t arena_bytes = use_ == Use::whole ? whole_arena_bytes : sparse_arena_bytes;
  const std::size_t mapped_bytes = arena_bytes + huge_page_bytes;
  void* const mapped = ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const arena = static_cast<std::byte*>(mapped);
  arenas_.push_back({arena, Unmap{mapped_bytes}});
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(arena) % huge_page_bytes;
  std::byte* const first = arena + (misaligned == 0 ? 0 : huge_page_bytes - misaligned);
  // Wishes, not needs. A huge page in a sparse buffer would be memory that nobody counts.
  const int advice = use_ == Use::whole ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
  static_cast<void>(::madvise(first, arena_bytes, advice));
  // Highest first, so that the lowest is taken first and a huge page is filled before the next.
  for (std::size_t end = arena_bytes; end > 0; end -= io::frame_bytes) {
    empty_.push_back(first + end - io::frame_bytes);
  }
  return true;
}

std::byte* BufferPool::take() {
  if (kept_.empty() && empty_.empty() && !add_arena()) {
    ARTFS_ASSERT(use_ == Use::sparse);
    return nullptr;
  }
  auto& from = kept_.empty() ? empty_ : kept_;
  std::byte* const buffer = from.back();
  from.pop_back();
  return buffer;
}

void BufferPool::give(std::byte* buffer) noexcept {
  if (use_ == Use::whole && kept_.size() < kept_max) {
    kept_.push_back(buffer);
    return;
  }
  static_cast<void>(::madvise(buffer, io::frame_bytes, MADV_DONTNEED));
  empty_.push_back(buffer);
}

}  // namespace artfs::frame
