// SPDX-License-Identifier: Apache-2.0
// FileStore: a BlobStore in one packed file, slot n at (n - 1) * 512 KiB.
//
// Contract:   the file is open for the store's lifetime; the directory must outlive it (its free space
//             bounds the steps of growth). Space is backed before it is promised, so that a write home
//             never meets a full disk. The file never shrinks.
// Threading:  any thread. Mutexes Rank::slots (growth, held over the allocation) and Rank::blob_store
//             (bookkeeping, never over I/O), so allocate() and free() do not wait for the device.
// Cost:       a write call: one transfer for each run of neighbouring pages, all of them in flight
//             together where io_uring is granted, else one system call each. Aligned pages are
//             written as they are; others are copied through a buffer of 1 MiB when the file is direct.
// Errors:     as io/blob_store.hpp; store_missing without the file and without `create`.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "base/mutex.hpp"
#include "io/blob_store.hpp"
#include "io/device.hpp"
#include "io/slot_book.hpp"

namespace artfs::io {

class FileStore final : public BlobStore {
 public:
  struct Options {
    bool create = false;  // make the (empty) file; its name is durable after Directory::sync()
    bool direct = true;   // bypass the page cache where the filesystem allows it
    bool read_only = false;
    bool queued = true;  // batches by io_uring where the kernel grants it
  };

  [[nodiscard]] static Result<std::unique_ptr<FileStore>> open(Directory& directory,
                                                               std::string_view name,
                                                               Options options);

  // Use open().
  FileStore(Directory& directory, std::unique_ptr<File> file, std::uint64_t size_bytes);

  [[nodiscard]] Result<void> read(SlotId slot, std::uint32_t first_page,
                                  std::span<std::byte> out) override;
  [[nodiscard]] Result<void> read_batch(std::span<const PageRead> reads) override;
  [[nodiscard]] Result<void> write(std::span<const PageWrite> writes) override;
  [[nodiscard]] Result<void> sync() override;
  [[nodiscard]] Result<void> reserve(std::size_t count) override;
  void unreserve(std::size_t count) noexcept override;
  [[nodiscard]] SlotId allocate() noexcept override;
  void free(SlotId slot) noexcept override;
  void restore(std::span<const SlotId> in_use) override;
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override;

  [[nodiscard]] bool is_direct() const noexcept override { return file_->is_direct(); }

  [[nodiscard]] bool is_queued() const noexcept override { return file_->is_queued(); }

 private:
  [[nodiscard]] bool try_promise(std::size_t count) ARTFS_EXCLUDES(mutex_);
  // Grows the file by at least so many slots.
  [[nodiscard]] Result<void> grow(std::uint64_t slots_min) ARTFS_REQUIRES(growth_);
  [[nodiscard]] std::uint64_t step_slots(std::uint64_t capacity);

  Directory& directory_;
  const std::unique_ptr<File> file_;
  base::Mutex growth_{base::Rank::slots};
  mutable base::Mutex mutex_{base::Rank::blob_store};
  SlotBook book_ ARTFS_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> size_bytes_;
};

}  // namespace artfs::io
