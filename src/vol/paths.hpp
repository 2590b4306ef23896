// SPDX-License-Identifier: Apache-2.0
// paths: where inodes stand in the tree of names, for messages.
//
// Contract:   one of the paths of each inode, "/" for the root; an inode without a name, or one whose
//             parents cannot be followed, is left out.
// Threading:  any; names that move meanwhile may give an old path.
// Cost:       one scan of all names, and one of each directory on the way up.
// Errors:     the Store errors.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "vol/core.hpp"

namespace artfs::vol {

using Paths = std::unordered_map<std::uint64_t, std::string>;  // inode number -> path

[[nodiscard]] Result<Paths> find_paths(const Core& core, const std::set<std::uint64_t>& inos);

// "inode 77 (/a/b)", or "inode 77" without a path.
[[nodiscard]] std::string inode_text(const Paths& paths, std::uint64_t ino);

}  // namespace artfs::vol
