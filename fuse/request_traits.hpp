// SPDX-License-Identifier: Apache-2.0
// What the transport knows of a request before it is served: one table, by opcode.
//
// Contract:   looks at the header alone. No opcode must leave its thread because it may block: each thread of the
//             ring has one request at a time, and the kernel gives the next one to a thread that waits.
#pragma once

#include "fuse/kernel_abi.hpp"

namespace artfs::fuse {

struct RequestTraits {
  // A file may have lost its last name; the kernel says so with a FORGET that comes over /dev/fuse.
  bool drops_names = false;
  // Needs free space: what was forgotten before is to be given back first.
  bool needs_space = false;
  // Tells how much there is: likewise, and this one waits for it.
  bool tells_space = false;
};

[[nodiscard]] constexpr RequestTraits traits_of(std::uint32_t opcode) noexcept {
  switch (opcode) {
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
      return {.drops_names = true};
    case FUSE_WRITE:
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE:
      return {.needs_space = true};
    case FUSE_STATFS:
      return {.tells_space = true};
    default:
      return {};
  }
}

}  // namespace artfs::fuse
