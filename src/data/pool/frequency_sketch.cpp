// SPDX-License-Identifier: Apache-2.0
#include "data/pool/frequency_sketch.hpp"

#include <algorithm>
#include <bit>

namespace artfs::data::pool {

namespace {

// Relaxed everywhere: a count is an opinion, nothing is published through it.
constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::size_t counters_per_slot =
    16;  // collisions stay rare at a few times the cache's size
constexpr std::uint64_t touches_per_slot = 10;
constexpr std::uint64_t low_three_bits = 0x7777777777777777;  // of each counter

}  // namespace

FrequencySketch::FrequencySketch(std::size_t slots)
    : words_(
          std::bit_ceil(std::max<std::size_t>(1, slots * counters_per_slot / counters_per_word))),
      sample_(std::max<std::uint64_t>(counters_per_word, slots * touches_per_slot)) {}

// The content hash is uniform: its 128 bits are cut into four words of 32.
std::array<FrequencySketch::Place, FrequencySketch::hashes> FrequencySketch::places_of(
    const base::Hash128& hash) const noexcept {
  const std::array<std::uint64_t, hashes> parts = {hash.low & 0xffffffff, hash.low >> 32,
                                                   hash.high & 0xffffffff, hash.high >> 32};
  std::array<Place, hashes> places{};
  for (std::size_t i = 0; i < hashes; ++i) {
    // Each hash has a quarter of every word to itself, so the four never meet in one counter.
    const std::size_t own = i * (counters_per_word / hashes);
    places[i].word = (parts[i] >> 2) & (words_.size() - 1);
    places[i].shift = static_cast<unsigned>(own + (parts[i] & 3)) * bits;
  }
  return places;
}

void FrequencySketch::increment(Place place) noexcept {
  std::atomic<std::uint64_t>& word = words_[place.word];
  std::uint64_t seen = word.load(relaxed);
  if (((seen >> place.shift) & count_max) == count_max) return;
  // One try: a count lost to a race costs nothing, a loop under contention would.
  word.compare_exchange_strong(seen, seen + (std::uint64_t{1} << place.shift), relaxed);
}

void FrequencySketch::touch(const base::Hash128& hash) noexcept {
  for (const Place place : places_of(hash)) increment(place);
  if (touches_.fetch_add(1, relaxed) + 1 == sample_) halve();
}

unsigned FrequencySketch::estimate(const base::Hash128& hash) const noexcept {
  unsigned least = count_max;
  for (const Place place : places_of(hash)) {
    const std::uint64_t word = words_[place.word].load(relaxed);
    least = std::min(least, static_cast<unsigned>((word >> place.shift) & count_max));
  }
  return least;
}

// By the one thread whose touch reached the sample.
void FrequencySketch::halve() noexcept {
  for (std::atomic<std::uint64_t>& word : words_) {
    std::uint64_t seen = word.load(relaxed);
    while (!word.compare_exchange_weak(seen, (seen >> 1) & low_three_bits, relaxed)) {
    }
  }
  touches_.store(sample_ / 2, relaxed);
  halvings_.fetch_add(1, relaxed);
}

}  // namespace artfs::data::pool
