// SPDX-License-Identifier: Apache-2.0
#include "fuse/inside_ops.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "fuse/inside.hpp"
#include "fuse/reply.hpp"

namespace artfs::fuse {

namespace {

constexpr std::string_view directory_name = ".artfs";
constexpr Ino directory_ino{inside_ino_first};

struct File {
  std::string_view name;
  std::uint32_t mode;
  std::string (*text)(Serving& serving);
};

constexpr std::size_t config_index = 3;
constexpr std::array<File, 4> files = {{
    {"stats", 0444, [](Serving& target) { return target.inside->stats_json(); }},
    {"metrics", 0444, [](Serving& target) { return target.inside->metrics(); }},
    {"accesslog", 0400, [](Serving& target) { return target.inside->access_log(); }},
    {"config", 0600, [](Serving& target) { return target.inside->tunables().text(target); }},
}};

constexpr Ino ino_of(std::size_t index) noexcept {
  return Ino{inside_ino_first + 1 + index};
}

constexpr Ino config_ino = ino_of(config_index);

constexpr bool is_inside(Ino ino) noexcept {
  return ino.raw >= directory_ino.raw && ino.raw <= ino_of(files.size() - 1).raw;
}

constexpr const File* file_of(Ino ino) noexcept {
  return is_inside(ino) && ino != directory_ino ? &files[ino.raw - ino_of(0).raw] : nullptr;
}

// The handlers of the volume.
fuse_lowlevel_ops below{};

// The name stands for the directory in here: the root's own ".artfs" if there is a real one goes first.
bool is_ours(fuse_req_t request, Ino parent, std::string_view name) noexcept {
  if (parent != root_ino || name != directory_name) return false;
  const Result<Attr> real = volume_of(request).lookup(parent, name);
  return !real && real.error().code == Errc::entry_not_found;
}

Attr attributes_of(const Serving& target, Ino ino) noexcept {
  Attr attr;
  attr.ino = ino;
  attr.uid = ::geteuid();
  attr.gid = ::getegid();
  attr.btime = target.inside->started_at();
  if (const File* file = file_of(ino)) {
    const base::WallTime now = base::wall_clock();
    attr.mode = S_IFREG | file->mode;
    attr.nlink = 1;
    attr.atime = {.seconds = now.seconds, .nanoseconds = now.nanoseconds};
  } else {
    attr.mode = S_IFDIR | 0555;
    attr.nlink = 2;
    attr.atime = attr.btime;
  }
  attr.mtime = attr.ctime = attr.atime;
  return attr;
}

fuse_entry_param entry_of(const Serving& target, Ino ino) noexcept {
  fuse_entry_param entry = to_entry(attributes_of(target, ino));
  entry.attr_timeout = 1;  // their times are those of now
  return entry;
}

// A handler that is one of the volume's for its inodes, and an error for those in here.
template <auto member, int refused>
struct Guard;

template <typename... Arguments,
          void (*fuse_lowlevel_ops::*member)(fuse_req_t, fuse_ino_t, Arguments...), int refused>
struct Guard<member, refused> {
  static void op(fuse_req_t request, fuse_ino_t ino, Arguments... arguments) noexcept {
    if (!is_inside(Ino{ino})) return (below.*member)(request, ino, arguments...);
    Reply(request).errno_value(refused);
  }
};

// The same with a name in that inode: `taken` is the error when it is the name of the directory in here.
template <auto member, int taken>
struct NameGuard;

template <typename... Arguments,
          void (*fuse_lowlevel_ops::*member)(fuse_req_t, fuse_ino_t, const char*, Arguments...),
          int taken>
struct NameGuard<member, taken> {
  static void op(fuse_req_t request, fuse_ino_t parent, const char* name,
                 Arguments... arguments) noexcept {
    if (is_inside(Ino{parent})) return Reply(request).errno_value(EPERM);
    if (is_ours(request, Ino{parent}, name)) return Reply(request).errno_value(taken);
    (below.*member)(request, parent, name, arguments...);
  }
};

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  const std::string_view wanted = name;
  Ino found{};
  if (is_inside(Ino{parent})) {
    if (wanted == ".") found = Ino{parent};
    if (wanted == "..") return below.lookup(request, root_ino.raw, ".");
    for (std::size_t i = 0; i < files.size() && Ino{parent} == directory_ino; ++i) {
      if (wanted == files[i].name) found = ino_of(i);
    }
    if (!found) return Reply(request).errno_value(ENOENT);
  } else if (is_ours(request, Ino{parent}, wanted)) {
    found = directory_ino;
  } else {
    return below.lookup(request, parent, name);
  }
  const fuse_entry_param entry = entry_of(serving(request), found);
  fuse_reply_entry(request, &entry);
}

void op_symlink(fuse_req_t request, const char* target, fuse_ino_t parent,
                const char* name) noexcept {
  if (is_inside(Ino{parent})) return Reply(request).errno_value(EPERM);
  if (is_ours(request, Ino{parent}, name)) return Reply(request).errno_value(EEXIST);
  below.symlink(request, target, parent, name);
}

void op_link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t parent, const char* name) noexcept {
  if (is_inside(Ino{ino}) || is_inside(Ino{parent})) return Reply(request).errno_value(EPERM);
  if (is_ours(request, Ino{parent}, name)) return Reply(request).errno_value(EEXIST);
  below.link(request, ino, parent, name);
}

