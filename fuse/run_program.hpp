// SPDX-License-Identifier: Apache-2.0
// run_program: runs another program and waits for its end.
//
// Contract:   words[0] is looked up in PATH unless it has a slash. Standard streams are ours.
// Threading:  any; signals do not end the wait.
// Errors:     -1 when it cannot be started or was killed; else its exit status.
#pragma once

#include <string>
#include <vector>

namespace artfs::fuse {

[[nodiscard]] int run_program(std::vector<std::string> words);

}  // namespace artfs::fuse
