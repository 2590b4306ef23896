// SPDX-License-Identifier: Apache-2.0
// scaled(n): how many operations or seeds a model or crash test runs.
//
// Contract:   n times the environment's ARTFS_TEST_SCALE (percent, default 100), at least 1. n is
//             what continuous integration runs; sanitizer builds set 20, scripts/test.sh --long
//             1000.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace artfs::test {

[[nodiscard]] inline std::uint64_t scaled(std::uint64_t count) {
  const char* percent = std::getenv("ARTFS_TEST_SCALE");
  if (percent == nullptr) return count;
  return std::max<std::uint64_t>(1, count * std::strtoull(percent, nullptr, 10) / 100);
}

}  // namespace artfs::test
