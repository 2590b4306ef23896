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
//             reads, with the one bit it adds among the flags: sheds_sgid(). FUSE_OVER_IO_URING is accepted if
//             asked for and offered: the ring's requests then pass through take_request() as those of
//             /dev/fuse do, and replies find their way back by themselves (reply_route.hpp).
// Threading:  reads and writes run on the threads that serve the session; the only state is set at INIT.
// Source:     linux/fuse.h, protocol 7.33; libfuse 3.13 fuse_session_custom_io.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuse/lowlevel.hpp"
#include "fuse/ops.hpp"

namespace artfs::fuse {

// False: libfuse refused, and everything goes on without. `with_ring`: accept the ring when it is offered.
[[nodiscard]] bool install_kernel_shim(fuse_session* session, bool with_ring) noexcept;

// Where the connection stands.
enum class InitState : std::uint8_t { awaited, answered, answered_with_ring };
[[nodiscard]] InitState init_state() noexcept;

// A request as it came from the kernel: counted, then answered here (0), or rewritten in place for
// libfuse, which is to be given as many bytes of it as are returned.
[[nodiscard]] std::size_t take_request(int fd, Serving& serving,
                                       std::span<std::byte> request) noexcept;

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
