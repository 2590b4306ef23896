// SPDX-License-Identifier: Apache-2.0
#include <sys/xattr.h>

#include "fuse/ops.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

// user., trusted. and security. are plain storage (the kernel checks who may). system. is where the
// kernel expects meaning, ACLs above all: refused, so that nobody relies on one that is not enforced.
bool is_supported(std::string_view name) noexcept {
  return !name.starts_with("system.");
}

constexpr Error unsupported{Errc::operation_not_supported, 0};

void op_setxattr(fuse_req_t request, fuse_ino_t ino, const char* name, const char* value,
                 std::size_t size, int flags) noexcept {
  Reply reply(request);
  if (!is_supported(name)) return std::move(reply).error(unsupported);
  const Volume::XattrFlags xattr_flags{.create = (flags & XATTR_CREATE) != 0,
                                       .replace = (flags & XATTR_REPLACE) != 0};
  std::move(reply).done(
      volume_of(request).set_xattr(Ino{ino}, name, std::string_view(value, size), xattr_flags));
}

void op_getxattr(fuse_req_t request, fuse_ino_t ino, const char* name, std::size_t size) noexcept {
  Reply reply(request);
  if (!is_supported(name)) return std::move(reply).error(unsupported);
  const Result<std::string> value = volume_of(request).get_xattr(Ino{ino}, name);
  if (!value) return std::move(reply).error(value.error());
  std::move(reply).sized(*value, size);
}

void op_listxattr(fuse_req_t request, fuse_ino_t ino, std::size_t size) noexcept {
  Reply reply(request);
  const Result<std::vector<std::string>> names = volume_of(request).list_xattrs(Ino{ino});
  if (!names) return std::move(reply).error(names.error());
  std::string list;  // each name with its final NUL
  // Names of the administrator's are not even shown to others, as everywhere.
  const bool shows_trusted = fuse_req_ctx(request)->uid == 0;
  for (const std::string& name : *names) {
    if (!shows_trusted && name.starts_with("trusted.")) continue;
    list.append(name).push_back('\0');
  }
  std::move(reply).sized(list, size);
}

void op_removexattr(fuse_req_t request, fuse_ino_t ino, const char* name) noexcept {
  Reply reply(request);
  if (!is_supported(name)) return std::move(reply).error(unsupported);
  std::move(reply).done(volume_of(request).remove_xattr(Ino{ino}, name));
}

}  // namespace

void add_xattr_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.setxattr = op_setxattr;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.removexattr = op_removexattr;
}

}  // namespace artfs::fuse
