// SPDX-License-Identifier: Apache-2.0
// Step: one random system call with everything it needs; sequences of them, drawn from a seed.
//
// Contract:   sequence() depends on its arguments alone, never on what a filesystem answered, so that a
//             seed and the numbers of the steps that were kept repeat a run. Calls interpret the fields
//             they need; `choice` is for what only one call knows (a whence, a mode of fallocate).
// Threading:  any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace artfs::differential {

struct Call;

inline constexpr unsigned slot_count = 6;  // descriptors that a run holds open

struct Step {
  const Call* call = nullptr;
  std::uint32_t number = 0;   // place in the sequence as drawn
  bool unprivileged = false;  // by a user who is not root
  bool relative = false;      // paths from the current directory, not from the top
  std::string one, two;
  unsigned slot = 0;
  unsigned other_slot = 0;
  int open_flags = 0;
  mode_t mode = 0;
  std::int64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t choice = 0;
  std::uint64_t data = 0;  // seed of the bytes written
};

std::vector<Step> sequence(std::uint64_t seed, std::uint32_t steps);

// "17 rename a/b -> c": for reports.
std::string to_text(const Step& step);

}  // namespace artfs::differential
