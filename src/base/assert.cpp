// SPDX-License-Identifier: Apache-2.0
#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace artfs::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  // stdio, not the logger: the logger's own state may be what is broken.
  std::fprintf(stderr, "artfs: broken invariant: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace artfs::base
