// SPDX-License-Identifier: Apache-2.0
// BufferPool: memory for frames, recycled instead of mapped and unmapped.
//
// Contract:   buffers are 512 KiB, page-aligned, with undefined contents. Free ones beyond
//             `kept_max` give their memory back to the system (the addresses stay ours).
// Threading:  none of its own; the owner serialises.
// Cost:       O(1); a system call for each 16 MiB of growth and each buffer given back. Arenas ask for
//             huge pages: a descent touches a few lines in each of many frames, so that with small
//             pages nearly every step would miss the TLB.
// Errors:     allocation failure aborts.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "io/blob_store.hpp"

namespace artfs::frame {

class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() = default;

  [[nodiscard]] std::byte* take();
  void give(std::byte* buffer) noexcept;

  // Free buffers that hold memory all the same.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

  static constexpr std::size_t kept_max = 8;

 private:
  static constexpr std::size_t huge_page_bytes = 2 * mib;
  static constexpr std::size_t arena_bytes = 16 * mib;

  struct Unmap {
    void operator()(std::byte* arena) const noexcept;
  };

  void add_arena();

  std::vector<std::unique_ptr<std::byte, Unmap>> arenas_;
  std::vector<std::byte*> kept_;   // last in, first out: the warm ones
  std::vector<std::byte*> empty_;  // without memory
};

}  // namespace artfs::frame
