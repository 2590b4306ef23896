// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/home.hpp"

namespace artfs::engine::checkpoint {

HomeWriter::HomeWriter(io::BlobStore& blobs) : blobs_(blobs), buffer_(batch_bytes) {}

Result<std::span<std::byte>> HomeWriter::add(io::SlotId slot, const frame::PageMask& pages) {
  const std::size_t images_bytes = pages.count() * io::page_bytes;
  if (used_bytes_ + images_bytes > batch_bytes) ARTFS_TRY(flush());
  const std::span<std::byte> place = buffer_.span().subspan(used_bytes_, images_bytes);
  used_bytes_ += images_bytes;
  std::size_t taken = 0;  // bytes of `place` that have a write
  for (std::size_t page = 0; page < io::pages_per_frame;) {
    if (!pages.test(page)) {
      ++page;
      continue;
    }
    std::size_t end = page + 1;
    while (end < io::pages_per_frame && pages.test(end)) ++end;
    const std::size_t run_bytes = (end - page) * io::page_bytes;
    writes_.push_back({.slot = slot,
                       .first_page = static_cast<std::uint32_t>(page),
                       .pages = place.subspan(taken, run_bytes)});
    taken += run_bytes;
    page = end;
  }
  return place;
}

Result<void> HomeWriter::flush() {
  if (writes_.empty()) return {};
  Result<void> written = blobs_.write(writes_);
  writes_.clear();
  used_bytes_ = 0;
  return written;
}

}  // namespace artfs::engine::checkpoint
