// SPDX-License-Identifier: Apache-2.0
#include "posix/groups.hpp"

namespace artfs::posix {

std::vector<Group> all_groups() {
  std::vector<Group> groups;
  for (const auto add :
       {path_groups, name_groups, rename_groups, open_groups, time_groups, right_groups,
        privilege_groups, byte_groups, directory_groups, xattr_groups, lock_groups}) {
    add(groups);
  }
  return groups;
}

}  // namespace artfs::posix
