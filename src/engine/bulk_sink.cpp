// SPDX-License-Identifier: Apache-2.0
#include "engine/bulk_sink.hpp"

#include "art/bulk_frame.hpp"
#include "format/frame.hpp"

namespace artfs::engine {

FileSink::FileSink(frame::Cache& cache, io::BlobStore& blobs) : cache_(cache), blobs_(blobs) {}

Result<art::BulkSink::Place> FileSink::next() {
  if (used_ == batch_frames) ARTFS_TRY(write_batch());
  ARTFS_TRY(blobs_.reserve(1));
  frames_.push_back({.id = cache_.take_id(), .slot = blobs_.allocate()});
  return Place{.id = frames_.back().id,
               .bytes = buffer_.span().subspan(used_ * io::frame_bytes, io::frame_bytes)};
}

Result<void> FileSink::done() {
  const auto frame = buffer_.span().subspan(used_ * io::frame_bytes, io::frame_bytes);
  const auto header = frame.first(io::page_bytes);
  frames_.back().seal = format::seal_of(header);
  writes_.push_back({.slot = frames_.back().slot,
                     .first_page = 0,
                     .pages = frame.first(format::pages_used(header) * io::page_bytes)});
  ++used_;
  return {};
}

Result<void> FileSink::write_batch() {
  if (writes_.empty()) return {};
  ARTFS_TRY(blobs_.write(writes_));
  writes_.clear();
  used_ = 0;
  return {};
}

Result<void> FileSink::close() {
  ARTFS_TRY(write_batch());
  const Result<void> synced = blobs_.sync();
  if (!synced) return fail(Errc::io_failed, synced.error().detail);
  return {};
}

void FileSink::abandon() noexcept {
  for (const frame::FrameLocation& frame : frames_) blobs_.free(frame.slot);
  frames_.clear();
}

Result<art::BulkSink::Place> MemorySink::next() {
  frame::FrameReserve reserve = ARTFS_TRY(cache_.reserve(1));
  const sync::GateLease lease(gate_);
  pins_.push_back(cache_.create(reserve));
  return Place{.id = pins_.back().id(), .bytes = buffer_.span()};
}

Result<void> MemorySink::done() {
  const sync::GateLease lease(gate_);
  art::install_frame(pins_.back(), buffer_.span());
  return {};
}

Result<void> MemorySink::close() {
  return {};
}

void MemorySink::abandon() noexcept {
  const sync::GateLease lease(gate_);
  for (frame::Pin& pin : pins_) cache_.remove(std::move(pin));
  pins_.clear();
}

}  // namespace artfs::engine
