// SPDX-License-Identifier: Apache-2.0
#include "artfs/store.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"

namespace artfs::detail {

void RangeError::abort_with(Error error) noexcept {
  base::log_error("a scan failed and its status() was not asked for: {}", to_text(error));
  ARTFS_ASSERT(!"the error of a scan was overlooked");
  std::abort();  // also where assertions are off
}

}  // namespace artfs::detail
