// SPDX-License-Identifier: Apache-2.0
// figure(): a crash test says how much it did, for scripts/crash.sh.
//
// Contract:   one JSON line on stdout when ARTFS_CRASH_FIGURES is set, else nothing. Called at the end of a
//             test case, so that a figure stands for rounds without a violation.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/scale.hpp"

namespace artfs::test {

inline void figure(std::string_view what, std::uint64_t count) {
  if (std::getenv("ARTFS_CRASH_FIGURES") == nullptr) return;
  fmt::print("{{\"suite\":\"crash\",\"op\":\"{}\",\"value\":{},\"seed\":{}}}\n", what, count,
             first_seed());
}

}  // namespace artfs::test
