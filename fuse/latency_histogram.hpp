// SPDX-License-Identifier: Apache-2.0
// Latency histogram: fixed buckets on a logarithmic scale, four to a doubling, from 128 ns to 69 s.
//
// Contract:   bucket 0 holds what took up to 2^7 ns, the last one what took more than 2^36 ns; bucket i what took
//             more than the bound of i - 1 and not more than its own, so that bounds can be Prometheus's `le`.
//             A quantile lies within its bucket: at most an eighth off.
// Threading:  LatencyHistogram: one thread adds, any thread reads; a reading need not be of one moment, but
//             `count` is always the sum of the buckets.
// Cost:       an addition is two loads and two stores; 952 bytes each.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace artfs::fuse {

inline constexpr unsigned latency_first_bit = 7;  // 2^7 ns
inline constexpr unsigned latency_last_bit = 36;  // 2^36 ns
inline constexpr unsigned latency_steps = 4;      // of a doubling
inline constexpr std::size_t latency_buckets =
    (latency_last_bit - latency_first_bit) * latency_steps + 2;

[[nodiscard]] constexpr std::size_t latency_bucket_of(std::uint64_t ns) noexcept {
  const std::uint64_t below = ns == 0 ? 0 : ns - 1;  // upper bounds belong to their bucket
  if (below < std::uint64_t{1} << latency_first_bit) return 0;
  const auto bit = static_cast<unsigned>(std::bit_width(below)) - 1;
  if (bit >= latency_last_bit) return latency_buckets - 1;
  const std::size_t step = (below >> (bit - 2)) % latency_steps;
  return 1 + (bit - latency_first_bit) * latency_steps + step;
}

// Of any bucket but the last one, which has none.
[[nodiscard]] constexpr std::uint64_t latency_bound_ns(std::size_t bucket) noexcept {
  if (bucket == 0) return std::uint64_t{1} << latency_first_bit;
  const std::size_t bit = latency_first_bit + (bucket - 1) / latency_steps;
  const std::uint64_t step = (bucket - 1) % latency_steps;
  return (latency_steps + step + 1) << (bit - 2);
}

// A reading, also sums and differences of some.
struct LatencyCounts {
  std::array<std::uint64_t, latency_buckets> buckets{};
  std::uint64_t sum_ns = 0;

  [[nodiscard]] std::uint64_t count() const noexcept;
  // How many took `bound_ns` or less; exact for the bounds of buckets.
  [[nodiscard]] std::uint64_t count_up_to(std::uint64_t bound_ns) const noexcept;
  // 0 when nothing was counted. `share`: 0.99 for the 99th percentile. In the last bucket: its lower end.
  [[nodiscard]] double quantile_ns(double share) const noexcept;
  [[nodiscard]] double mean_ns() const noexcept;

  LatencyCounts& operator+=(const LatencyCounts& other) noexcept;
  // Of a later reading; what an earlier one has more of counts as nothing.
  LatencyCounts& operator-=(const LatencyCounts& earlier) noexcept;
};

class LatencyHistogram {
 public:
  void add(std::uint64_t ns) noexcept {
    bump(buckets_[latency_bucket_of(ns)], 1);
    bump(sum_ns_, ns);
  }

  void read_into(LatencyCounts& out) const noexcept;

 private:
  // There is one writer, so nothing is lost without a locked instruction.
  static void bump(std::atomic<std::uint64_t>& value, std::uint64_t by) noexcept {
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, latency_buckets> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

}  // namespace artfs::fuse
