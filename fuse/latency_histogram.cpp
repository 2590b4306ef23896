// SPDX-License-Identifier: Apache-2.0
#include "fuse/latency_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace artfs::fuse {

std::uint64_t LatencyCounts::count() const noexcept {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::uint64_t LatencyCounts::count_up_to(std::uint64_t bound_ns) const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < buckets.size() && latency_bound_ns(i) <= bound_ns; ++i) {
    sum += buckets[i];
  }
  return sum;
}

double LatencyCounts::quantile_ns(double share) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const double rank = std::clamp(share * static_cast<double>(all), 1.0, static_cast<double>(all));
  double before = 0;
  double low = 0;
  for (std::size_t i = 0; i + 1 < buckets.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    const auto high = static_cast<double>(latency_bound_ns(i));
    if (here > 0 && before + here >= rank) return low + (high - low) * (rank - before) / here;
    before += here;
    low = high;
  }
  return low;
}

double LatencyCounts::mean_ns() const noexcept {
  const std::uint64_t all = count();
  return all == 0 ? 0 : static_cast<double>(sum_ns) / static_cast<double>(all);
}

LatencyCounts& LatencyCounts::operator+=(const LatencyCounts& other) noexcept {
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  sum_ns += other.sum_ns;
  return *this;
}

LatencyCounts& LatencyCounts::operator-=(const LatencyCounts& earlier) noexcept {
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] -= std::min(buckets[i], earlier.buckets[i]);
  }
  sum_ns -= std::min(sum_ns, earlier.sum_ns);
  return *this;
}

void LatencyHistogram::read_into(LatencyCounts& out) const noexcept {
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    out.buckets[i] += buckets_[i].load(std::memory_order_relaxed);
  }
  out.sum_ns += sum_ns_.load(std::memory_order_relaxed);
}

}  // namespace artfs::fuse
