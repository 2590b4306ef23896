// SPDX-License-Identifier: Apache-2.0
#include "io/sparse_bytes.hpp"

#include <algorithm>
#include <memory>

#include "base/assert.hpp"

namespace artfs::io {

SparseBytes::ChunkRef SparseBytes::ChunkRef::share() const noexcept {
  ChunkRef other;
  if (chunk_ != nullptr) chunk_->owners.fetch_add(1, std::memory_order_relaxed);
  other.chunk_ = chunk_;
  return other;
}

std::byte* SparseBytes::ChunkRef::own() {
  if (chunk_ == nullptr) {
    chunk_ = std::make_unique<Chunk>().release();
  } else if (chunk_->owners.load(std::memory_order_acquire) != 1) {  // pairs with reset()
    auto copy = std::make_unique<Chunk>();
    copy->bytes = chunk_->bytes;
    reset();
    chunk_ = copy.release();
  }
  return chunk_->bytes.data();
}

void SparseBytes::ChunkRef::reset() noexcept {
  Chunk* const chunk = std::exchange(chunk_, nullptr);
  // Release: our reads are over before another owner writes. Acquire: theirs before the memory goes.
  if (chunk != nullptr && chunk->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::unique_ptr<Chunk> last(chunk);
  }
}

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
    if (chunk.data() != nullptr) {
      std::copy_n(chunk.data() + at, bytes, out.data());
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
    std::copy_n(data.data(), bytes, chunk.own() + at);
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
    } else if (chunk.data() != nullptr) {
      std::fill_n(chunk.own() + at, bytes, std::byte{0});
    }
    offset += bytes;
  }
}

SparseBytes SparseBytes::clone() const {
  SparseBytes copy;
  copy.size_ = size_;
  copy.chunks_.resize(chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    copy.chunks_[i] = chunks_[i].share();
  }
  return copy;
}

}  // namespace artfs::io
