// SPDX-License-Identifier: Apache-2.0
#include "frame/look.hpp"

#include <memory>

#include "frame/cache_core.hpp"

namespace artfs::frame {

struct Look::Reading {
  Reading(Pin kept, sync::Latch& latch) noexcept : pin(std::move(kept)), shared(latch) {}

  Pin pin;
  sync::SharedGuard shared;
};

// Empty when the resident does not serve the frame.
Look::Look(Resident& resident, FrameId id) noexcept {
  sync::Latch& latch = resident.latch;
  for (;;) {
    // The version first: what is read after it is at least as new (see resident.hpp).
    const std::uint64_t version = latch.version();
    const std::uint64_t state = resident.state.load(std::memory_order_acquire);
    const bool is_there = (state & Resident::unavailable) == 0 &&
                          resident.id.load(std::memory_order_relaxed) == id.raw;
    if (!is_there) return;
    if ((version & 1U) != 0) {
      // Being changed: wait for that writer, with the patience and the fairness of the latch. The resident
      // may serve another frame by then.
      const sync::SharedGuard wait(latch);
      continue;
    }
    bytes_ = resident.bytes.load(std::memory_order_relaxed);
    // Vacated between the loads.
    if (bytes_ == nullptr) return;
    if ((state & Resident::referenced) == 0) {
      resident.state.fetch_or(Resident::referenced, std::memory_order_relaxed);
    }
    latch_ = &latch;
    version_ = version;
    id_ = id;
    resident_ = &resident;
    if constexpr (sync::thread_sanitizer) {
      if (begin_reading()) return;
      resident_ = nullptr;
      continue;
    }
    return;
  }
}

Pin Look::pin() const noexcept {
  if (resident_ == nullptr || !resident_->try_pin(id_)) return {};
  return resident_->owner.pin_of(*resident_);
}

bool Look::begin_reading() noexcept {
  Pin kept = pin();
  if (!kept) return false;
  auto reading = std::make_unique<Reading>(std::move(kept), resident_->latch);
  if (!valid()) return false;
  reading_ = reading.release();
  return true;
}

void Look::end_reading() noexcept {
  const std::unique_ptr<Reading> ended(std::exchange(reading_, nullptr));
}

}  // namespace artfs::frame
