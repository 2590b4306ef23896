// SPDX-License-Identifier: Apache-2.0
// Requests that libfuse 3.14 does not know, answered without it: the table of our own opcodes.
//
// Contract:   answer_own() looks at a request as it was read from the kernel. True: its opcode is in the
//             table and it was answered, once; libfuse must not see it. An opcode whose answer has the form of
//             one that libfuse knows needs no row here: kernel_shim.cpp renames it (TMPFILE to CREATE).
//             A new row: a handler from OwnRequest to the bytes behind the fuse_out_header.
// Threading:  runs on the thread that serves the request; on /dev/fuse inside its read, so that libfuse takes
//             the worker for one that waits. So a handler is short: memory and cold reads, no sync, no large change.
// Errors:     a failed Result becomes its errno; a request too short for its argument, EINVAL.
// Source:     linux/fuse.h, protocol 7.39 (STATX); its structs are spelled here, as the header of the
//             distribution is older than the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "fuse/ops.hpp"

namespace artfs::fuse {

// A request of the table. The answer goes to `answer`; its length is returned.
struct OwnRequest {
  Serving& serving;
  Ino node;
  Caller caller;  // without umask: it is not in the header
  std::span<const std::byte> argument;
  std::span<std::byte> answer;
};

inline constexpr std::size_t own_answer_bytes_max = 512;

[[nodiscard]] bool answer_own(int fd, Serving& serving,
                              std::span<const std::byte> request) noexcept;

// What STATX asks and answers.
inline constexpr std::uint32_t opcode_statx = 52;

struct StatxIn {
  std::uint32_t getattr_flags = 0;
  std::uint32_t reserved = 0;
  std::uint64_t fh = 0;
  std::uint32_t sx_flags = 0;
  std::uint32_t sx_mask = 0;
};

static_assert(sizeof(StatxIn) == 24);

struct StatxTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  std::int32_t reserved = 0;
};

struct StatxOut {
  std::uint64_t valid_s = 0;  // how long the kernel may keep the attributes
  std::uint32_t valid_ns = 0;
  std::uint32_t flags = 0;
  std::uint64_t spare[2] = {};
  // fuse_statx from here.
  std::uint32_t mask = 0;
  std::uint32_t block_bytes = 0;
  std::uint64_t attributes = 0;
  std::uint32_t nlink = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t mode = 0;
  std::uint16_t spare0 = 0;
  std::uint64_t ino = 0;
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t attributes_mask = 0;
  StatxTime atime, btime, ctime, mtime;
  std::uint32_t rdev_major = 0;
  std::uint32_t rdev_minor = 0;
  std::uint32_t dev_major = 0;
  std::uint32_t dev_minor = 0;
  std::uint64_t spare2[14] = {};
};

static_assert(sizeof(StatxOut) == 288 && offsetof(StatxOut, mask) == 32 &&
              offsetof(StatxOut, ino) == 64 && offsetof(StatxOut, atime) == 96);
static_assert(sizeof(StatxOut) <= own_answer_bytes_max);

}  // namespace artfs::fuse
