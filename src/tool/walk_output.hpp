// SPDX-License-Identifier: Apache-2.0
// WalkOutput: the standard output of a walk, and its progress on a terminal.
//
// Contract:   what is written comes out in order, at the latest when the object goes. After a second, and then
//             five times a second, "N entries, N/s" stands on the standard error if that is a terminal,
//             written over itself and never between two bytes of a line of output.
// Threading:  one thread.
// Cost:       64 KiB; a look at the clock every 1,024 entries.
// Errors:     a failed write is kept; is_failed() says so, and the walk may end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace artfs::tool {

class WalkOutput {
 public:
  WalkOutput();
  WalkOutput(const WalkOutput&) = delete;
  WalkOutput& operator=(const WalkOutput&) = delete;
  ~WalkOutput();

  void write(std::string_view bytes);

  // An entry was seen. False: there is no sense in going on.
  bool count() {
    if (++entries_ % entries_between_looks == 0) tick();
    return !is_failed_;
  }

  // Also clears the progress; for what goes to the standard error.
  void flush();

  [[nodiscard]] bool is_failed() const noexcept { return is_failed_; }

 private:
  static constexpr std::uint64_t entries_between_looks = 1024;

  void tick();

  std::string buffer_;
  std::uint64_t entries_ = 0;
  std::uint64_t begun_ns_;
  std::uint64_t told_ns_;
  const bool is_shown_;
  bool is_dirty_ = false;  // progress stands on the terminal
  bool is_failed_ = false;
};

}  // namespace artfs::tool
