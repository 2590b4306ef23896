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

// suid, sgid (with group execute) and file capabilities go when somebody without the privilege to
// keep them writes, truncates or changes the owner. True: something was dropped.
bool drop_privileges(format::Inode& inode);
// As a write does it, in a transaction of its own; most files have nothing to drop.
[[nodiscard]] Result<void> drop_privileges_of(Core& core, Ino ino);

}  // namespace artfs::vol
