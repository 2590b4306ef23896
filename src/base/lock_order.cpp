// SPDX-License-Identifier: Apache-2.0
#include "base/lock_order.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>

namespace artfs::base {

const char* name_of(Rank rank) noexcept {
  static constexpr std::array<const char*, ranks_count> names = {
#define ARTFS_RANK(name) #name,
      ARTFS_RANKS(ARTFS_RANK)
#undef ARTFS_RANK
  };
  ARTFS_ASSERT(static_cast<std::size_t>(rank) < ranks_count);
  return names[static_cast<std::size_t>(rank)];
}

void LockOrder::violation(Rank wanted, const char* what) noexcept {
  const int innermost = 63 - std::countl_zero(mine().held);
  std::fprintf(stderr, "artfs: lock order: taking %s %s %s\n", name_of(wanted), what,
               name_of(static_cast<Rank>(innermost)));
  std::fflush(stderr);
  std::abort();
}

}  // namespace artfs::base
