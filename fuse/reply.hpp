// SPDX-License-Identifier: Apache-2.0
// Reply: the one answer a request gets, from Result to fuse_reply_*.
//
// Contract:   each handler makes one Reply and calls exactly one of its answering functions, which
//             consume it; a Reply that dies unanswered, or is answered twice, aborts.
// Threading:  one thread; may be moved to another one to answer later.
// Errors:     errno is made here, from to_errno(), and nowhere else. The answering functions that hand
//             the kernel a reference return false when the kernel did not take it.
#pragma once

#include <sys/stat.h>

#include <span>
#include <string_view>
#include <utility>

#include "artfs/volume.hpp"

#include "base/assert.hpp"
#include "fuse/lowlevel.hpp"

namespace artfs::fuse {

// The daemon is the only writer of its store, so nothing the kernel knows ever goes stale.
inline constexpr double entry_timeout_s = 86400;
inline constexpr double attr_timeout_s = 86400;

[[nodiscard]] struct stat to_stat(const Attr& attr) noexcept;
[[nodiscard]] fuse_entry_param to_entry(const Attr& attr) noexcept;

class [[nodiscard]] Reply {
 public:
  explicit Reply(fuse_req_t request) noexcept : request_(request) {}

  Reply(Reply&& other) noexcept : request_(std::exchange(other.request_, nullptr)) {}

  Reply& operator=(Reply&&) = delete;

  ~Reply() { ARTFS_ASSERT(request_ == nullptr); }

  void error(Error error) && noexcept { std::move(*this).errno_value(to_errno(error)); }

  void errno_value(int value) && noexcept { fuse_reply_err(take(), value); }

  void ok() && noexcept { fuse_reply_err(take(), 0); }

  void nothing() && noexcept { fuse_reply_none(take()); }

  void done(const Result<void>& result) && noexcept {
    fuse_reply_err(take(), result ? 0 : to_errno(result.error()));
  }

  void entry(const Result<Attr>& attr) && noexcept;
  // The name does not exist, and the kernel may remember that.
  void negative_entry() && noexcept;
  void attributes(const Result<Attr>& attr) && noexcept;
  [[nodiscard]] bool created(const Attr& attr, const fuse_file_info& file) && noexcept;
  [[nodiscard]] bool opened(const fuse_file_info& file) && noexcept;

  void written(std::size_t bytes) && noexcept { fuse_reply_write(take(), bytes); }

  void position(std::uint64_t offset) && noexcept {
    fuse_reply_lseek(take(), static_cast<off_t>(offset));
  }

  void bytes(std::string_view data) && noexcept {
    fuse_reply_buf(take(), data.data(), data.size());
  }

  void ioctl(std::span<const std::byte> result) && noexcept {
    fuse_reply_ioctl(take(), 0, result.data(), result.size());
  }

  void target(const std::string& path) && noexcept { fuse_reply_readlink(take(), path.c_str()); }

  void statistics(const Result<StatFs>& result) && noexcept;
  // As getxattr(2): room 0 asks for the size.
  void sized(std::string_view value, std::size_t room) && noexcept;

 private:
  fuse_req_t take() noexcept {
    ARTFS_ASSERT(request_ != nullptr);
    return std::exchange(request_, nullptr);
  }

  fuse_req_t request_;
};

}  // namespace artfs::fuse
