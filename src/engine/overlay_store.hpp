// SPDX-License-Identifier: Apache-2.0
// OverlayStore: a BlobStore over another that is only read; what is written stays in memory.
//
// Contract:   serves read-only opens: redo and replay need somewhere to write, and the disk must not
//             change. Pages written shadow those of the base. sync() does nothing.
// Threading:  as BlobStore.
// Cost:       4 KiB and a map entry for each page written.
// Errors:     those of the base's read.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/mutex.hpp"
#include "io/aligned_buffer.hpp"
#include "io/blob_store.hpp"

namespace artfs::engine {

class OverlayStore final : public io::BlobStore {
 public:
  explicit OverlayStore(std::unique_ptr<io::BlobStore> base) : base_(std::move(base)) {}

  [[nodiscard]] Result<void> read(io::SlotId slot, std::uint32_t first_page,
                                  std::span<std::byte> out) override;
  [[nodiscard]] Result<void> write(std::span<const io::PageWrite> writes) override;
  [[nodiscard]] Result<void> sync() override;
  [[nodiscard]] Result<void> reserve(std::size_t count) override;
  void unreserve(std::size_t count) noexcept override;
  [[nodiscard]] io::SlotId allocate() noexcept override;
  void free(io::SlotId slot) noexcept override;
  void restore(std::span<const io::SlotId> in_use) override;

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return base_->size_bytes(); }

  [[nodiscard]] bool is_direct() const noexcept override { return base_->is_direct(); }

  [[nodiscard]] bool is_queued() const noexcept override { return base_->is_queued(); }

 private:
  static std::uint64_t key_of(io::SlotId slot, std::uint64_t page) noexcept {
    return slot.raw * io::pages_per_frame + page;
  }

  const std::unique_ptr<io::BlobStore> base_;
  base::Mutex mutex_{base::Rank::blob_store};
  std::unordered_map<std::uint64_t, io::AlignedBuffer> pages_ ARTFS_GUARDED_BY(mutex_);
  // Slots that exist only here: the base is not asked about them.
  std::uint64_t first_fresh_slot_ ARTFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_slot_ ARTFS_GUARDED_BY(mutex_) = 1;
};

}  // namespace artfs::engine
