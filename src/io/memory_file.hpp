// SPDX-License-Identifier: Apache-2.0
// MemoryFile: an open file of a MemoryDirectory; private to src/io.
//
// Contract:   as io::File. Dead (io_failed) after a power cut of its directory.
// Threading:  the directory's mutex.
#pragma once

#include <memory>

#include "io/memory_state.hpp"

namespace artfs::io {

class MemoryFile final : public File {
 public:
  struct Mode {
    bool direct = false;
    bool read_only = false;
    std::uint64_t power_cuts = 0;  // of the directory, when the file was opened
  };

  MemoryFile(std::shared_ptr<MemoryDirectory::State> state, InodePtr inode, Mode mode)
      : state_(std::move(state)), inode_(std::move(inode)), mode_(mode) {}

  [[nodiscard]] Result<std::size_t> read_at(std::uint64_t offset,
                                            std::span<std::byte> out) override;
  using File::write_at;
  [[nodiscard]] Result<void> write_at(std::uint64_t offset,
                                      std::span<const std::span<const std::byte>> buffers) override;
  [[nodiscard]] Result<void> sync_data() override;
  [[nodiscard]] Result<std::uint64_t> size() override;
  [[nodiscard]] Result<void> truncate(std::uint64_t size_bytes) override;
  [[nodiscard]] Result<void> allocate(std::uint64_t offset, std::uint64_t length) override;
  [[nodiscard]] Result<void> punch(std::uint64_t offset, std::uint64_t length) override;

  [[nodiscard]] bool is_direct() const noexcept override { return mode_.direct; }

 private:
  // Counts the change; its failure, or that of a dead or read-only file.
  [[nodiscard]] Result<void> begin_change() ARTFS_REQUIRES(state_->mutex);

  [[nodiscard]] bool is_dead() const ARTFS_REQUIRES(state_->mutex) {
    return mode_.power_cuts != state_->power_cuts;
  }

  std::shared_ptr<MemoryDirectory::State> state_;
  InodePtr inode_;
  Mode mode_;
};

}  // namespace artfs::io
