// SPDX-License-Identifier: Apache-2.0
// The files of the suite: each adds its groups.
//
// Contract:   a group leaves nothing open and the process as it found it (user, umask, directory).
// Threading:  as Suite.
#pragma once

#include <vector>

#include "posix/suite.hpp"

namespace artfs::posix {

void path_groups(std::vector<Group>& groups);
void name_groups(std::vector<Group>& groups);
void rename_groups(std::vector<Group>& groups);
void open_groups(std::vector<Group>& groups);
void time_groups(std::vector<Group>& groups);
void right_groups(std::vector<Group>& groups);
void privilege_groups(std::vector<Group>& groups);
void byte_groups(std::vector<Group>& groups);
void directory_groups(std::vector<Group>& groups);
void xattr_groups(std::vector<Group>& groups);
void lock_groups(std::vector<Group>& groups);

}  // namespace artfs::posix
