// SPDX-License-Identifier: Apache-2.0
// BorrowedDirectory: a Directory that passes every call to one the test keeps.
//
// Contract:   the lender outlives the borrower and its locks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/device.hpp"

namespace artfs::test {

class BorrowedDirectory : public io::Directory {
 public:
  explicit BorrowedDirectory(io::Directory& lender) noexcept : lender_(lender) {}

  [[nodiscard]] Result<std::unique_ptr<io::File>> open(std::string_view name,
                                                       io::OpenFlags flags) override {
    return lender_.open(name, flags);
  }

  [[nodiscard]] Result<bool> exists(std::string_view name) override { return lender_.exists(name); }

  [[nodiscard]] Result<void> remove(std::string_view name) override { return lender_.remove(name); }

  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override {
    return lender_.rename(from, to);
  }

  [[nodiscard]] Result<std::vector<std::string>> list() override { return lender_.list(); }

  [[nodiscard]] Result<void> sync() override { return lender_.sync(); }

  [[nodiscard]] Result<std::unique_ptr<io::DirectoryLock>> lock(
      std::string_view name, bool shared, std::chrono::milliseconds wait) override {
    return lender_.lock(name, shared, wait);
  }

  [[nodiscard]] Result<std::uint64_t> free_bytes() override { return lender_.free_bytes(); }

 private:
  io::Directory& lender_;
};

}  // namespace artfs::test
