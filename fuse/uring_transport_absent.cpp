// SPDX-License-Identifier: Apache-2.0
// Built where liburing is missing: requests come over /dev/fuse.
#include <cerrno>

#include "fuse/uring_transport.hpp"

namespace artfs::fuse {

const bool UringTransport::is_built = false;

int UringTransport::try_ring() noexcept {
  return ENOSYS;
}

Result<std::unique_ptr<UringTransport>> UringTransport::make(Serving& /*serving*/,
                                                             fuse_session* /*session*/,
                                                             unsigned /*threads*/) {
  return fail(Errc::io_failed, ENOSYS);
}

}  // namespace artfs::fuse
