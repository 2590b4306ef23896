// SPDX-License-Identifier: Apache-2.0
// Request meter: what every request costs, how it ends, and which are being served right now.
//
// Contract:   begin_request() when the daemon has taken a request from the kernel, end_request() before its reply
//             goes, on the same thread, on any transport; the time between is the request's latency (the
//             kernel's own queue is not in it). Requests without a reply (FORGET and the like) are not
//             timed. Replies that belong to no begun request are ignored. All figures only grow, from the start
//             of the process.
// Threading:  any thread; each writes to a place of its own, which a later thread inherits. Readings take
//             Rank::leaf and need not be of one moment.
// Cost:       two clock readings and some twenty stores to memory of the thread's own; 20 KiB for each thread
//             and 1 KiB for each kind of request that it has served, allocated at the first one.
#pragma once

#include <linux/fuse.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "fuse/access_ring.hpp"
#include "fuse/latency_histogram.hpp"

namespace artfs::fuse {

void begin_request(const fuse_in_header& header) noexcept;
// `error`: errno of the reply, 0 when it is a good one.
void end_request(std::uint64_t unique, int error) noexcept;

struct OperationLatency {
  std::string operation;  // as in request_counts()
  LatencyCounts latency;
};

// Of those that were answered at all, by opcode.
[[nodiscard]] std::vector<OperationLatency> operation_latencies();

struct RequestErrors {
  std::string operation;
  int error = 0;
  std::uint64_t count = 0;
};

// By opcode and errno.
[[nodiscard]] std::vector<RequestErrors> request_errors();

struct RequestInFlight {
  std::uint64_t unique = 0;
  std::uint64_t started_ns = 0;  // monotonic
  std::uint64_t ino = 0;
  std::string operation;
  std::uint32_t uid = 0;
  std::uint32_t pid = 0;
  int thread = 0;  // of the daemon
};

// Oldest first.
[[nodiscard]] std::vector<RequestInFlight> requests_in_flight();

// The last ones that were answered, at most AccessRing::capacity for each thread; oldest first.
[[nodiscard]] std::vector<AccessEntry> recent_requests();

// Whether answered requests are kept for recent_requests(). They are from the start.
void keep_recent_requests(bool keep) noexcept;
[[nodiscard]] bool keeps_recent_requests() noexcept;

}  // namespace artfs::fuse
