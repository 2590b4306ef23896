// SPDX-License-Identifier: Apache-2.0
// FrequencySketch: about how often a hash was seen lately, in four bits per counter.
//
// Contract:   estimate() is at least the number of touches since the last halvings halved it, up to 15, but
//             for collisions (more) and touches that raced on one word (fewer). When `sample` touches have
//             been counted every counter is halved, so that what was popular long ago is forgotten.
// Threading:  any thread, no lock; touches are made after the pool's lock was released.
// Cost:       touch: four counters in four words; 8 bytes per 16 counters, 16 counters per slot.
// Source:     TinyLFU (Einziger, Friedman, Manes 2017); Caffeine's FrequencySketch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/checksum.hpp"

namespace artfs::data::pool {

class FrequencySketch {
 public:
  static constexpr unsigned count_max = 15;

  // For so many distinct hashes in the cache.
  explicit FrequencySketch(std::size_t slots);

  void touch(const base::Hash128& hash) noexcept;
  [[nodiscard]] unsigned estimate(const base::Hash128& hash) const noexcept;

  // Touches between two halvings.
  [[nodiscard]] std::uint64_t sample() const noexcept { return sample_; }

  [[nodiscard]] std::uint64_t halvings() const noexcept {
    return halvings_.load(std::memory_order_relaxed);  // a counter; orders nothing
  }

 private:
  static constexpr std::size_t hashes = 4;
  static constexpr unsigned bits = 4;
  static constexpr std::size_t counters_per_word = 64 / bits;

  struct Place {
    std::size_t word = 0;
    unsigned shift = 0;
  };

  [[nodiscard]] std::array<Place, hashes> places_of(const base::Hash128& hash) const noexcept;
  void increment(Place place) noexcept;
  void halve() noexcept;

  std::vector<std::atomic<std::uint64_t>> words_;
  const std::uint64_t sample_;
  std::atomic<std::uint64_t> touches_{0};
  std::atomic<std::uint64_t> halvings_{0};
};

}  // namespace artfs::data::pool
