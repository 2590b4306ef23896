// SPDX-License-Identifier: Apache-2.0
#include "vol/dir_stream.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "format/key.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {

std::int64_t name_offset(std::string_view name) noexcept {
  const std::uint64_t hash = base::xxh3_64(base::as_bytes(name)) >> 1;
  return std::max<std::int64_t>(static_cast<std::int64_t>(hash), DirStreamImpl::after_dotdot + 1);
}

void DirStreamImpl::start_after(std::string_view name) {
  scan_.reset();
  scan_start_ = format::dirent_key(dir_, name).view();
  const format::Key prefix = format::dirents_prefix(dir_);
  scan_.emplace(core_.tree.scan({.prefix = prefix, .start_after = scan_start_}));
}

const DirStreamImpl::Seen* DirStreamImpl::find_seen(std::int64_t offset) const noexcept {
  const auto found = std::find_if(window_.rbegin(), window_.rend(),
                                  [&](const Seen& seen) { return seen.offset == offset; });
  return found == window_.rend() ? nullptr : &*found;
}

Result<void> DirStreamImpl::seek(std::int64_t offset) {
  if (offset < 0) return fail(Errc::invalid_argument);
  if (offset == position_ && offset != 0) return {};
  unread_ = false;
  end_ = false;
  position_ = offset;
  if (offset <= after_dot) {
    scan_.reset();
    window_.clear();
    window_bytes_ = 0;
    return {};
  }
  if (offset == after_dotdot) {
    start_after({});
    return {};
  }
  if (const Seen* seen = find_seen(offset)) {
    start_after(seen->name);
    return {};
  }
  return search(offset);
}

Result<void> DirStreamImpl::search(std::int64_t offset) {
  start_after({});
  while (ARTFS_TRY(step_name())) {
    if (entry_.offset == offset) return {};
  }
  end_ = false;
  start_after({});
  return {};
}

void DirStreamImpl::remember() {
  window_.push_back({.offset = entry_.offset, .name = name_});
  window_bytes_ += name_.size();
  while (window_.size() > window_entries_ || window_bytes_ > window_bytes_max) {
    window_bytes_ -= window_.front().name.size();
    window_.pop_front();
  }
}

Result<bool> DirStreamImpl::step_name() {
  if (!ARTFS_TRY(scan_->next())) {
    end_ = true;
    return false;
  }
  const ScanEntry& found = scan_->entry();
  if (found.key.size() <= format::key_name_off) return fail(Errc::record_corrupt, dir_.raw);
  const format::Dirent dirent = ARTFS_TRY(format::decode_dirent(dir_, found.value));
  name_ = found.key.substr(format::key_name_off);
  entry_ = {.name = name_, .ino = dirent.ino, .type = dirent.type, .offset = hash_(name_)};
  return true;
}

Result<const DirEntry*> DirStreamImpl::step() {
  const format::Inode inode = ARTFS_TRY(load_inode(core_, dir_));
  if (!inode.is_directory()) return fail(Errc::not_a_directory, dir_.raw);
  const bool dot = position_ < after_dot;
  entry_ = {.name = dot ? "." : "..",
            .ino = dot ? dir_ : inode.parent,
            .type = format::mode_directory,
            .offset = dot ? after_dot : after_dotdot};
  if (!dot) start_after({});
  return &entry_;
}

Result<const DirEntry*> DirStreamImpl::next() {
  if (unread_) {
    unread_ = false;
    position_ = entry_.offset;
    return &entry_;
  }
  if (end_) return nullptr;
  const std::int64_t before = position_;
  if (!scan_) {
    const DirEntry* entry = ARTFS_TRY(step());
    before_ = before;
    position_ = entry->offset;
    return entry;
  }
  if (!ARTFS_TRY(step_name())) return nullptr;
  before_ = before;
  position_ = entry_.offset;
  remember();
  return &entry_;
}

void DirStreamImpl::unread() noexcept {
  if (unread_ || end_ || position_ == 0) return;
  unread_ = true;
  position_ = before_;
}

}  // namespace artfs::vol
