// SPDX-License-Identifier: Apache-2.0
#include "vol/dir_stream.hpp"

#include <algorithm>
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
  ahead_.reset();
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

Result<bool> DirStreamImpl::step() {
  if (position_ < after_dotdot) return step_dots();
  return core_.settings.is_numbered ? step_number() : step_name();
}

Result<const DirEntry*> DirStreamImpl::next() {
  attributes_.reset();
  if (unread_) {
    unread_ = false;
    position_ = entry_.offset;
    return &entry_;
  }
  if (end_) return nullptr;
  if (ahead_ && !ahead_->is_used_up()) return take_ahead();
  const Result<bool> stepped = step();
  if (!stepped) {
    scan_.reset();  // the entry that cannot be read is not passed over: it fails the next time too
    return fail(stepped.error());
  }
  if (!*stepped) {
    end_ = true;
    return nullptr;
  }
  is_from_ahead_ = false;
  before_ = position_;
  position_ = entry_.offset;
  return &entry_;
}

Result<const DirEntry*> DirStreamImpl::next_with_attributes() {
  ++asked_;
  if (unread_ || end_ || position_ < after_dotdot) {
    const DirEntry* const entry = ARTFS_TRY(next());
    if (entry == nullptr || position_ <= after_dotdot) return entry;
    ShownInode shown;
    if (show_inode(core_, entry->ino, shown)) attributes_ = shown.attr;
    return entry;
  }
  if (!ahead_) ahead_ = std::make_unique<Ahead>();
  if (ahead_->is_used_up() || !ahead_->has_attributes) ARTFS_TRY(read_ahead());
  if (ahead_->is_used_up()) {
    attributes_.reset();
    end_ = true;
    return nullptr;
  }
  const ShownInode& shown = ahead_->inodes[ahead_->next];
  const DirEntry* const entry = take_ahead();
  attributes_.reset();
  if (!shown.error) attributes_ = shown.attr;
  return entry;
}

// What is ahead already, and more behind it.
Result<void> DirStreamImpl::read_ahead() {
  Ahead& ahead = *ahead_;
  using Difference = std::vector<Ahead::Name>::difference_type;
  ahead.entries.erase(ahead.entries.begin(),
                      ahead.entries.begin() + static_cast<Difference>(ahead.next));
  ahead.next = 0;
  if (ahead.entries.empty()) ahead.names.clear();
  Result<void> listed;
  const std::int64_t position = position_;
  if (!ahead.entries.empty()) position_ = ahead.entries.back().offset;
  while (ahead.entries.size() < ahead_wanted_ && !ahead.is_at_end) {
    const Result<bool> stepped = step();
    if (!stepped) {
      scan_.reset();
      listed = fail(stepped.error());
      break;
    }
    if (*stepped) {
      add_ahead();
    } else {
      ahead.is_at_end = true;
    }
  }
  position_ = position;
  // The error comes again when what was listed before it is used up.
  if (ahead.entries.empty()) return listed;
  show_ahead();
  return {};
}

void DirStreamImpl::add_ahead() {
  Ahead& ahead = *ahead_;
  ahead.entries.push_back({.off = ahead.names.size(),
                           .bytes = entry_.name.size(),
                           .ino = entry_.ino,
                           .type = entry_.type,
                           .offset = entry_.offset});
  ahead.names.append(entry_.name);
  position_ = entry_.offset;
}

void DirStreamImpl::show_ahead() {
  Ahead& ahead = *ahead_;
  if (ahead.inodes.size() < ahead.entries.size()) ahead.inodes.resize(ahead.entries.size());
  for (std::size_t at = 0; at < ahead.entries.size(); ++at) {
    ahead.inodes[at].attr.ino = ahead.entries[at].ino;
  }
  reader_.read({ahead.inodes.data(), ahead.entries.size()});
  ahead.has_attributes = true;
}

const DirEntry* DirStreamImpl::take_ahead() {
  const Ahead::Name& name = ahead_->entries[ahead_->next++];
  name_.assign(ahead_->names, name.off, name.bytes);
  entry_ = {.name = name_, .ino = name.ino, .type = name.type, .offset = name.offset};
  is_from_ahead_ = true;
  before_ = position_;
  position_ = entry_.offset;
  return &entry_;
}

void DirStreamImpl::forget_attributes() noexcept {
  if (asked_ > 0) ahead_wanted_ = std::clamp(asked_, ahead_min, ahead_max);
  asked_ = 0;
  if (ahead_) ahead_->has_attributes = false;
}

void DirStreamImpl::unread() noexcept {
  if (unread_ || end_ || position_ == 0) return;
  position_ = before_;
  if (is_from_ahead_) {
    --ahead_->next;
    is_from_ahead_ = false;  // it can be stepped back over once
  } else {
    unread_ = true;
  }
}

}  // namespace artfs::vol
