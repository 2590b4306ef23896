// SPDX-License-Identifier: Apache-2.0
// Histogram: how often each latency was seen, within 3 %, in 4 KiB.
//
// Threading:  one thread at a time.
// Cost:       an addition is a few instructions.
// Source:     the bucket scheme of HdrHistogram: linear inside each power of two.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace artfs::bench {

class Histogram {
 public:
  void add(std::uint64_t ns) noexcept {
    ++counts_[bucket_of(ns)];
    ++total_;
    max_ns_ = std::max(max_ns_, ns);
  }

  void add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

  [[nodiscard]] std::uint64_t max_ns() const noexcept { return max_ns_; }

  // The latency that this part of all (0 to 1) did not exceed; 0 when there were none.
  [[nodiscard]] std::uint64_t quantile_ns(double part) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total_) * part);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return std::min(upper_end_of(i), max_ns_);
    }
    return max_ns_;
  }

 private:
  static constexpr unsigned linear_bits = 5;
  static constexpr std::uint64_t linear = std::uint64_t{1} << linear_bits;
  static constexpr std::size_t powers = 31;  // up to 2^36 ns: a minute

  static std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < linear) return static_cast<std::size_t>(ns);
    const auto power = static_cast<unsigned>(std::bit_width(ns)) - linear_bits;
    const std::uint64_t inside = (ns >> (power - 1)) - linear;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(power * linear + inside, linear * (powers + 1) - 1));
  }

  static std::uint64_t upper_end_of(std::size_t bucket) noexcept {
    if (bucket < linear) return bucket;
    const std::size_t power = bucket / linear;
    return ((bucket % linear + linear + 1) << (power - 1)) - 1;
  }

  std::array<std::uint32_t, linear*(powers + 1)> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace artfs::bench
