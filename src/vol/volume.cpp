// SPDX-License-Identifier: Apache-2.0
// The facade: Volume and DirStream hand their calls to the operations of src/vol.
#include "artfs/volume.hpp"

#include <sys/stat.h>

#include <utility>

#include "base/log.hpp"
#include "vol/attr.hpp"
#include "vol/copy.hpp"
#include "vol/dir_stream.hpp"
#include "vol/file.hpp"
#include "vol/inode.hpp"
#include "vol/names.hpp"
#include "vol/repair.hpp"
#include "vol/scrub.hpp"
#include "vol/statfs.hpp"
#include "vol/volume_impl.hpp"
#include "vol/walk.hpp"
#include "vol/xattr.hpp"

namespace artfs {

static_assert(format::mode_directory == S_IFDIR && format::mode_symlink == S_IFLNK &&
              format::mode_regular == S_IFREG);

DirStream::DirStream(std::unique_ptr<vol::DirStreamImpl> impl) noexcept : impl_(std::move(impl)) {}

DirStream::~DirStream() = default;

Result<void> DirStream::seek(std::int64_t offset) {
  return impl_->seek(offset);
}

Result<const DirEntry*> DirStream::next() {
  return impl_->next();
}

Result<const DirEntry*> DirStream::next_with_attributes() {
  return impl_->next_with_attributes();
}

const Attr* DirStream::attributes() const noexcept {
  return impl_->attributes();
}

void DirStream::forget_attributes() noexcept {
  impl_->forget_attributes();
}

void DirStream::unread() noexcept {
  impl_->unread();
}

Result<void> Volume::format(const std::string& path, const FormatOptions& options) {
  ARTFS_TRY(Store::create(path, {.label = options.label}));
  const std::unique_ptr<Store> store = ARTFS_TRY(Store::open(path, {}));
  ARTFS_TRY(vol::VolumeImpl::format_store(*store, options));
  return store->close();
}

Result<std::unique_ptr<Volume>> Volume::open(const std::string& path,
                                             const VolumeOptions& options) {
  std::unique_ptr<Store> store = ARTFS_TRY(Store::open(path, options.store));
  return std::make_unique<Volume>(
      ARTFS_TRY(vol::VolumeImpl::open_store(std::move(store), options)));
}

Result<RepairReport> Volume::repair(const std::string& path, const StoreOptions& options) {
  const std::unique_ptr<Store> store = ARTFS_TRY(Store::open(path, options));
  RepairReport report = ARTFS_TRY(vol::repair(*store));
  ARTFS_TRY(store->close());
  return report;
}

Result<std::unique_ptr<Volume>> Volume::open_in_memory(const FormatOptions& format,
                                                       const VolumeOptions& options) {
  std::unique_ptr<Store> store = ARTFS_TRY(Store::open_in_memory(options.store));
  ARTFS_TRY(vol::VolumeImpl::format_store(*store, format));
  return std::make_unique<Volume>(
      ARTFS_TRY(vol::VolumeImpl::open_store(std::move(store), options)));
}

Volume::Volume(std::unique_ptr<vol::VolumeImpl> impl) noexcept : impl_(std::move(impl)) {}

Volume::~Volume() = default;

Result<void> Volume::close() {
  return impl_->close();
}

Result<Attr> Volume::lookup(Ino parent, std::string_view name) {
  return vol::lookup(impl_->core(), {parent, name});
}

Result<Attr> Volume::getattr(Ino ino) {
  return vol::attributes(impl_->core(), ino);
}

Result<Attr> Volume::setattr(Ino ino, const SetAttr& changes, const Caller& caller) {
  return vol::setattr(impl_->core(), ino, changes, caller);
}

Result<Attr> Volume::mkdir(Ino parent, std::string_view name, std::uint32_t mode,
                           const Caller& caller) {
  const std::uint32_t permissions = mode & format::mode_permission_mask;
  return vol::make(impl_->core(), {parent, name}, {.mode = format::mode_directory | permissions},
                   caller);
}

Result<Attr> Volume::mknod(Ino parent, std::string_view name, std::uint32_t mode,
                           std::uint64_t rdev, const Caller& caller) {
  const std::uint32_t type = mode & format::mode_type_mask;
  if (type == format::mode_directory || type == format::mode_symlink) {
    return fail(Errc::operation_not_permitted);
  }
  // As mknod(2): no type means a regular file.
  const std::uint32_t full = type == 0 ? mode | format::mode_regular : mode;
  return vol::make(impl_->core(), {parent, name}, {.mode = full, .rdev = rdev}, caller);
}

Result<Attr> Volume::create(Ino parent, std::string_view name, std::uint32_t mode,
                            const Caller& caller) {
  const std::uint32_t permissions = mode & format::mode_permission_mask;
  return vol::make(impl_->core(), {parent, name},
                   {.mode = format::mode_regular | permissions, .open = true}, caller);
}

Result<Attr> Volume::create_unnamed(Ino dir, std::uint32_t mode, const Caller& caller) {
  const std::uint32_t permissions = mode & format::mode_permission_mask;
  return vol::make_unnamed(impl_->core(), dir, format::mode_regular | permissions, caller);
}

Result<Attr> Volume::symlink(Ino parent, std::string_view name, std::string_view target,
                             const Caller& caller) {
  return vol::make(impl_->core(), {parent, name},
                   {.mode = format::mode_symlink | 0777, .target = target}, caller);
}

Result<std::string> Volume::readlink(Ino ino) {
  return vol::readlink(impl_->core(), ino);
}

Result<Attr> Volume::link(Ino ino, Ino parent, std::string_view name) {
  return vol::link(impl_->core(), ino, {parent, name});
}

Result<void> Volume::unlink(Ino parent, std::string_view name) {
  return vol::unlink(impl_->core(), {parent, name});
}

Result<void> Volume::rmdir(Ino parent, std::string_view name) {
  return vol::rmdir(impl_->core(), {parent, name});
}

Result<void> Volume::rename(Place from, Place to, RenameFlags flags, const Caller& caller) {
  return vol::rename(impl_->core(), {.from = from, .to = to, .flags = flags, .caller = caller});
}

Result<InodeFlags> Volume::get_flags(Ino ino) {
  return vol::get_flags(impl_->core(), ino);
}

Result<void> Volume::set_flags(Ino ino, InodeFlags flags) {
  return vol::set_flags(impl_->core(), ino, flags);
}

void Volume::set_access_times(AccessTimePolicy policy) noexcept {
  impl_->core().access_times.store(policy, std::memory_order_relaxed);
}

Result<Opened> Volume::open_file(Ino ino, OpenMode mode) {
  return vol::open_file(impl_->core(), ino, mode);
}

void Volume::release(Ino ino) noexcept {
  vol::release(impl_->core(), ino);
}

void Volume::forget(Ino ino) noexcept {
  vol::forget(impl_->core(), ino);
}

Result<std::size_t> Volume::read(Ino ino, std::uint64_t offset, std::span<std::byte> out,
                                 bool keeps_atime) {
  return vol::read(impl_->core(), ino, offset, out, keeps_atime);
}

Result<void> Volume::write(Ino ino, std::uint64_t offset, std::span<const std::byte> data,
                           const Caller& caller) {
  return vol::write(impl_->core(), ino, offset, data, caller);
}

Result<void> Volume::fallocate(Ino ino, std::uint64_t offset, std::uint64_t length,
                               bool keep_size) {
  return vol::fallocate(impl_->core(), ino,
                        {.offset = offset, .length = length, .keep_size = keep_size});
}

Result<void> Volume::punch_hole(Ino ino, std::uint64_t offset, std::uint64_t length) {
  return vol::clear(impl_->core(), ino, {.offset = offset, .length = length, .keep_size = true},
                    data::FileBytes::Clear::punch);
}

Result<void> Volume::zero_range(Ino ino, std::uint64_t offset, std::uint64_t length,
                                bool keep_size) {
  return vol::clear(impl_->core(), ino,
                    {.offset = offset, .length = length, .keep_size = keep_size},
                    data::FileBytes::Clear::zero);
}

Result<std::uint64_t> Volume::seek_data(Ino ino, std::uint64_t offset) {
  return vol::seek(impl_->core(), ino, {.offset = offset, .hole = false});
}

Result<std::uint64_t> Volume::seek_hole(Ino ino, std::uint64_t offset) {
  return vol::seek(impl_->core(), ino, {.offset = offset, .hole = true});
}

Result<std::uint64_t> Volume::copy_range(const CopyRange& range, const Caller& caller) {
  return vol::copy_range(impl_->core(), range, caller);
}

Result<void> Volume::flush(Ino ino) {
  return vol::flush(impl_->core(), ino);
}

Result<void> Volume::fsync(Ino ino) {
  return impl_->fsync(ino);
}

Result<void> Volume::sync() {
  return impl_->sync();
}

Result<void> Volume::shed_privileges(Ino ino, const Caller& caller) {
  return vol::shed_privileges(impl_->core(), ino, caller);
}

Result<std::string> Volume::get_xattr(Ino ino, std::string_view name) {
  return vol::get_xattr(impl_->core(), ino, name);
}

Result<void> Volume::set_xattr(Ino ino, std::string_view name, std::string_view value,
                               XattrFlags flags) {
  return vol::set_xattr(impl_->core(), ino, {.name = name, .value = value}, flags);
}

Result<std::vector<std::string>> Volume::list_xattrs(Ino ino) {
  return vol::list_xattrs(impl_->core(), ino);
}

Result<void> Volume::remove_xattr(Ino ino, std::string_view name) {
  return vol::remove_xattr(impl_->core(), ino, name);
}

Result<std::unique_ptr<DirStream>> Volume::open_dir(Ino ino) {
  const format::Inode inode = ARTFS_TRY(vol::load_inode(impl_->core(), ino));
  if (!inode.is_directory()) return fail(Errc::not_a_directory, ino.raw);
  return std::make_unique<DirStream>(std::make_unique<vol::DirStreamImpl>(impl_->core(), ino));
}

Result<StatFs> Volume::statfs() {
  return vol::statfs(impl_->core());
}

VolumeStats Volume::stats() const {
  return vol::stats(impl_->core());
}

Result<CheckReport> Volume::check(const CheckOptions& options) {
  return impl_->check(options);
}

Result<ScrubReport> Volume::scrub(const ScrubOptions& options) {
  return vol::scrub(impl_->core(), options);
}

Result<bool> Volume::walk(Ino root, const WalkOptions& options, const WalkVisit& visit) {
  return vol::walk(impl_->core(), root, options, visit);
}

Store& Volume::store() noexcept {
  return *impl_->core().store;
}

}  // namespace artfs
