// SPDX-License-Identifier: Apache-2.0
// scaled(n), rounds(): how many operations or seeds a model or crash test runs.
//
// Contract:   n times the environment's ARTFS_TEST_SCALE (percent, default 100), at least 1. n is
//             what continuous integration runs; sanitizer builds set 20, scripts/test.sh --long
//             1000. rounds() is the same up to 999 percent; from 1000 on it is the long number.
//             Seeds start at first_seed(): ARTFS_TEST_SEED, default 1.
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

struct Rounds {
  std::uint64_t normal = 0;
  std::uint64_t in_long_mode = 0;
};

[[nodiscard]] inline std::uint64_t rounds(const Rounds& counts) {
  constexpr std::uint64_t long_percent = 1000;
  return scaled(100) >= long_percent ? counts.in_long_mode : scaled(counts.normal);
}

[[nodiscard]] inline std::uint64_t first_seed() {
  const char* seed = std::getenv("ARTFS_TEST_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

}  // namespace artfs::test
