// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fuse/uring_transport.hpp"

namespace artfs::fuse {

namespace {

// Up to 8 requests of a core at once, as long as that is not more than 64 threads: what the largest
// request leaves in the memory of each adds up.
constexpr unsigned lanes_max = 8;
constexpr unsigned threads_default = 64;

unsigned lanes_of(unsigned cores, unsigned threads) noexcept {
  if (threads != 0) return std::max(1U, (threads + cores - 1) / cores);
  return std::clamp(threads_default / cores, 2U, lanes_max);
}

}  // namespace

std::vector<RingPlace> plan_ring(unsigned queues, const std::vector<bool>& online,
                                 unsigned threads) {
  const auto is_online = [&](unsigned queue) { return queue < online.size() && online[queue]; };
  unsigned cores = 0;
  for (unsigned queue = 0; queue < queues; ++queue) {
    if (is_online(queue)) ++cores;
  }
  const unsigned lanes = lanes_of(std::max(cores, 1U), threads);
  std::vector<RingPlace> places;
  RingPlace spare;
  for (unsigned queue = 0; queue < queues; ++queue) {
    const auto id = static_cast<std::uint16_t>(queue);
    if (!is_online(queue)) {
      spare.queues.push_back(id);
      continue;
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
      places.push_back({.queues = {id}, .core = static_cast<int>(queue), .is_first = lane == 0});
    }
  }
  if (!spare.queues.empty()) places.push_back(std::move(spare));
  return places;
}

}  // namespace artfs::fuse
