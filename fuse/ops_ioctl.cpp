// SPDX-License-Identifier: Apache-2.0
// ioctls: the inode flags of chattr(1), in both forms that Linux has for them.
#include <linux/fs.h>

#include <cerrno>
#include <span>

#include "base/bytes.hpp"
#include "fuse/ops.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

struct FlagBits {
  std::uint32_t immutable;
  std::uint32_t append_only;
  std::uint32_t no_atime;
  std::uint32_t no_dump;
};

constexpr FlagBits getflags_bits = {
    .immutable = FS_IMMUTABLE_FL,
    .append_only = FS_APPEND_FL,
    .no_atime = FS_NOATIME_FL,
    .no_dump = FS_NODUMP_FL,
};
constexpr FlagBits xflags_bits = {
    .immutable = FS_XFLAG_IMMUTABLE,
    .append_only = FS_XFLAG_APPEND,
    .no_atime = FS_XFLAG_NOATIME,
    .no_dump = FS_XFLAG_NODUMP,
};

std::uint32_t to_bits(InodeFlags flags, const FlagBits& bits) noexcept {
  return (flags.immutable ? bits.immutable : 0) | (flags.append_only ? bits.append_only : 0) |
         (flags.no_atime ? bits.no_atime : 0) | (flags.no_dump ? bits.no_dump : 0);
}

// A bit we cannot honour is refused, not forgotten.
Result<InodeFlags> from_bits(std::uint32_t value, const FlagBits& bits) noexcept {
  const auto has = [value](std::uint32_t bit) { return (value & bit) != 0; };
  const InodeFlags flags{.immutable = has(bits.immutable),
                         .append_only = has(bits.append_only),
                         .no_atime = has(bits.no_atime),
                         .no_dump = has(bits.no_dump)};
  if (value != to_bits(flags, bits)) return fail(Errc::operation_not_supported, value);
  return flags;
}

// What came with the request and what goes back, as the command's number says.
struct Exchange {
  Volume& volume;
  Ino ino;
  std::span<const std::byte> in;
  std::size_t out_bytes;
};

template <typename T>
Result<T> argument_of(const Exchange& exchange) noexcept {
  if (exchange.in.size() < sizeof(T)) return fail(Errc::invalid_argument);
  return base::copy_object<T>(exchange.in);
}

Result<std::uint32_t> get_flags(const Exchange& exchange) noexcept {
  return to_bits(ARTFS_TRY(exchange.volume.get_flags(exchange.ino)), getflags_bits);
}

Result<void> set_flags(const Exchange& exchange) noexcept {
  const auto value = ARTFS_TRY(argument_of<std::uint32_t>(exchange));
  return exchange.volume.set_flags(exchange.ino, ARTFS_TRY(from_bits(value, getflags_bits)));
}

Result<fsxattr> get_fsxattr(const Exchange& exchange) noexcept {
  fsxattr out{};
  out.fsx_xflags = to_bits(ARTFS_TRY(exchange.volume.get_flags(exchange.ino)), xflags_bits);
  return out;
}

Result<void> set_fsxattr(const Exchange& exchange) noexcept {
  const auto wanted = ARTFS_TRY(argument_of<fsxattr>(exchange));
  const bool has_hints =
      wanted.fsx_extsize != 0 || wanted.fsx_cowextsize != 0 || wanted.fsx_projid != 0;
  if (has_hints) return fail(Errc::operation_not_supported);
  const auto value = static_cast<std::uint32_t>(wanted.fsx_xflags);
  return exchange.volume.set_flags(exchange.ino, ARTFS_TRY(from_bits(value, xflags_bits)));
}

template <typename T>
void answer(Reply&& reply, const Exchange& exchange, const Result<T>& result) noexcept {
  if (!result) return std::move(reply).error(result.error());
  if (exchange.out_bytes < sizeof(T)) return std::move(reply).error({Errc::invalid_argument});
  std::move(reply).ioctl(std::as_bytes(std::span(&*result, 1)));
}

void answer(Reply&& reply, const Result<void>& result) noexcept {
  if (!result) return std::move(reply).error(result.error());
  std::move(reply).ioctl({});
}

// The kernel has checked who may set flags (CAP_LINUX_IMMUTABLE, the owner), and opened the file only
// for this.
void op_ioctl(fuse_req_t request, fuse_ino_t ino, unsigned command, void* /*argument*/,
              fuse_file_info* /*file*/, unsigned /*flags*/, const void* in, std::size_t in_bytes,
              std::size_t out_bytes) noexcept {
  Reply reply(request);
  const Exchange exchange{.volume = volume_of(request),
                          .ino = Ino{ino},
                          .in = {static_cast<const std::byte*>(in), in_bytes},
                          .out_bytes = out_bytes};
  switch (command) {
    case FS_IOC_GETFLAGS:
      return answer(std::move(reply), exchange, get_flags(exchange));
    case FS_IOC_FSGETXATTR:
      return answer(std::move(reply), exchange, get_fsxattr(exchange));
    case FS_IOC_GETVERSION:  // numbers are never reused, so one generation serves all
      return answer(std::move(reply), exchange, Result<std::uint32_t>(0));
    case FS_IOC_SETFLAGS: {
      const Result<void> done = set_flags(exchange);
      forget_attributes(request, exchange.ino);
      return answer(std::move(reply), done);
    }
    case FS_IOC_FSSETXATTR: {
      const Result<void> done = set_fsxattr(exchange);
      forget_attributes(request, exchange.ino);
      return answer(std::move(reply), done);
    }
    default:
      return std::move(reply).errno_value(ENOTTY);
  }
}

}  // namespace

void add_ioctl_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.ioctl = op_ioctl;
}

}  // namespace artfs::fuse
