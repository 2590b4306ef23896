// SPDX-License-Identifier: Apache-2.0
// AlignedBuffer: owned bytes whose address suits O_DIRECT.
//
// Contract:   the address is a multiple of direct_alignment_bytes; contents start undefined. Views are
//             valid until the buffer is moved from, resized or destroyed. Move-only.
// Cost:       one allocation; sizes above 128 KiB usually cost an mmap, so keep and reuse large ones.
// Errors:     allocation failure aborts (the log makes that safe).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>

#include "base/assert.hpp"
#include "io/device.hpp"

namespace artfs::io {

class [[nodiscard]] AlignedBuffer {
 public:
  AlignedBuffer() noexcept = default;

  explicit AlignedBuffer(std::size_t bytes) : size_(bytes) {
    if (bytes == 0) return;
    // aligned_alloc wants a multiple of the alignment.
    const std::size_t rounded =
        (bytes + direct_alignment_bytes - 1) / direct_alignment_bytes * direct_alignment_bytes;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(direct_alignment_bytes, rounded)));
    ARTFS_ASSERT(data_ != nullptr);
  }

  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}

  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_.get(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  [[nodiscard]] std::span<std::byte> span() const noexcept { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };

  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

[[nodiscard]] inline bool is_aligned(const void* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % direct_alignment_bytes == 0;
}

}  // namespace artfs::io
