// SPDX-License-Identifier: Apache-2.0
#include "tool/file_tree.hpp"

#include <cerrno>
#include <cstring>

namespace artfs::tool {

bool is_missing(Error error) noexcept {
  return error.code == Errc::entry_not_found || error.code == Errc::not_a_directory;
}

bool is_hopeless(Error error) noexcept {
  if (error.code == Errc::io_failed) {
    return error.detail == ENOSPC || error.detail == EDQUOT || error.detail == ENOTCONN ||
           error.detail == EROFS;
  }
  return error.code == Errc::no_space || error.code == Errc::log_full ||
         error.code == Errc::store_read_only || error.code == Errc::store_stopped;
}

std::string error_text(Error error) {
  if (error.code != Errc::io_failed || error.detail == 0) return to_text(error);
  // The second: it died while it was asked.
  if (error.detail == ENOTCONN || error.detail == ECONNABORTED) {
    return "its daemon is dead: artfs umount it and mount it again";
  }
  // What the kernel says needs no remedy of ours.
  return std::strerror(static_cast<int>(error.detail));
}

}  // namespace artfs::tool
