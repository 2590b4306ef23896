// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "fuse/kernel_shim.hpp"
#include "fuse/ops.hpp"
#include "fuse/read_ahead.hpp"
#include "fuse/reply.hpp"
#include "fuse/reply_route.hpp"

namespace artfs::fuse {

namespace {

bool writes(const fuse_file_info& file) noexcept {
  return (file.flags & O_ACCMODE) != O_RDONLY;
}

// No handle state: the file is its number. Pages stay cached over opens (we are the only writer) unless
// the next read is to move atime: what the kernel answers itself we never hear of. A file opened for
// reading has no error to report at close. An append-only file is written past the page cache, which
// also keeps it from being mapped writable.
void fill_open_file(fuse_file_info& file, const Opened& opened) noexcept {
  const bool reads_move_atime =
      opened.atime_due && (file.flags & O_ACCMODE) != O_WRONLY && (file.flags & O_NOATIME) == 0;
  file.fh = 0;
  file.keep_cache = reads_move_atime ? 0 : 1;
  file.direct_io = opened.append_only && writes(file) ? 1 : 0;
  file.noflush = writes(file) ? 0 : 1;
}

OpenMode mode_of(const fuse_file_info& file) noexcept {
  return {.write = writes(file),
          .append = (file.flags & O_APPEND) != 0,
          .truncate = (file.flags & O_TRUNC) != 0};
}

Result<Opened> open_and_truncate(fuse_req_t request, Ino ino, const fuse_file_info& file) noexcept {
  Volume& volume = volume_of(request);
  const Opened opened = ARTFS_TRY(volume.open_file(ino, mode_of(file)));
  if ((file.flags & O_TRUNC) == 0) return opened;
  SetAttr changes;
  changes.size = 0;
  // Without the flag the kernel leaves suid and sgid to us here, and only here: it takes the
  // truncation as done.
  changes.clear_privileges = sheds_privileges(file) || fuse_req_ctx(request)->uid != 0;
  const Result<Attr> truncated = volume.setattr(ino, changes, caller_of(request));
  if (truncated) return opened;
  volume.release(ino);
  return fail(truncated.error());
}

void op_open(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  Reply reply(request);
  widen_read_ahead(serving(request).mount_point);
  const Result<Opened> opened = open_and_truncate(request, Ino{ino}, *file);
  if (!opened) return std::move(reply).error(opened.error());
  fill_open_file(*file, *opened);
  // An open that was interrupted will never be released by the kernel.
  if (!std::move(reply).opened(*file)) volume_of(request).release(Ino{ino});
}

void op_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* file) noexcept {
  Reply reply(request);
  Volume& volume = volume_of(request);
  const Result<Attr> attr = is_tmpfile(*file)
                                ? volume.create_unnamed(Ino{parent}, mode, caller_of(request))
                                : volume.create(Ino{parent}, name, mode, caller_of(request));
  if (!attr) return std::move(reply).error(attr.error());
  fill_open_file(*file, {});
  if (std::move(reply).created(*attr, *file)) return;
  volume.release(attr->ino);
  volume.forget(attr->ino);  // what the kernel never knew it will not forget
}

void op_release(fuse_req_t request, fuse_ino_t ino, fuse_file_info* /*file*/) noexcept {
  volume_of(request).release(Ino{ino});
  Reply(request).ok();
}

void op_read(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t offset,
             fuse_file_info* file) noexcept {
  Reply reply(request);
  const std::span<std::byte> buffer = answer_space(size);
  const bool keeps_atime = (file->flags & O_NOATIME) != 0;
  const Result<std::size_t> got =
      volume_of(request).read(Ino{ino}, static_cast<std::uint64_t>(offset), buffer, keeps_atime);
  if (!got) return std::move(reply).error(got.error());
  std::move(reply).bytes({reinterpret_cast<const char*>(buffer.data()), *got});
}

void op_write(fuse_req_t request, fuse_ino_t ino, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) noexcept {
  Reply reply(request);
  Caller caller = caller_of(request);
  caller.has_cap_fsetid = !sheds_privileges(*file);
  caller.writes_back = file->writepage != 0;
  const Result<void> result = volume_of(request).write(
      Ino{ino}, static_cast<std::uint64_t>(offset), std::as_bytes(std::span(data, size)), caller);
  if (!result) return std::move(reply).error(result.error());
  std::move(reply).written(size);
}

void op_flush(fuse_req_t request, fuse_ino_t ino, fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  std::move(reply).done(volume_of(request).flush(Ino{ino}));
}

void op_fsync(fuse_req_t request, fuse_ino_t ino, int /*data_only*/,
              fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  Serving& target = serving(request);
  std::move(reply).done(target.fsync_waits ? target.volume.fsync(Ino{ino})
                                           : target.volume.flush(Ino{ino}));
}

// The kernel has checked what can be checked with file descriptors, and flags are for later kernels.
void op_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                        fuse_file_info* /*from_file*/, fuse_ino_t to, off_t to_offset,
                        fuse_file_info* /*to_file*/, std::size_t length, int flags) noexcept {
  Reply reply(request);
  if (flags != 0) return std::move(reply).error({Errc::invalid_argument});
  // Without a flag that says so, privileges are ours to shed.
  Caller caller = caller_of(request);
  caller.has_cap_fsetid = caller.uid == 0;
  const Result<std::uint64_t> copied =
      volume_of(request).copy_range({.from = Ino{from},
                                     .from_offset = static_cast<std::uint64_t>(from_offset),
                                     .to = Ino{to},
                                     .to_offset = static_cast<std::uint64_t>(to_offset),
                                     .length = length},
                                    caller);
  if (!copied) return std::move(reply).error(copied.error());
  std::move(reply).written(*copied);
}

