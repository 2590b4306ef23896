// SPDX-License-Identifier: Apache-2.0
#include "fuse/caps.hpp"

namespace artfs::fuse {

namespace {

// Asked for when the kernel has it:
//   ASYNC_READ, ASYNC_DIO, PARALLEL_DIROPS   requests of one file or directory in parallel
//   ATOMIC_O_TRUNC                           open(O_TRUNC) is one request
//   DONT_MASK                                the volume applies the umask
//   EXPORT_SUPPORT                           "." and ".." are looked up by number (NFS handles)
//   READDIRPLUS(_AUTO)                       attributes with names where somebody uses them
//   CACHE_SYMLINKS                           targets never change
//   EXPLICIT_INVAL_DATA                      cached pages stay: nobody writes behind this kernel's back
//   IOCTL_DIR                                chattr of directories
//   POSIX_ACL                                the kernel enforces ACLs; not with noacl
constexpr unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
                            FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT |
                            FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_IOCTL_DIR
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 10)
                            | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA
#endif
    ;

// Not asked for, though offered, each for a reason:
//   AUTO_INVAL_DATA   drops cached pages whenever our own write changes the mtime
//   WRITEBACK_CACHE   the kernel's idea of size and mtime would win over the volume's
//   HANDLE_KILLPRIV   version 1 makes us shed suid for root's writes too; version 2: kernel_shim.hpp
//   SPLICE_*          measured slower for every size
//   POSIX_LOCKS, FLOCK_LOCKS   one mount: the kernel's own locks are complete
//   NO_OPEN_SUPPORT   open files are counted, so that the unlinked live on

}  // namespace

void negotiate(fuse_conn_info& connection, bool keeps_acls) noexcept {
  connection.want = connection.capable & (keeps_acls ? wanted | FUSE_CAP_POSIX_ACL : wanted);
  connection.max_write = request_bytes_max;
  // Readahead and other background requests in flight before the kernel throttles.
  connection.max_background = 64;
  connection.congestion_threshold = 48;
  connection.time_gran = 1;  // nanoseconds
}

}  // namespace artfs::fuse
