// SPDX-License-Identifier: Apache-2.0
// Buffer: changes to the bytes of one file that are accepted but not yet on disk.
//
// Contract:   belongs to the in-memory state of one inode; only FileBytes changes it. Two layers: the
//             active one takes writes; the in-flight one is what a running flush writes, unchanged
//             until that flush is committed or aborted. A layer may cut everything below it at a
//             size (truncate), so that bytes behind it never come back. Must not outlive its
//             FileBytes; destroying or discarding it gives reservations and budget back and loses
//             the changes.
// Threading:  every call under the inode's lock: exclusive for changes, shared is enough for reads.
// Cost:       nothing but two pointers while empty; else the bytes written, rounded up as they grow.
#pragma once

#include <cstdint>
#include <memory>

#include "data/contents.hpp"

namespace artfs::data {

class FileBytesImpl;
struct Layer;

class Buffer {
 public:
  Buffer() noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  // No change is pending and no flush runs: the inode record tells everything.
  [[nodiscard]] bool empty() const noexcept { return !active_ && !in_flight_; }

  // begin_flush would have something to do.
  [[nodiscard]] bool dirty() const noexcept { return active_ != nullptr; }

  [[nodiscard]] bool flushing() const noexcept { return in_flight_ != nullptr; }

  // The file's size as every reader must see it.
  [[nodiscard]] std::uint64_t size(const Contents& contents) const noexcept;
  // Memory held, both layers.
  [[nodiscard]] std::uint64_t dirty_bytes() const noexcept;
  // Space promised to the pending changes (delayed allocation), in units.
  [[nodiscard]] std::uint64_t reserved_units() const noexcept;
  // What the file takes of the space, as far as it is known before the flush.
  [[nodiscard]] std::uint64_t units(const Contents& contents) const noexcept;
  // Forgets the active layer (the file is gone). Not while a flush runs.
  void discard() noexcept;

 private:
  friend class FileBytesImpl;
  FileBytesImpl* owner_ = nullptr;  // set by the first change
  bool tail_is_clean_ = false;      // a flush looked behind the end and found nothing (TAIL)
  std::unique_ptr<Layer> active_;
  std::unique_ptr<Layer> in_flight_;
};

}  // namespace artfs::data
