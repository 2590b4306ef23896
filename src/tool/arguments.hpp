// SPDX-License-Identifier: Apache-2.0
// The command line as CLI11 gets it, whatever name the program was called by.
//
// Contract:   mkfs.artfs, fsck.artfs and mount.artfs are links to the program; their arguments become
//             those of the subcommand. mount(8) passes its helper flags of its own, which differ from
//             ours (-f is "fake", not foreground).
#pragma once

#include <span>
#include <string>
#include <vector>

namespace artfs::tool {

// Without the program's name; first the subcommand.
[[nodiscard]] std::vector<std::string> arguments_of(std::span<char* const> argv);

}  // namespace artfs::tool
