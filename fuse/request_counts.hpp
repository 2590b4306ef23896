// SPDX-License-Identifier: Apache-2.0
// Requests of the kernel, counted by opcode: what an application's call costs in round trips.
//
// Contract:   count_request() for each request as it comes, on any transport. The counts only grow, from the
//             start of the process.
// Threading:  any thread; relaxed, so a reading is not of one moment.
// Cost:       one atomic addition; 64 counters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace artfs::fuse {

void count_request(std::uint32_t opcode) noexcept;

// Of all opcodes: stands still when the kernel has no more to send.
[[nodiscard]] std::uint64_t requests_read() noexcept;

// As in linux/fuse.h, lower case: "lookup"; "opcode_N" for those it does not name.
[[nodiscard]] std::string operation_name(std::uint32_t opcode);

struct RequestCount {
  std::string name;  // operation_name()
  std::uint64_t count = 0;
};

[[nodiscard]] std::uint64_t requests_read(std::uint32_t opcode) noexcept;

// Those that came at all, by opcode.
[[nodiscard]] std::vector<RequestCount> request_counts();

}  // namespace artfs::fuse
