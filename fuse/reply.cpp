// SPDX-License-Identifier: Apache-2.0
#include "fuse/reply.hpp"

#include <cerrno>

namespace artfs::fuse {

namespace {

timespec to_timespec(Timestamp time) noexcept {
  return {.tv_sec = static_cast<time_t>(time.seconds),
          .tv_nsec = static_cast<long>(time.nanoseconds)};
}

}  // namespace

struct stat to_stat(const Attr& attr) noexcept {
  struct stat out {};

  out.st_ino = attr.ino.raw;
  out.st_mode = attr.mode;
  out.st_nlink = attr.nlink;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_rdev = attr.rdev;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blocks = static_cast<blkcnt_t>(attr.blocks_512);
  out.st_blksize = static_cast<blksize_t>(attr.block_bytes);
  out.st_atim = to_timespec(attr.atime);
  out.st_mtim = to_timespec(attr.mtime);
  out.st_ctim = to_timespec(attr.ctime);
  return out;
}

fuse_entry_param to_entry(const Attr& attr) noexcept {
  fuse_entry_param entry{};
  entry.ino = attr.ino.raw;
  // Inode numbers are never reused, so one generation serves all. It is the kernel's own generation
  // of the root: with any other, a lookup of ".." that ends there would make the root stale.
  entry.generation = 0;
  entry.attr = to_stat(attr);
  entry.entry_timeout = entry_timeout_s;
  entry.attr_timeout = attr_timeout_s;
  return entry;
}

void Reply::entry(const Result<Attr>& attr) && noexcept {
  if (!attr) return std::move(*this).error(attr.error());
  // A reply the kernel does not take leaves nothing behind: lookups are not counted on our side.
  const fuse_entry_param entry = to_entry(*attr);
  fuse_reply_entry(take(), &entry);
}

void Reply::negative_entry() && noexcept {
  fuse_entry_param entry{};
  entry.entry_timeout = entry_timeout_s;
  fuse_reply_entry(take(), &entry);
}

void Reply::attributes(const Result<Attr>& attr) && noexcept {
  if (!attr) return std::move(*this).error(attr.error());
  const struct stat out = to_stat(*attr);
  fuse_reply_attr(take(), &out, attr_timeout_s);
}

bool Reply::created(const Attr& attr, const fuse_file_info& file) && noexcept {
  const fuse_entry_param entry = to_entry(attr);
  return fuse_reply_create(take(), &entry, &file) == 0;
}

bool Reply::opened(const fuse_file_info& file) && noexcept {
  return fuse_reply_open(take(), &file) == 0;
}

void Reply::statistics(const Result<StatFs>& result) && noexcept {
  if (!result) return std::move(*this).error(result.error());

  struct statvfs out {};

  out.f_bsize = result->block_bytes;
  out.f_frsize = result->block_bytes;
  out.f_blocks = result->blocks;
  out.f_bfree = result->blocks_free;
  out.f_bavail = result->blocks_available;
  out.f_files = result->inodes;
  out.f_ffree = result->inodes_free;
  out.f_favail = result->inodes_free;
  out.f_namemax = result->name_bytes_max;
  out.f_fsid = result->fsid;
  fuse_reply_statfs(take(), &out);
}

void Reply::sized(std::string_view value, std::size_t room) && noexcept {
  if (room == 0) {
    fuse_reply_xattr(take(), value.size());
  } else if (value.size() > room) {
    fuse_reply_err(take(), ERANGE);
  } else {
    fuse_reply_buf(take(), value.data(), value.size());
  }
}

}  // namespace artfs::fuse
