// SPDX-License-Identifier: Apache-2.0
// BufferPool: memory for frames, recycled instead of mapped and unmapped.
//
// Contract:   buffers are 512 KiB, page-aligned, with undefined contents. Free ones beyond `kept_max` (of a
//             sparse pool: all) give their memory back to the system (the addresses stay ours). A page of a
//             sparse pool's buffer takes memory when it is first written, and no sooner.
// Threading:  none of its own; the owner serialises.
// Cost:       O(1); a system call for each arena of growth and each buffer given back. Whole frames ask for
//             huge pages: a descent touches a few lines in each of many frames, so that with small
//             pages nearly every step would miss the TLB.
// Errors:     allocation failure aborts; of a sparse pool, which asks for many times the addresses that it
//             fills, take() returns null.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "io/blob_store.hpp"

namespace artfs::frame {

class BufferPool {
 public:
  enum class Use : std::uint8_t { whole, sparse };

  explicit BufferPool(Use use) noexcept : use_(use) {}

  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() = default;

  [[nodiscard]] std::byte* take();
  void give(std::byte* buffer) noexcept;

  // Free buffers that hold memory all the same.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

  static constexpr std::size_t kept_max = 4;

 private:
  static constexpr std::size_t huge_page_bytes = 2 * mib;

  struct Unmap {
    std::size_t bytes = 0;
    void operator()(std::byte* arena) const noexcept;
  };

  [[nodiscard]] bool add_arena();

  const Use use_;
  std::vector<std::unique_ptr<std::byte, Unmap>> arenas_;
  std::vector<std::byte*> kept_;   // last in, first out: the warm ones
  std::vector<std::byte*> empty_;  // without memory
};

}  // namespace artfs::frame
