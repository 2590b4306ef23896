// SPDX-License-Identifier: Apache-2.0
// What we ask of the kernel at INIT.
//
// Contract:   called once, from the init callback; changes only `connection`.
#pragma once

#include "fuse/lowlevel.hpp"

namespace artfs::fuse {

// The largest WRITE and, by the page count that follows from it, the largest READ and READDIR.
inline constexpr unsigned request_bytes_max = 1u << 20;

void negotiate(fuse_conn_info& connection, bool keeps_acls) noexcept;

}  // namespace artfs::fuse