// The kernel refuses what Linux defines and we do not have (collapse, insert, unshare) before it asks.
Result<void> allocate(Volume& volume, Ino ino, int mode, std::uint64_t offset,
                      std::uint64_t length) noexcept {
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0:
      return volume.fallocate(ino, offset, length, keep_size);
    case FALLOC_FL_PUNCH_HOLE:
      if (keep_size) return volume.punch_hole(ino, offset, length);
      break;
    case FALLOC_FL_ZERO_RANGE:
      return volume.zero_range(ino, offset, length, keep_size);
    default:
      break;
  }
  return fail(Errc::operation_not_supported, static_cast<unsigned>(mode));
}

void op_fallocate(fuse_req_t request, fuse_ino_t ino, int mode, off_t offset, off_t length,
                  fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  // The kernel leaves suid and sgid to us here without saying whether they must go.
  Caller caller = caller_of(request);
  caller.has_cap_fsetid = caller.uid == 0;
  const Result<void> shed = volume_of(request).shed_privileges(Ino{ino}, caller);
  if (!shed) return std::move(reply).error(shed.error());
  std::move(reply).done(allocate(volume_of(request), Ino{ino}, mode,
                                 static_cast<std::uint64_t>(offset),
                                 static_cast<std::uint64_t>(length)));
}

// The kernel answers every other `whence` itself.
void op_lseek(fuse_req_t request, fuse_ino_t ino, off_t offset, int whence,
              fuse_file_info* /*file*/) noexcept {
  Reply reply(request);
  if (offset < 0) return std::move(reply).error({Errc::no_more_data});
  if (whence != SEEK_DATA && whence != SEEK_HOLE) {
    return std::move(reply).error({Errc::invalid_argument, static_cast<unsigned>(whence)});
  }
  Volume& volume = volume_of(request);
  const auto from = static_cast<std::uint64_t>(offset);
  const Result<std::uint64_t> found =
      whence == SEEK_DATA ? volume.seek_data(Ino{ino}, from) : volume.seek_hole(Ino{ino}, from);
  if (!found) return std::move(reply).error(found.error());
  std::move(reply).position(*found);
}

}  // namespace

void add_file_ops(fuse_lowlevel_ops& ops) noexcept {
  ops.open = op_open;
  ops.create = op_create;
  ops.release = op_release;
  ops.read = op_read;
  ops.write = op_write;
  ops.flush = op_flush;
  ops.fsync = op_fsync;
  ops.fallocate = op_fallocate;
  ops.lseek = op_lseek;
  ops.copy_file_range = op_copy_file_range;
}

}  // namespace artfs::fuse
