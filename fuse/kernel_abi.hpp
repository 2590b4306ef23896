// SPDX-License-Identifier: Apache-2.0
// What the kernel's FUSE protocol has and the distribution's linux/fuse.h (7.38) lacks.
//
// Contract:   numbers and layouts as in the kernel's include/uapi/linux/fuse.h; sizes and offsets are asserted. The
//             structs of STATX stand with their handler (own_opcodes.hpp).
// Source:     FUSE over io_uring: protocol 7.42, Linux 6.14.
#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>

namespace artfs::fuse {

// Bit 41 of INIT's 64 flags, so bit 9 of flags2; those count only with FUSE_INIT_EXT (7.36) among the first 32.
inline constexpr std::uint32_t init_ext = 1U << 30;
inline constexpr std::uint32_t init2_over_io_uring = 1U << (41 - 32);
static_assert(init_ext == FUSE_INIT_EXT);

// Of an IORING_OP_URING_CMD on /dev/fuse.
inline constexpr std::uint32_t ring_command_register = 1;
inline constexpr std::uint32_t ring_command_commit_and_fetch = 2;

// Command data in a submission entry of 128 bytes.
struct RingCommand {
  std::uint64_t flags = 0;
  std::uint64_t commit_id = 0;  // of the request that is answered; 0 when registering
  std::uint16_t queue = 0;
  std::uint8_t padding[6] = {};
};

static_assert(sizeof(RingCommand) == 24 && offsetof(RingCommand, queue) == 16);

// The first of an entry's two areas; the second is the payload.
struct RingHeaders {
  std::byte in_out[128];    // fuse_in_header when it comes, fuse_out_header when it goes
  std::byte argument[128];  // the operation's fixed argument, coming only
  std::uint64_t flags;
  std::uint64_t commit_id;
  std::uint32_t payload_bytes;
  std::uint32_t padding;
  std::uint64_t reserved;
};

static_assert(sizeof(RingHeaders) == 288 && offsetof(RingHeaders, commit_id) == 264 &&
              offsetof(RingHeaders, payload_bytes) == 272);
static_assert(sizeof(fuse_in_header) == 40 && sizeof(fuse_out_header) == 16);

}  // namespace artfs::fuse
