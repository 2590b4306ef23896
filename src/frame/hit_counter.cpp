// SPDX-License-Identifier: Apache-2.0
#include "frame/hit_counter.hpp"

#include <bit>

namespace artfs::frame {

namespace {

// Bit n: place n is free. Place 0 stands for none, the last one is the shared one: never free.
constinit std::atomic<std::uint64_t> free_places{~(std::uint64_t{1} | std::uint64_t{1} << 63U)};

class PlaceOfThread {
 public:
  explicit PlaceOfThread(std::size_t shared) noexcept : place_(shared), shared_(shared) {
    std::uint64_t free = free_places.load(std::memory_order_relaxed);
    while (free != 0) {
      const auto place = static_cast<std::size_t>(std::countr_zero(free));
      // acquire: pairs with the release of the thread that had it, whose last count we go on from.
      if (free_places.compare_exchange_weak(free, free & ~(std::uint64_t{1} << place),
                                            std::memory_order_acquire, std::memory_order_relaxed)) {
        place_ = place;
        return;
      }
    }
  }

  PlaceOfThread(const PlaceOfThread&) = delete;
  PlaceOfThread& operator=(const PlaceOfThread&) = delete;

  ~PlaceOfThread() {
    if (place_ != shared_) {
      free_places.fetch_or(std::uint64_t{1} << place_, std::memory_order_release);
    }
  }

  [[nodiscard]] std::size_t place() const noexcept { return place_; }

 private:
  std::size_t place_;
  std::size_t shared_;
};

}  // namespace

std::size_t HitCounter::take_place() noexcept {
  thread_local const PlaceOfThread mine(shared_place);
  return mine.place();
}

}  // namespace artfs::frame
