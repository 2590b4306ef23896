// SPDX-License-Identifier: Apache-2.0
#include <sys/xattr.h>

#include "fuse/kernel_shim.hpp"
#include "fuse/ops.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

// The kernel checks who may read and set which name, and enforces ACLs. With noacl they are as if they
// were not there, so that nobody relies on one that is not enforced.
bool is_shown(fuse_req_t request, std::string_view name) noexcept {
  return serving(request).keeps_acls || !name.starts_with("system.");
}

// trusted. names are for the privileged alone; the kernel leaves hiding them in a list to us.
bool is_listed(fuse_req_t request, std::string_view name) noexcept {
  if (!is_shown(request, name)) return false;
  return !name.starts_with("trusted.") || fuse_req_ctx(request)->uid == 0;
}

constexpr Error unsupported{Errc::operation_not_supported, 0};

void op_setxattr(fuse_req_t request, fuse_ino_t ino, const char* name, const char* value,
                 std::size_t size, int flags) noexcept {
  Reply reply(request);
  if (!is_shown(request, name)) return std::move(reply).error(unsupported);
  const Volume::XattrFlags xattr_flags{.create = (flags & XATTR_CREATE) != 0,
                                       .replace = (flags & XATTR_REPLACE) != 0,
                                       .clear_sgid = sheds_sgid(flags)};
  std::move(reply).done(
      volume_of(request).set_xattr(Ino{ino}, name, std::string_view(value, size), xattr_flags));
}

void op_getxattr(fuse_req_t request, fuse_ino_t ino, const char* name, std::size_t size) noexcept {
  Reply reply(request);
  if (!is_shown(request, name)) return std::move(reply).error(unsupported);
  const Result<std::string> value = volume_of(request).get_xattr(Ino{ino}, name);
  if (!value) return std::move(reply).error(value.error());
  std::move(reply).sized(*value, size);
}

void op_listxattr(fuse_req_t request, fuse_ino_t ino, std::size_t size) noexcept {
  Reply reply(request);
  const Result<std::vector<std::string>> names = volume_of(request).list_xattrs(Ino{ino});
  if (!names) return std::move(reply).error(names.error());
  std::string list;  // each name with its final NUL
  for (const std::string& name : *names) {
    if (is_listed(request, name)) list.append(name).push_back('\0');
  }
  std::move(reply).sized(list, size);
}

void op_removexattr(fuse_req_t request, fuse_ino_t ino, const char* name) noexcept {
  Reply reply(request);
  if (!is_shown(request, name)) return std::move(reply).error(unsupported);
  const Result<void> removed = volume_of(request).remove_xattr(Ino{ino}, name);
  if (removed && std::string_view(name) == "security.capability") {
    note_capabilities_removed(request, Ino{ino});
  }
  std::move(reply).done(removed);
}

}  // namespace

void add_xattr_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.setxattr = op_setxattr;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.removexattr = op_removexattr;
}

}  // namespace artfs::fuse