void op_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) noexcept {
  const bool is_refused = is_inside(Ino{parent}) || is_inside(Ino{new_parent}) ||
                          is_ours(request, Ino{parent}, name) ||
                          is_ours(request, Ino{new_parent}, new_name);
  if (is_refused) return Reply(request).errno_value(EPERM);
  below.rename(request, parent, name, new_parent, new_name, flags);
}

void reply_attributes(fuse_req_t request, Ino ino) noexcept {
  const fuse_entry_param entry = entry_of(serving(request), ino);
  fuse_reply_attr(request, &entry.attr, entry.attr_timeout);
}

void op_getattr(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.getattr(request, ino, file);
  reply_attributes(request, Ino{ino});
}

// A shell's ">" cuts config before it writes to it.
void op_setattr(fuse_req_t request, fuse_ino_t ino, struct stat* wanted, int valid,
                fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.setattr(request, ino, wanted, valid, file);
  constexpr int allowed =
      FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
  const bool only_cuts = (valid & FUSE_SET_ATTR_SIZE) != 0 && (valid & ~allowed) == 0;
  if (Ino{ino} != config_ino || !only_cuts) return Reply(request).errno_value(EPERM);
  reply_attributes(request, Ino{ino});
}

const std::string& contents_of(const fuse_file_info& file) noexcept {
  return *reinterpret_cast<const std::string*>(file.fh);
}

void op_open(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  const File* what = file_of(Ino{ino});
  if (what == nullptr && !is_inside(Ino{ino})) return below.open(request, ino, file);
  Reply reply(request);
  if (what == nullptr) return std::move(reply).errno_value(EISDIR);
  const bool writes = (file->flags & O_ACCMODE) != O_RDONLY;
  if (writes && Ino{ino} != config_ino) return std::move(reply).errno_value(EPERM);
  auto contents = std::make_unique<std::string>(what->text(serving(request)));
  file->fh = reinterpret_cast<std::uint64_t>(contents.get());
  file->direct_io = 1;
  file->noflush = 1;
  // From here the kernel owns the contents and gives them back in release.
  if (std::move(reply).opened(*file)) static_cast<void>(contents.release());
}

void op_release(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.release(request, ino, file);
  std::unique_ptr<const std::string>(&contents_of(*file)).reset();
  Reply(request).ok();
}

void op_read(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t offset,
             fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.read(request, ino, size, offset, file);
  const std::string_view all = contents_of(*file);
  const std::size_t from = std::min(static_cast<std::size_t>(offset), all.size());
  Reply(request).bytes(all.substr(from, size));
}

void op_write(fuse_req_t request, fuse_ino_t ino, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.write(request, ino, data, size, offset, file);
  Reply reply(request);
  if (Ino{ino} != config_ino) return std::move(reply).errno_value(EPERM);
  Serving& target = serving(request);
  const auto done = target.inside->tunables().set({data, size}, target);
  if (!done) {
    base::log_warning(".artfs/config: {}", done.error());
    return std::move(reply).errno_value(EINVAL);
  }
  std::move(reply).written(size);
}

void op_sync(fuse_req_t request) noexcept {
  Reply(request).ok();
}

void op_flush(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  return is_inside(Ino{ino}) ? op_sync(request) : below.flush(request, ino, file);
}

void op_fsync(fuse_req_t request, fuse_ino_t ino, int data_only, fuse_file_info* file) noexcept {
  return is_inside(Ino{ino}) ? op_sync(request) : below.fsync(request, ino, data_only, file);
}

void op_fsyncdir(fuse_req_t request, fuse_ino_t ino, int data_only, fuse_file_info* file) noexcept {
  return is_inside(Ino{ino}) ? op_sync(request) : below.fsyncdir(request, ino, data_only, file);
}

void op_releasedir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  return is_inside(Ino{ino}) ? op_sync(request) : below.releasedir(request, ino, file);
}

void op_opendir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.opendir(request, ino, file);
  Reply reply(request);
  if (Ino{ino} != directory_ino) return std::move(reply).errno_value(ENOTDIR);
  static_cast<void>(std::move(reply).opened(*file));
}

void op_listxattr(fuse_req_t request, fuse_ino_t ino, std::size_t size) noexcept {
  if (!is_inside(Ino{ino})) return below.listxattr(request, ino, size);
  Reply(request).sized({}, size);
}

