// SPDX-License-Identifier: Apache-2.0
// number_entries: gives every entry of a volume of version 1 its number and its record by number.
//
// Contract:   at the first opening that may write; settings.is_numbered stands afterwards, on disk too. In
//             bounded transactions, the settings last: after a crash the next opening starts over, and what
//             was numbered before keeps its number.
// Threading:  nothing else runs.
// Cost:       one scan of the entries, one look-up per entry of a file (which may have several links, and
//             only one entry can have the inode's number).
#pragma once

#include "vol/core.hpp"

namespace artfs::vol {

[[nodiscard]] Result<void> number_entries(Core& core);

}  // namespace artfs::vol
