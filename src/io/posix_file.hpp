// SPDX-License-Identifier: Apache-2.0
// PosixFile: io::File over one descriptor.
//
// Contract:   transfers of a direct file are aligned (asserted). Where the filesystem accepts O_DIRECT
//             at open and refuses it at a transfer, the file goes on through the page cache.
//             allocate() that fails leaves the size as it was; it and truncate() are not to run beside
//             writes beyond the end of the file.
// Threading:  any thread.
// Errors:     as io/device.hpp; a failed sync is io_failed whatever the errno.
#pragma once

#include <atomic>

#include "base/unique_fd.hpp"
#include "io/device.hpp"

namespace artfs::io {

class PosixFile : public File {
 public:
  PosixFile(base::UniqueFd fd, bool direct) noexcept : fd_(std::move(fd)), direct_(direct) {}

  [[nodiscard]] Result<std::size_t> read_at(std::uint64_t offset,
                                            std::span<std::byte> out) override;
  using File::write_at;
  [[nodiscard]] Result<void> write_at(std::uint64_t offset,
                                      std::span<const std::span<const std::byte>> buffers) override;
  [[nodiscard]] Result<void> sync_data() override;
  [[nodiscard]] Result<std::uint64_t> size() override;
  [[nodiscard]] Result<std::uint64_t> end_of_data(std::uint64_t from) override;
  [[nodiscard]] Result<void> truncate(std::uint64_t size_bytes) override;
  [[nodiscard]] Result<void> allocate(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Result<void> punch(std::uint64_t offset, std::uint64_t length) override;

  [[nodiscard]] bool is_direct() const noexcept override {
    return direct_.load(std::memory_order_relaxed);
  }

 protected:
  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }

 private:
  // True when the transfer that failed with `number` should be tried again.
  [[nodiscard]] bool should_retry(int number) noexcept;
  [[nodiscard]] Result<void> write_zeros(std::uint64_t from, std::uint64_t to);

  base::UniqueFd fd_;
  std::atomic<bool> direct_;
};

}  // namespace artfs::io
