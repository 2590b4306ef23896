// SPDX-License-Identifier: Apache-2.0
#include "vol/dir_stream.hpp"

#include <limits>

#include "format/dirent.hpp"
#include "format/key.hpp"
#include "vol/atime.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {

static_assert(InoAllocator::first_number > DirStreamImpl::after_dotdot);

Result<void> DirStreamImpl::seek(std::int64_t offset) {
  if (offset < 0) return fail(Errc::invalid_argument);
  if (offset == 0) bound_ = 0;
  if (offset == position_ && offset != 0 && !end_) return {};
  unread_ = false;
  end_ = false;
  position_ = offset;
  scan_.reset();
  return {};
}

void DirStreamImpl::start_numbers() {
  if (bound_ == 0) {
    bound_ = core_.read_only() ? std::numeric_limits<std::uint64_t>::max() : core_.inos->bound();
  }
  const format::Key prefix = format::numbers_prefix(dir_);
  const format::Key after = format::number_key(dir_, static_cast<std::uint64_t>(position_));
  scan_.emplace(core_.tree.scan({.prefix = prefix, .start_after = after}));
}

Result<bool> DirStreamImpl::step_number() {
  if (!scan_) start_numbers();
  if (!ARTFS_TRY(scan_->next())) return false;
  const auto key = format::parse_key(scan_->entry().key);
  if (!key) return fail(Errc::record_corrupt, dir_.raw);
  if (key->number >= bound_) return false;
  const format::NamedDirent found =
      ARTFS_TRY(format::decode_by_number(dir_, key->number, scan_->entry().value));
  name_ = found.name;
  entry_ = {.name = name_,
            .ino = found.dirent.ino,
            .type = found.dirent.type,
            .offset = static_cast<std::int64_t>(key->number)};
  return true;
}

// Nothing changes below a read-only volume: the n-th name is always the same.
Result<void> DirStreamImpl::start_names() {
  const format::Key prefix = format::dirents_prefix(dir_);
  scan_.emplace(core_.tree.scan({.prefix = prefix}));
  for (std::int64_t skip = after_dotdot; skip < position_; ++skip) {
    if (!ARTFS_TRY(scan_->next())) break;
  }
  return {};
}

Result<bool> DirStreamImpl::step_name() {
  if (!scan_) ARTFS_TRY(start_names());
  if (!ARTFS_TRY(scan_->next())) return false;
  const auto key = format::parse_key(scan_->entry().key);
  if (!key) return fail(Errc::record_corrupt, dir_.raw);
  const format::Dirent found = ARTFS_TRY(format::decode_dirent(dir_, scan_->entry().value));
  name_ = key->name;
  entry_ = {.name = name_, .ino = found.ino, .type = found.type, .offset = position_ + 1};
  return true;
}

Result<bool> DirStreamImpl::step_dots() {
  const format::Inode inode = ARTFS_TRY(load_inode(core_, dir_));
  if (!inode.is_directory()) return fail(Errc::not_a_directory, dir_.raw);
  const bool dot = position_ < after_dot;
  if (dot) note_access(core_, dir_, inode);
  entry_ = {.name = dot ? "." : "..",
            .ino = dot ? dir_ : inode.parent,
            .type = format::mode_directory,
            .offset = dot ? after_dot : after_dotdot};
  return true;
}

Result<const DirEntry*> DirStreamImpl::next() {
  if (unread_) {
    unread_ = false;
    position_ = entry_.offset;
    return &entry_;
  }
  if (end_) return nullptr;
  const Result<bool> stepped = position_ < after_dotdot     ? step_dots()
                               : core_.settings.is_numbered ? step_number()
                                                            : step_name();
  if (!stepped) {
    scan_.reset();  // the entry that cannot be read is not passed over: it fails the next time too
    return fail(stepped.error());
  }
  if (!*stepped) {
    end_ = true;
    return nullptr;
  }
  before_ = position_;
  position_ = entry_.offset;
  return &entry_;
}

void DirStreamImpl::unread() noexcept {
  if (unread_ || end_ || position_ == 0) return;
  unread_ = true;
  position_ = before_;
}

}  // namespace artfs::vol
