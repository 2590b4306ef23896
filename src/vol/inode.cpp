// SPDX-License-Identifier: Apache-2.0
#include "vol/inode.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "format/key.hpp"
#include "vol/show.hpp"

namespace artfs::vol {
namespace {

constexpr std::uint64_t dirent_size_shown = 32;  // bytes per entry in a directory's st_size
constexpr std::uint64_t directory_size_step = 4096;

// Grows and shrinks with the entries in whole pages, as people expect of a directory.
std::uint64_t directory_size(std::uint64_t entries) {
  const std::uint64_t bytes = entries * dirent_size_shown;
  const std::uint64_t pages = (bytes + directory_size_step - 1) / directory_size_step;
  return std::max<std::uint64_t>(pages, 1) * directory_size_step;
}

// Contents that stand in the record take no unit, but programs (tar, cp) take a file without blocks
// for one hole and do not read it.
std::uint64_t blocks_shown(std::uint64_t units, bool is_inline, std::uint64_t size) {
  if (units > 0 || !is_inline) return units * (data::unit_bytes / 512);
  return (std::min(size, data::unit_bytes) + 511) / 512;
}

}  // namespace

Timestamp now() noexcept {
  const base::WallTime time = base::wall_clock();
  return {time.seconds, time.nanoseconds};
}

Result<void> check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return fail(Errc::name_invalid);
  if (name.find('/') != name.npos || name.find('\0') != name.npos) return fail(Errc::name_invalid);
  if (name.size() > name_bytes_max) return fail(Errc::name_too_long, name.size());
  return {};
}

Result<format::Inode> load_inode(const Core& core, Ino ino) {
  if (!ino) return fail(Errc::inode_not_found);
  const Result<Record> record = core.tree.get(format::inode_key(ino));
  if (!record) {
    if (record.error().code == Errc::key_not_found) return fail(Errc::inode_not_found, ino.raw);
    return fail(record.error());
  }
  return format::decode_inode(ino, record->value);
}

Result<format::Inode> load_live_directory(const Core& core, Ino dir) {
  format::Inode inode = ARTFS_TRY(load_inode(core, dir));
  if (!inode.is_directory()) return fail(Errc::not_a_directory, dir.raw);
  if (inode.nlink == 0) return fail(Errc::entry_not_found, dir.raw);
  return inode;
}

Result<std::optional<format::Dirent>> find_entry(const Core& core, Ino dir, std::string_view name) {
  const Result<Record> record = core.tree.get(format::dirent_key(dir, name));
  if (!record) {
    if (record.error().code == Errc::key_not_found) return std::optional<format::Dirent>{};
    return fail(record.error());
  }
  return std::optional(ARTFS_TRY(format::decode_dirent(dir, record->value)));
}

Result<format::Dirent> require_entry(const Core& core, Ino dir, std::string_view name) {
  const std::optional<format::Dirent> entry = ARTFS_TRY(find_entry(core, dir, name));
  if (!entry) return fail(Errc::entry_not_found);
  return *entry;
}

void put_inode(Core& core, Txn& txn, Ino ino, const format::Inode& inode) {
  std::string record;
  format::encode(inode, record);
  txn.put(core.tree, format::inode_key(ino), record);
}

void put_entry(Core& core, Txn& txn, Place place, const format::Dirent& entry) {
  txn.put(core.tree, format::dirent_key(place.parent, place.name), format::encode(entry));
  txn.put(core.tree, format::number_key(place.parent, entry.number),
          format::encode_by_number({.dirent = entry, .name = place.name}));
}

void erase_entry(Core& core, Txn& txn, Place place, const format::Dirent& entry) {
  txn.erase(core.tree, format::dirent_key(place.parent, place.name));
  txn.erase(core.tree, format::number_key(place.parent, entry.number));
}

Result<std::uint64_t> new_number(Core& core, Ino dir) {
  return ARTFS_TRY(core.inos->allocate(dir)).raw;
}

void count(Core& core, Txn& txn, format::VolumeCounter counter, std::int64_t delta) {
  txn.add(core.tree, format::index_of(counter), delta);
}

void touch_directory(format::Inode& dir, std::int64_t entries, Timestamp time) {
  dir.size += static_cast<std::uint64_t>(entries);  // two's complement: -1 subtracts
  dir.mtime = time;
  dir.ctime = time;
}

Attr record_attributes(const Core& core, Ino ino, const format::InodeFields& inode,
                       bool has_xattrs) {
  return {.ino = ino,
          .mode = inode.mode,
          .nlink = inode.nlink,
          .uid = inode.uid,
          .gid = inode.gid,
          .rdev = inode.rdev,
          .size = inode.is_directory() ? directory_size(inode.size) : inode.size,
          .blocks_512 =
              blocks_shown(inode.units, inode.contents == format::Contents::in_record, inode.size),
          .block_bytes = core.settings.block_bytes,
          .atime = inode.atime,
          .mtime = inode.mtime,
          .ctime = inode.ctime,
          .btime = inode.btime,
          .has_xattrs = has_xattrs};
}

void show_pending(const InodeState& state, Attr& attr) {
  if (state.pending.atime) attr.atime = *state.pending.atime;
  if (state.pending.mtime) attr.mtime = *state.pending.mtime;
  if (state.pending.ctime) attr.ctime = std::max(attr.ctime, *state.pending.ctime);
  if (state.buffer.empty()) return;
  attr.size = state.buffer.size(state.contents);
  attr.blocks_512 =
      blocks_shown(state.buffer.units(state.contents), state.contents.is_inline, attr.size);
}

Attr to_attr(Core& core, Ino ino, const format::Inode& inode) {
  Attr attr = record_attributes(core, ino, inode, !inode.xattrs.empty() || inode.large_xattrs != 0);
  const OpenInodes::Ref state = core.open.find(ino);
  if (!state) return attr;
  const base::MutexLock lock(state->mutex);
  show_pending(*state, attr);
  return attr;
}

Result<Attr> attributes(Core& core, Ino ino) {
  ShownInode shown;
  ARTFS_TRY(show_inode(core, ino, shown));
  return shown.attr;
}

data::Contents contents_of(const format::Inode& inode) {
  return {
      .size = inode.size,
      .units = inode.units,
      .is_inline = inode.contents != format::Contents::extents,
      .inline_bytes = inode.contents == format::Contents::in_record ? inode.body : std::string{}};
}

void set_contents(format::Inode& inode, const data::Contents& contents) {
  inode.size = contents.size;
  inode.units = contents.units;
  inode.contents = contents.is_inline ? format::Contents::in_record : format::Contents::extents;
  inode.body = contents.is_inline ? contents.inline_bytes : std::string{};
}

}  // namespace artfs::vol
