// SPDX-License-Identifier: Apache-2.0
// setattr, readlink, and what writes do to privileges.
//
// Contract:   as volume.hpp. Changes of mode, owner and times are one transaction at once; a new size
//             is accepted like a write and reaches the record with the next flush.
// Threading:  any thread; the stripe of the inode, then its state.
#pragma once

#include <string>

#include "artfs/volume.hpp"

#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<Attr> setattr(Core& core, Ino ino, const SetAttr& changes,
                                   const Caller& caller);
[[nodiscard]] Result<std::string> readlink(Core& core, Ino ino);

// chattr: InodeFlags from and to the record.
[[nodiscard]] Result<InodeFlags> get_flags(Core& core, Ino ino);
[[nodiscard]] Result<void> set_flags(Core& core, Ino ino, InodeFlags flags);

// What goes when the contents or the owner change: file capabilities always; suid, and sgid with group
// execute, unless the caller may keep them. True: something was dropped.
bool drop_privileges(format::Inode& inode, bool keeps_modes);
// As a write does it, in a transaction of its own.
[[nodiscard]] Result<void> drop_privileges_of(Core& core, Ino ino, const Caller& caller);

// What the state keeps of the record beside the contents. The caller holds the stripe, too.
void adopt_attributes(InodeState& state, const format::Inode& inode) ARTFS_REQUIRES(state.mutex);
// The same for a state that is there and loaded, after a commit. Takes its mutex.
void refresh_attributes(Core& core, Ino ino, const format::Inode& inode);

}  // namespace artfs::vol
