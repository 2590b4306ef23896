// SPDX-License-Identifier: Apache-2.0
#include "io/sparse_bytes.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace artfs::io {

void SparseBytes::resize(std::uint64_t size_bytes) {
  if (size_bytes < size_) zero(size_bytes, size_ - size_bytes);
  chunks_.resize(static_cast<std::size_t>((size_bytes + chunk_bytes - 1) / chunk_bytes));
  size_ = size_bytes;
}

void SparseBytes::read(std::uint64_t offset, std::span<std::byte> out) const noexcept {
  ARTFS_ASSERT(offset <= size_ && out.size() <= size_ - offset);
  while (!out.empty()) {
    const auto at = static_cast<std::size_t>(offset % chunk_bytes);
    const std::size_t bytes = std::min(out.size(), chunk_bytes - at);
    const auto& chunk = chunks_[static_cast<std::size_t>(offset / chunk_bytes)];
    if (chunk) {
      std::copy_n(chunk->data() + at, bytes, out.data());
    } else {
      std::fill_n(out.data(), bytes, std::byte{0});
    }
    offset += bytes;
    out = out.subspan(bytes);
  }
}

void SparseBytes::write(std::uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  if (offset + data.size() > size_) resize(offset + data.size());
  while (!data.empty()) {
    const auto at = static_cast<std::size_t>(offset % chunk_bytes);
    const std::size_t bytes = std::min(data.size(), chunk_bytes - at);
    auto& chunk = chunks_[static_cast<std::size_t>(offset / chunk_bytes)];
    if (!chunk) chunk = std::make_unique<Chunk>();  // value-initialised: zeros
    std::copy_n(data.data(), bytes, chunk->data() + at);
    offset += bytes;
    data = data.subspan(bytes);
  }
}

void SparseBytes::zero(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min(size_, offset + length);
  while (offset < end) {
    const auto at = static_cast<std::size_t>(offset % chunk_bytes);
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, chunk_bytes - at));
    auto& chunk = chunks_[static_cast<std::size_t>(offset / chunk_bytes)];
    if (bytes == chunk_bytes) {
      chunk.reset();
    } else if (chunk) {
      std::fill_n(chunk->data() + at, bytes, std::byte{0});
    }
    offset += bytes;
  }
}

SparseBytes SparseBytes::clone() const {
  SparseBytes copy;
  copy.size_ = size_;
  copy.chunks_.resize(chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i]) copy.chunks_[i] = std::make_unique<Chunk>(*chunks_[i]);
  }
  return copy;
}

}  // namespace artfs::io
