// SPDX-License-Identifier: Apache-2.0
// HitCounter: a sum that many threads add to without sharing a cache line.
//
// Contract:   add_one() adds exactly one; sum() is what was added before it began, and perhaps more.
//             A thread has a place of its own in all counters of the process and gives it back when it ends.
// Threading:  any thread, never blocks. Threads beyond the places share the last one.
// Cost:       add_one: a load and a store, no read-modify-write on a place of one's own. 4 KiB.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace artfs::frame {

class HitCounter {
 public:
  void add_one() noexcept {
    const std::size_t place = my_place();
    std::atomic<std::uint64_t>& count = places_[place].count;
    if (place == shared_place) {
      count.fetch_add(1, std::memory_order_relaxed);
    } else {
      count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] std::uint64_t sum() const noexcept {
    std::uint64_t all = 0;
    for (const Place& place : places_) all += place.count.load(std::memory_order_relaxed);
    return all;
  }

 private:
  static constexpr std::size_t cache_line_bytes = 64;
  static constexpr std::size_t shared_place = 63;

  struct alignas(cache_line_bytes) Place {
    std::atomic<std::uint64_t> count{0};
  };

  // 0 is "not asked yet": a plain thread-local number needs no guard on the way in.
  [[nodiscard]] static std::size_t my_place() noexcept {
    thread_local constinit std::size_t mine = 0;
    if (mine == 0) mine = take_place();
    return mine;
  }

  [[nodiscard]] static std::size_t take_place() noexcept;

  std::array<Place, shared_place + 1> places_;
};

}  // namespace artfs::frame
