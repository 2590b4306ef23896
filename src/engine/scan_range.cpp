// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "artfs/store.hpp"

#include "base/log.hpp"

namespace artfs::detail {

void RangeError::abort_with(Error error) noexcept {
  base::log_error("a scan failed and its status() was not asked for: {}", to_text(error));
  std::abort();
}

}  // namespace artfs::detail
