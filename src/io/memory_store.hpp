// SPDX-License-Identifier: Apache-2.0
// MemoryStore: a BlobStore without a device, for stores in memory and for tests.
//
// Contract:   only slots that were written take memory; a freed slot gives its memory back. With
//             `slots_max` reserve fails with no_space beyond it.
// Threading:  any thread; one mutex (Rank::blob_store).
#pragma once

#include <cstdint>
#include <limits>
#include <unordered_map>

#include "base/mutex.hpp"
#include "io/aligned_buffer.hpp"
#include "io/blob_store.hpp"
#include "io/slot_book.hpp"

namespace artfs::io {

class MemoryStore final : public BlobStore {
 public:
  // Twice this is representable: sums in SlotBook do not wrap.
  static constexpr std::uint64_t unlimited_slots = std::numeric_limits<std::uint64_t>::max() >> 24U;

  explicit MemoryStore(std::uint64_t slots_max = unlimited_slots);

  [[nodiscard]] Result<void> read(SlotId slot, std::uint32_t first_page,
                                  std::span<std::byte> out) override;
  [[nodiscard]] Result<void> write(std::span<const PageWrite> writes) override;

  [[nodiscard]] Result<void> sync() override { return {}; }

  [[nodiscard]] Result<void> reserve(std::size_t count) override;
  void unreserve(std::size_t count) noexcept override;
  [[nodiscard]] SlotId allocate() noexcept override;
  void free(SlotId slot) noexcept override;
  void restore(std::span<const SlotId> in_use) override;
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override;

  [[nodiscard]] bool is_direct() const noexcept override { return false; }

 private:
  mutable base::Mutex mutex_{base::Rank::blob_store};
  SlotBook book_ ARTFS_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, AlignedBuffer> slots_ ARTFS_GUARDED_BY(mutex_);
};

}  // namespace artfs::io
