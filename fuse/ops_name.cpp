// SPDX-License-Identifier: Apache-2.0
#include <linux/fs.h>

#include <cerrno>

#include "fuse/ops.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  Reply reply(request);
  const Result<Attr> attr = volume_of(request).lookup(Ino{parent}, name);
  if (!attr && attr.error().code == Errc::entry_not_found) return std::move(reply).negative_entry();
  std::move(reply).entry(attr);
}

void op_forget(fuse_req_t request, fuse_ino_t ino, std::uint64_t /*lookups*/) noexcept {
  // The kernel forgets an inode whole, when it drops it; only unlinked ones mean anything to us.
  volume_of(request).forget(Ino{ino});
  Reply(request).nothing();
}

void op_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) noexcept {
  for (std::size_t i = 0; i < count; ++i) volume_of(request).forget(Ino{forgets[i].ino});
  Reply(request).nothing();
}

void op_mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
              dev_t rdev) noexcept {
  Reply reply(request);
  std::move(reply).entry(
      volume_of(request).mknod(Ino{parent}, name, mode, rdev, caller_of(request)));
}

void op_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) noexcept {
  Reply reply(request);
  std::move(reply).entry(volume_of(request).mkdir(Ino{parent}, name, mode, caller_of(request)));
}

void op_symlink(fuse_req_t request, const char* target, fuse_ino_t parent,
                const char* name) noexcept {
  Reply reply(request);
  std::move(reply).entry(volume_of(request).symlink(Ino{parent}, name, target, caller_of(request)));
}

void op_link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t parent, const char* name) noexcept {
  Reply reply(request);
  std::move(reply).entry(volume_of(request).link(Ino{ino}, Ino{parent}, name));
}

void op_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  Reply reply(request);
  std::move(reply).done(volume_of(request).unlink(Ino{parent}, name));
}

void op_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  Reply reply(request);
  std::move(reply).done(volume_of(request).rmdir(Ino{parent}, name));
}

void op_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) noexcept {
  Reply reply(request);
  constexpr unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  if ((flags & ~known) != 0) return std::move(reply).error({Errc::invalid_argument, flags});
  const RenameFlags rename_flags{.no_replace = (flags & RENAME_NOREPLACE) != 0,
                                 .exchange = (flags & RENAME_EXCHANGE) != 0,
                                 .whiteout = (flags & RENAME_WHITEOUT) != 0};
  std::move(reply).done(volume_of(request).rename({Ino{parent}, name}, {Ino{new_parent}, new_name},
                                                  rename_flags, caller_of(request)));
}

void op_readlink(fuse_req_t request, fuse_ino_t ino) noexcept {
  Reply reply(request);
  const Result<std::string> target = volume_of(request).readlink(Ino{ino});
  if (!target) return std::move(reply).error(target.error());
  std::move(reply).target(*target);
}

}  // namespace

void add_name_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.mknod = op_mknod;
  ops.mkdir = op_mkdir;
  ops.symlink = op_symlink;
  ops.link = op_link;
  ops.unlink = op_unlink;
  ops.rmdir = op_rmdir;
  ops.rename = op_rename;
  ops.readlink = op_readlink;
}

}  // namespace artfs::fuse
