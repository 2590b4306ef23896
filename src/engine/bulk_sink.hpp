// SPDX-License-Identifier: Apache-2.0
// Where the frames of a bulk load go: straight home, or into the cache of a store in memory.
//
// Contract:   frames get ids and slots of their own, which nothing names until the load is published. close()
//             makes them durable; abandon() gives everything back. One of both is the last call.
// Threading:  one thread, without locks.
// Cost:       FileSink: batches of 8 frames, one sequential write each; no cache.
// Errors:     no_space; io_failed: what is on the device is unknown then (P16).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "art/bulk.hpp"
#include "frame/cache.hpp"
#include "io/aligned_buffer.hpp"
#include "io/blob_store.hpp"
#include "sync/gate.hpp"

namespace artfs::engine {

class LoadSink : public art::BulkSink {
 public:
  [[nodiscard]] virtual Result<void> close() = 0;
  virtual void abandon() noexcept = 0;
  // Those that a manifest has to name.
  [[nodiscard]] virtual std::span<const frame::FrameLocation> frames() const noexcept = 0;
  [[nodiscard]] virtual std::size_t frame_count() const noexcept = 0;
};

class FileSink final : public LoadSink {
 public:
  FileSink(frame::Cache& cache, io::BlobStore& blobs);

  [[nodiscard]] Result<Place> next() override;
  [[nodiscard]] Result<void> done() override;
  [[nodiscard]] Result<void> close() override;
  void abandon() noexcept override;

  [[nodiscard]] std::span<const frame::FrameLocation> frames() const noexcept override {
    return frames_;
  }

  [[nodiscard]] std::size_t frame_count() const noexcept override { return frames_.size(); }

 private:
  static constexpr std::size_t batch_frames = 8;

  [[nodiscard]] Result<void> write_batch();

  frame::Cache& cache_;
  io::BlobStore& blobs_;
  io::AlignedBuffer buffer_{batch_frames * io::frame_bytes};
  std::size_t used_ = 0;  // frames of the buffer
  std::vector<io::PageWrite> writes_;
  std::vector<frame::FrameLocation> frames_;
};

class MemorySink final : public LoadSink {
 public:
  MemorySink(frame::Cache& cache, sync::Gate& gate) : cache_(cache), gate_(gate) {}

  [[nodiscard]] Result<Place> next() override;
  [[nodiscard]] Result<void> done() override;
  [[nodiscard]] Result<void> close() override;
  void abandon() noexcept override;

  [[nodiscard]] std::span<const frame::FrameLocation> frames() const noexcept override {
    return {};
  }

  [[nodiscard]] std::size_t frame_count() const noexcept override { return pins_.size(); }

 private:
  frame::Cache& cache_;
  sync::Gate& gate_;
  io::AlignedBuffer buffer_{io::frame_bytes};
  std::vector<frame::Pin> pins_;
};

}  // namespace artfs::engine
