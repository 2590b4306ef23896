// SPDX-License-Identifier: Apache-2.0
// Built where liburing is missing: io_uring is always refused.
#include <cerrno>

#include "io/posix_error.hpp"
#include "io/uring.hpp"

namespace artfs::io {

Result<std::unique_ptr<Uring>> Uring::create(int /*descriptor*/) {
  return fail(io_error(ENOSYS));
}

}  // namespace artfs::io
