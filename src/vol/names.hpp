// SPDX-License-Identifier: Apache-2.0
// The operations on names: look up, make, link, remove, rename.
//
// Contract:   as volume.hpp says of the calls of the same names. Removing the last link of an inode
//             that is in use leaves an orphan (orphan.hpp).
// Threading:  any thread; the stripes of the directories and children concerned, rename_mutex first
//             when a directory moves to another directory. The names are looked up without locks,
//             the inodes locked, and the look-up repeated: it starts over when they changed.
#pragma once

#include <string>
#include <string_view>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<Attr> lookup(Core& core, Place place);

// What is made: the type in mode, rdev for devices, the target of a symlink.
struct NewInode {
  std::uint32_t mode = 0;
  std::uint64_t rdev = 0;
  std::string_view target = {};
  bool open = false;  // with one opener
};

// The record of a child of `dir`: umask, and what a setgid directory passes on.
[[nodiscard]] format::Inode new_inode(const format::Inode& dir, const NewInode& what,
                                      const Caller& caller);

[[nodiscard]] Result<Attr> make(Core& core, Place place, const NewInode& what,
                                const Caller& caller);

// An orphan from the start, with one opener, which link() may name.
[[nodiscard]] Result<Attr> make_unnamed(Core& core, Ino dir, std::uint32_t mode,
                                        const Caller& caller);

[[nodiscard]] Result<Attr> link(Core& core, Ino ino, Place place);
[[nodiscard]] Result<void> unlink(Core& core, Place place);
[[nodiscard]] Result<void> rmdir(Core& core, Place place);

struct Renaming {
  Place from;
  Place to;
  RenameFlags flags;
  Caller caller;  // owns the whiteout
};

[[nodiscard]] Result<void> rename(Core& core, const Renaming& what);

}  // namespace artfs::vol
