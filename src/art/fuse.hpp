// SPDX-License-Identifier: Apache-2.0
// Joins a node that has a single way on with what it leads to.
//
// Contract:   a node with one edge and no own value goes before its child (unless that is a crossing), a
//             node with an own value and no edge becomes a leaf. Left as it is when the frame has
//             no block for the joined object: such a node is legal, a dense rewrite joins it later.
// Threading:  tree latch exclusive.
// Cost:       one copy of the child.
#pragma once

#include "art/node.hpp"

namespace artfs::art {

void fuse(const Editor& editor, const Node& node, std::size_t slot_off);

}  // namespace artfs::art
