// SPDX-License-Identifier: Apache-2.0
// Progress: how far a command is, on a terminal, and what it could not do.
//
// Contract:   after a second, and then five times a second, "N entries, N MiB, N/s" stands on the standard error if
//             that is a terminal, written over itself. What could not be done is one line each, as of complain(),
//             and makes the command fail; a remark does not.
// Threading:  one thread.
// Cost:       a look at the clock for each call of count().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tool/file_tree.hpp"

namespace artfs::tool {

class Progress {
 public:
  explicit Progress(std::string command);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void count(std::uint64_t entries, std::uint64_t bytes);

  void fail(std::string_view path, std::string_view what);

  void fail(std::string_view path, Error error) { fail(path, error_text(error)); }

  void remark(std::string_view path, std::string_view what);

  [[nodiscard]] int status() const noexcept;

 private:
  void clear();

  const std::string command_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t begun_ns_;
  std::uint64_t told_ns_;
  const bool is_shown_;
  bool is_dirty_ = false;  // progress stands on the terminal
  bool is_good_ = true;
};

}  // namespace artfs::tool
