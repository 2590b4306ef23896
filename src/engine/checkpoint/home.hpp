// SPDX-License-Identifier: Apache-2.0
// HomeWriter: writes images of pages to the slots of their frames, in few large sorted transfers.
//
// Contract:   add() makes room in a batch, writing it when it is full; flush() writes the rest.
//             Nothing is durable before BlobStore::sync().
// Threading:  one thread at a time.
// Cost:       one buffer of batch_bytes.
// Errors:     those of BlobStore::write.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "frame/cache.hpp"
#include "io/aligned_buffer.hpp"
#include "io/blob_store.hpp"

namespace artfs::engine::checkpoint {

class HomeWriter {
 public:
  // 4 MiB: past this, larger transfers gain nothing on the disks seen, and two frames always fit.
  static constexpr std::size_t batch_bytes = 4 * mib;

  explicit HomeWriter(io::BlobStore& blobs);

  // Where the caller puts the images of the pages of the mask, in ascending order, before the next call.
  [[nodiscard]] Result<std::span<std::byte>> add(io::SlotId slot, const frame::PageMask& pages);
  [[nodiscard]] Result<void> flush();

 private:
  io::BlobStore& blobs_;
  io::AlignedBuffer buffer_;
  std::size_t used_bytes_ = 0;
  std::vector<io::PageWrite> writes_;
};

}  // namespace artfs::engine::checkpoint
