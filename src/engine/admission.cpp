// SPDX-License-Identifier: Apache-2.0
// Admission: what a change waits for before it takes any lock: room among the dirty frames, and room
// in the log. Reads that find no frame to evict wait here too.
#include <algorithm>

#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

// Checkpoints start when half of the frames cannot be evicted, and writers wait at three quarters:
// the rest is for reads, for frames of changes already admitted, and for images of frozen pages.
constexpr std::uint64_t pressure_start_percent = 50;
constexpr std::uint64_t pressure_wait_percent = 75;
// Rounds a writer waits for room before it gives up. Each is a whole checkpoint: far above need.
constexpr unsigned admission_rounds_max = 64;
constexpr unsigned log_rounds_max = 4;

}  // namespace

Result<void> StoreImpl::admit() {
  if (planner_ == nullptr) return {};
  const std::uint64_t budget_bytes = cache_->budget_bytes();
  for (unsigned round = 0;; ++round) {
    const std::uint64_t held_bytes = cache_->unevictable_bytes();
    // What an earlier run logged was checkpointed or replayed; LSNs between the runs are no work.
    const std::uint64_t log_start = std::max(checkpoint_writer_->cut(), opened_at_).raw;
    if (held_bytes * 100 >= budget_bytes * pressure_start_percent ||
        log_->end().raw >= log_start + options_.checkpoint_log_bytes) {
      planner_->kick();
    }
    if (held_bytes * 100 < budget_bytes * pressure_wait_percent) return {};
    if (round == admission_rounds_max) return fail(Errc::cache_exhausted);
    ARTFS_TRY(planner_->wait_for_attempt());
  }
}

Result<wal::Log::Reserve> StoreImpl::reserve_log(std::size_t payload_bytes) {
  for (unsigned round = 0;; ++round) {
    Result<wal::Log::Reserve> reserve = log_->reserve(payload_bytes);
    if (reserve) return reserve;
    const Errc code = reserve.error().code;
    if (code == Errc::io_failed) {
      stop(reserve.error());
      return reserve;
    }
    if ((code != Errc::log_full && code != Errc::no_space) || round == log_rounds_max) {
      return reserve;
    }
    // A cut recycles segments: room under the bound, and without asking the device for space.
    ARTFS_TRY(planner_->wait_for_attempt());
  }
}

Result<void> StoreImpl::relieve() {
  if (planner_ == nullptr) return fail(Errc::cache_exhausted);
  return planner_->wait_for_attempt();
}

}  // namespace artfs::engine
