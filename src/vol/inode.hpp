// SPDX-License-Identifier: Apache-2.0
// Inode records and directory entries in the volume tree: look up, put, erase, show.
//
// Contract:   reads see the committed tree. What changes a record holds the inode's stripe of
//             InodeLocks from its read to the commit, so that no change is lost.
// Errors:     inode_not_found (detail: the number), entry_not_found, not_a_directory, record_corrupt,
//             name_invalid, name_too_long, and the Store errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "artfs/volume.hpp"

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Timestamp now() noexcept;

// Not empty, not "." or "..", no '/' or NUL, at most 255 bytes.
[[nodiscard]] Result<void> check_name(std::string_view name);

[[nodiscard]] Result<format::Inode> load_inode(const Core& core, Ino ino);
// Also entry_not_found when it was removed (nlink 0): nothing may be made in it any more.
[[nodiscard]] Result<format::Inode> load_live_directory(const Core& core, Ino dir);
[[nodiscard]] Result<std::optional<format::Dirent>> find_entry(const Core& core, Ino dir,
                                                               std::string_view name);
// entry_not_found when absent.
[[nodiscard]] Result<format::Dirent> require_entry(const Core& core, Ino dir,
                                                   std::string_view name);

void put_inode(Core& core, Txn& txn, Ino ino, const format::Inode& inode);
// An entry in both orders, by name and by number. What is put must replace nothing (its number comes from
// first_entry or new_number), replace the entry of its name with the same number, or follow the erasure of
// the entry whose number it takes over.
void put_entry(Core& core, Txn& txn, Place place, const format::Dirent& entry);
// `entry` as it stands.
void erase_entry(Core& core, Txn& txn, Place place, const format::Dirent& entry);
// For an entry of `dir` that no inode is made with.
[[nodiscard]] Result<std::uint64_t> new_number(Core& core, Ino dir);
void count(Core& core, Txn& txn, format::VolumeCounter counter, std::int64_t delta);

// A name was added (entries 1), removed (-1) or replaced (0) in the directory.
void touch_directory(format::Inode& dir, std::int64_t entries, Timestamp time);

// The record and what was accepted since: sizes, times, space. to_attr: the caller holds the stripe
// of the inode since it read or made `inode`, so that no flush moved anything in between.
[[nodiscard]] Attr to_attr(Core& core, Ino ino, const format::Inode& inode);
[[nodiscard]] Result<Attr> attributes(Core& core, Ino ino);
// The two halves of them.
[[nodiscard]] Attr record_attributes(const Core& core, Ino ino, const format::InodeFields& inode,
                                     bool has_xattrs);
void show_pending(const InodeState& state, Attr& attr) ARTFS_REQUIRES(state.mutex);

// What the record says of the bytes, and back.
[[nodiscard]] data::Contents contents_of(const format::Inode& inode);
void set_contents(format::Inode& inode, const data::Contents& contents);

}  // namespace artfs::vol
