// SPDX-License-Identifier: Apache-2.0
// What the kernel offers and libfuse 3.14 does not name: requests and replies rewritten on their way.
//
// Contract:   install_kernel_shim() comes between mounting and serving. HANDLE_KILLPRIV_V2 is accepted in the reply to
//             INIT if the kernel offers it; from then on the kernel tells in each request whether suid and
//             sgid must go, and asks no security.capability before each write. libfuse drops those bits,
//             so they travel in fields that it passes through: sheds_privileges() reads them. TMPFILE
//             reaches libfuse as a CREATE whose open flags have O_TMPFILE: is_tmpfile(). Opcodes whose answers libfuse
//             cannot write are answered here (own_opcodes.hpp). The session's userdata is a Serving.
//             SETXATTR_EXT is accepted likewise: its longer argument is cut back to the one that libfuse
//             reads, with the one bit it adds among the flags: sheds_sgid().
// Threading:  reads and writes run on the session's worker threads; the only state is set at INIT, but for a count.
// Source:     linux/fuse.h, protocol 7.33; libfuse 3.13 fuse_session_custom_io.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "fuse/lowlevel.hpp"

namespace artfs::fuse {

// False: libfuse refused, and everything goes on without.
[[nodiscard]] bool install_kernel_shim(fuse_session* session) noexcept;

// Requests read since the process began: stands still when the kernel has no more to send.
[[nodiscard]] std::uint64_t requests_read() noexcept;

// This create makes a file without a name.
[[nodiscard]] bool is_tmpfile(const fuse_file_info& file) noexcept;

// The caller of this open or write lacks CAP_FSETID.
[[nodiscard]] bool sheds_privileges(const fuse_file_info& file) noexcept;
// This setting of an ACL comes from outside the file's group. The bit is taken out of `flags`' meaning
// for xattrs, which knows none so high.
[[nodiscard]] bool sheds_sgid(int flags) noexcept;
// This setattr must clear suid and sgid as a write does.
[[nodiscard]] bool sheds_privileges(const struct stat& wanted) noexcept;

}  // namespace artfs::fuse
