// SPDX-License-Identifier: Apache-2.0
#include "vol/show.hpp"

#include <algorithm>

#include "format/key.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {

namespace {

void fill_in(const Core& core, Ino ino, const format::InodeView& inode, ShownInode& out) {
  out.attr = record_attributes(core, ino, inode, inode.has_small_xattrs || inode.large_xattrs != 0);
  out.entries = inode.is_directory() ? inode.size : 0;
  out.target.assign(inode.is_symlink() ? inode.body : std::string_view());
  out.error.reset();
}

Result<void> read_record(const Core& core, Ino ino, ShownInode& out) {
  thread_local std::string record;
  if (!ino) return fail(Errc::inode_not_found);
  const Result<Version> found = core.tree.get_into(format::inode_key(ino), record);
  if (!found) {
    if (found.error().code == Errc::key_not_found) return fail(Errc::inode_not_found, ino.raw);
    return fail(found.error());
  }
  fill_in(core, ino, ARTFS_TRY(format::decode_inode_view(ino, record)), out);
  return {};
}

void set_error(Ino ino, Error error, ShownInode& out) {
  out.attr = {};
  out.attr.ino = ino;
  out.entries = 0;
  out.target.clear();
  out.error = error;
}

}  // namespace

Result<void> show_inode(Core& core, Ino ino, ShownInode& out) {
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return read_record(core, ino, out);
  const base::MutexLock lock(state->mutex);
  ARTFS_TRY(read_record(core, ino, out));
  show_pending(*state, out.attr);
  return {};
}

void ShowReader::read(std::span<ShownInode> inodes) {
  sort(inodes);
  if (!core_.read_only()) find_open();
  for (std::size_t first = 0; first < wanted_.size();) {
    const std::size_t end = wanted_[first].is_open ? first + 1 : run_end(first);
    if (end - first > 1) {
      read_run(first, end, inodes);
    } else {
      read_one(wanted_[first], inodes);
    }
    first = end;
  }
}

void ShowReader::sort(std::span<const ShownInode> inodes) {
  wanted_.clear();
  for (std::size_t at = 0; at < inodes.size(); ++at) {
    wanted_.push_back(
        {.ino = inodes[at].attr.ino.raw, .at = static_cast<std::uint32_t>(at), .is_open = false});
  }
  const auto is_before = [](const Wanted& left, const Wanted& right) {
    return left.ino < right.ino;
  };
  if (!std::is_sorted(wanted_.begin(), wanted_.end(), is_before)) {
    std::sort(wanted_.begin(), wanted_.end(), is_before);
  }
}

// All states before the first record.
void ShowReader::find_open() {
  if (core_.open.size() == 0) return;
  for (Wanted& wanted : wanted_)
    wanted.is_open = static_cast<bool>(core_.open.find(Ino{wanted.ino}));
}

std::size_t ShowReader::run_end(std::size_t first) const noexcept {
  std::size_t end = first + 1;
  while (end < wanted_.size() && wanted_[end].ino - wanted_[end - 1].ino <= gap_max) ++end;
  while (wanted_[end - 1].is_open) --end;  // `first` is not
  return end;
}

void ShowReader::read_run(std::size_t first, std::size_t end, std::span<ShownInode> inodes) {
  const std::uint64_t low = wanted_[first].ino;
  const std::uint64_t high = wanted_[end - 1].ino;
  const format::Key after = format::inode_key(Ino{low - 1});
  Scan scan = core_.tree.scan(
      {.prefix = format::inodes_class, .start_after = after, .limit = high - low + 1});
  std::size_t next = first;
  while (next < end) {
    const Result<bool> stepped = scan.next();
    if (!stepped || !*stepped) break;
    const auto key = format::parse_key(scan.entry().key);
    if (!key || key->ino.raw > high) break;
    for (; next < end && wanted_[next].ino <= key->ino.raw; ++next) {
      const Wanted& wanted = wanted_[next];
      if (wanted.is_open || wanted.ino != key->ino.raw) {
        read_one(wanted, inodes);  // the one has something newer, the other no record here
        continue;
      }
      const Result<format::InodeView> inode =
          format::decode_inode_view(key->ino, scan.entry().value);
      ShownInode& out = inodes[wanted.at];
      if (inode) {
        fill_in(core_, key->ino, *inode, out);
      } else {
        set_error(key->ino, inode.error(), out);
      }
    }
  }
  // A frame that cannot be read: each by itself, for some may stand in another.
  for (; next < end; ++next) read_one(wanted_[next], inodes);
}

void ShowReader::read_one(const Wanted& wanted, std::span<ShownInode> inodes) {
  ShownInode& out = inodes[wanted.at];
  const Result<void> shown = show_inode(core_, Ino{wanted.ino}, out);
  if (!shown) set_error(Ino{wanted.ino}, shown.error(), out);
}

}  // namespace artfs::vol
