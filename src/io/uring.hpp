// SPDX-License-Identifier: Apache-2.0
// Uring: transfers of one file, many in flight at once, by io_uring.
//
// Contract:   run() returns when every transfer has ended, and says of each what the kernel said: a
//             short transfer, or an error, is the caller's to go on from. The descriptor outlives it.
// Threading:  one thread at a time.
// Cost:       one system call for about half a queue of transfers. Nothing is registered with the ring: for
//             buffers see uring_file.hpp; a registered file measured no better, and the kernel lets go of it
//             only some time after the ring is closed, so that the filesystem below cannot be unmounted.
// Errors:     create: io_failed with the errno where io_uring is missing (ENOSYS), refused (EPERM, by
//             seccomp or sysctl) or out of locked memory (ENOMEM). run has none.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

#include "artfs/result.hpp"

namespace artfs::io {

class Uring {
 public:
  static constexpr unsigned queue_entries = 64;

  struct Transfer {
    bool is_write = false;
    std::uint64_t offset = 0;
    std::span<const iovec> vectors;  // at most IOV_MAX
    std::int64_t result = 0;         // after run(): bytes, or a negative errno
  };

  [[nodiscard]] static Result<std::unique_ptr<Uring>> create(int descriptor);

  Uring() = default;
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  virtual ~Uring() = default;

  virtual void run(std::span<Transfer> transfers) noexcept = 0;
};

}  // namespace artfs::io
