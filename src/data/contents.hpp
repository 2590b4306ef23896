// SPDX-License-Identifier: Apache-2.0
// Contents: what an inode record says of a file's bytes.
//
// Contract:   a value. With is_inline the bytes are inline_bytes (its size is `size`); otherwise they
//             are in the blocks named by the extent runs of the inode, holes read as zeros. `units`
//             may be non-zero for an inline file: fallocate with keep_size put space behind it.
#pragma once

#include <cstdint>
#include <string>

#include "artfs/types.hpp"

namespace artfs::data {

inline constexpr std::uint64_t unit_bytes = 4 * kib;  // allocation unit of blocks.dat

struct Contents {
  std::uint64_t size = 0;   // bytes
  std::uint64_t units = 0;  // allocated, 4 KiB each; st_blocks is 8 per unit
  bool is_inline = true;
  std::string inline_bytes;

  friend bool operator==(const Contents&, const Contents&) = default;
};

}  // namespace artfs::data