struct Listed {
  const char* name;
  Ino ino;
};

constexpr std::array<Listed, files.size() + 2> listing = {{{".", directory_ino},
                                                           {"..", root_ino},
                                                           {files[0].name.data(), ino_of(0)},
                                                           {files[1].name.data(), ino_of(1)},
                                                           {files[2].name.data(), ino_of(2)},
                                                           {files[3].name.data(), ino_of(3)}}};

// An offset is the index of the entry that follows. `add` as fuse_add_direntry().
template <typename Add>
void reply_listing(fuse_req_t request, std::size_t size, off_t offset, const Add& add) noexcept {
  std::string buffer(std::min<std::size_t>(size, 4096), '\0');
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(std::max<off_t>(offset, 0)); i < listing.size(); ++i) {
    const std::size_t room = buffer.size() - used;
    const std::size_t needed =
        add(buffer.data() + used, room, listing[i], static_cast<off_t>(i + 1));
    if (needed > room) break;
    used += needed;
  }
  Reply(request).bytes({buffer.data(), used});
}

void op_readdir(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t offset,
                fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.readdir(request, ino, size, offset, file);
  reply_listing(request, size, offset,
                [&](char* to, std::size_t room, const Listed& entry, off_t next) {
                  struct stat attr {};
                  attr.st_ino = entry.ino.raw;
                  attr.st_mode = file_of(entry.ino) != nullptr ? S_IFREG : S_IFDIR;
                  return fuse_add_direntry(request, to, room, entry.name, &attr, next);
                });
}

void op_readdirplus(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t offset,
                    fuse_file_info* file) noexcept {
  if (!is_inside(Ino{ino})) return below.readdirplus(request, ino, size, offset, file);
  reply_listing(request, size, offset,
                [&](char* to, std::size_t room, const Listed& entry, off_t next) {
                  fuse_entry_param param{};
                  if (file_of(entry.ino) != nullptr) {
                    param = entry_of(serving(request), entry.ino);
                  } else {  // "." and "..": listed, not linked
                    param.attr.st_ino = entry.ino.raw;
                    param.attr.st_mode = S_IFDIR;
                  }
                  return fuse_add_direntry_plus(request, to, room, entry.name, &param, next);
                });
}

// The kernel then reads and writes.
void op_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                        fuse_file_info* from_file, fuse_ino_t to, off_t to_offset,
                        fuse_file_info* to_file, std::size_t length, int flags) noexcept {
  if (is_inside(Ino{from}) || is_inside(Ino{to})) return Reply(request).errno_value(EOPNOTSUPP);
  below.copy_file_range(request, from, from_offset, from_file, to, to_offset, to_file, length,
                        flags);
}

// Refused everywhere in here, with the error that tells programs to do without.
void add_refusals(fuse_lowlevel_ops& ops) noexcept {
  using Ops = fuse_lowlevel_ops;
  ops.mknod = NameGuard<&Ops::mknod, EEXIST>::op;
  ops.mkdir = NameGuard<&Ops::mkdir, EEXIST>::op;
  ops.create = NameGuard<&Ops::create, EEXIST>::op;
  ops.unlink = NameGuard<&Ops::unlink, EPERM>::op;
  ops.rmdir = NameGuard<&Ops::rmdir, EPERM>::op;
  ops.readlink = Guard<&Ops::readlink, EINVAL>::op;
  ops.fallocate = Guard<&Ops::fallocate, EPERM>::op;
  ops.lseek = Guard<&Ops::lseek, EINVAL>::op;
  ops.ioctl = Guard<&Ops::ioctl, ENOTTY>::op;
  ops.setxattr = Guard<&Ops::setxattr, EPERM>::op;
  ops.getxattr = Guard<&Ops::getxattr, ENODATA>::op;
  ops.removexattr = Guard<&Ops::removexattr, EPERM>::op;
}

}  // namespace

void add_inside_ops(fuse_lowlevel_ops& ops) noexcept {
  below = ops;
  add_refusals(ops);
  ops.lookup = op_lookup;
  ops.symlink = op_symlink;
  ops.link = op_link;
  ops.rename = op_rename;
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.open = op_open;
  ops.release = op_release;
  ops.read = op_read;
  ops.write = op_write;
  ops.copy_file_range = op_copy_file_range;
  ops.flush = op_flush;
  ops.fsync = op_fsync;
  ops.opendir = op_opendir;
  ops.releasedir = op_releasedir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.fsyncdir = op_fsyncdir;
  ops.listxattr = op_listxattr;
}

std::optional<Attr> inside_attributes(const Serving& serving, Ino ino) noexcept {
  if (serving.inside == nullptr || !is_inside(ino)) return std::nullopt;
  return attributes_of(serving, ino);
}

}  // namespace artfs::fuse
