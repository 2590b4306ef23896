// SPDX-License-Identifier: Apache-2.0
// From errno to Error, for the system calls of posix_file and posix_directory.
//
// Contract:   call directly after the failed system call, while errno is still its own.
// Errors:     as the table in device.hpp; io_failed carries the errno in `detail`.
#pragma once

#include <cerrno>

#include "artfs/result.hpp"

namespace artfs::io {

[[nodiscard]] inline Error io_error(int number) noexcept {
  return Error{Errc::io_failed, static_cast<std::uint64_t>(number)};
}

// For calls that need space. Not for syncs: what failed to reach the device is lost, whatever the reason.
[[nodiscard]] inline Error write_error(int number) noexcept {
  if (number == ENOSPC || number == EDQUOT) return Error{Errc::no_space, 0};
  return io_error(number);
}

// For calls that take a name.
[[nodiscard]] inline Error name_error(int number) noexcept {
  switch (number) {
    case ENOENT:
      return Error{Errc::store_missing, 0};
    case EEXIST:
      return Error{Errc::store_exists, 0};
    case EACCES:
    case EPERM:
    case EROFS:
      return Error{Errc::permission_denied, static_cast<std::uint64_t>(number)};
    default:
      return write_error(number);
  }
}

}  // namespace artfs::io
