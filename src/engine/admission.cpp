// SPDX-License-Identifier: Apache-2.0
// Admission: what a change waits for before it takes any lock: room among the dirty frames, and room
// in the log. Reads that find no frame to evict wait here too.
#include <algorithm>
#include <thread>

#include "base/clock.hpp"
#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

// Pressure begins when half of the frames cannot be evicted and memory is filling up: a checkpoint starts.
// At three quarters in full memory writers wait: the rest is for reads, for frames of changes already
// admitted, and for images of frozen pages. A store that fits, all of it dirty, is under no pressure.
constexpr std::uint64_t held_start_percent = 50;
constexpr std::uint64_t held_stop_percent = 75;
constexpr std::uint64_t memory_start_percent = 75;
constexpr std::uint64_t memory_stop_percent = 90;
// A writer pays for what it adds to a resource that runs short, with the square of how far that is: the room
// left then lasts delay_share / 3 times as long as the last checkpoint worked, so that the next one is done
// before anybody has to stop. Memory: from half of memory_pressure() on. Log: from a quarter of the way
// between what starts a checkpoint and the log's bound.
constexpr unsigned delay_start_percent = 50;
constexpr std::uint64_t log_stop_bytes = wal::log_bytes_max - 2 * format::log_segment_bytes;
constexpr double delay_share = 4;
constexpr std::uint64_t delay_ns_max = 20'000'000;  // of one change
// What is owed is gathered up to this: shorter sleeps cost more in timers and switches than they give.
constexpr std::uint64_t delay_ns_min = 200'000;
// What changes already admitted may add to the dirt, beyond what is known of; on a full device less will do,
// since each change asks.
constexpr std::uint64_t dirt_ahead_bytes = checkpoint::checkpoint_room_least;
constexpr std::uint64_t dirt_ahead_bytes_min = mib;
// For the changes that erase: each leads to room for thousands of records. An update of a record in a nearly
// full frame asks for up to three that it will hardly take.
constexpr std::size_t frames_kept = 8;
constexpr std::uint64_t frames_plenty_bytes = gib;
// Rounds a writer waits for room before it gives up. Each is a whole checkpoint: far above need.
constexpr unsigned admission_rounds_max = 64;
constexpr unsigned log_rounds_max = 4;

// 0 at `low`, 100 at `high`.
[[nodiscard]] std::uint64_t percent_between(std::uint64_t value, std::uint64_t low,
                                            std::uint64_t high) noexcept {
  if (value <= low) return 0;
  return value >= high ? 100 : (value - low) * 100 / (high - low);
}

}  // namespace

// What an earlier run logged was checkpointed or replayed; LSNs between the runs are no work.
std::uint64_t StoreImpl::log_bytes_since_cut() const noexcept {
  const Lsn start = std::max(checkpoint_writer_->cut(), opened_at_);
  const Lsn end = log_->end();
  return end > start ? end.raw - start.raw : 0;
}

unsigned StoreImpl::memory_pressure(std::uint64_t held_bytes) const noexcept {
  const std::uint64_t percent_bytes = cache_->budget_bytes() / 100;
  if (held_bytes < held_start_percent * percent_bytes) return 0;
  const std::uint64_t by_held = percent_between(held_bytes, held_start_percent * percent_bytes,
                                                held_stop_percent * percent_bytes);
  const std::uint64_t by_memory =
      percent_between(cache_->stats().resident_bytes, memory_start_percent * percent_bytes,
                      memory_stop_percent * percent_bytes);
  return static_cast<unsigned>(std::min(by_held, by_memory));
}

// A running checkpoint is paced until the log has grown by half as much again as started it, and at most
// half way to its bound.
unsigned StoreImpl::checkpoint_pressure() const noexcept {
  // Replay waits for its checkpoints, and so does whoever is slowed down.
  if (log_ == nullptr || memory_pressure(cache_->unevictable_bytes()) > 0) return 100;
  const std::uint64_t start_bytes = options_.checkpoint_log_bytes;
  const std::uint64_t haste_bytes =
      std::min(start_bytes + start_bytes / 2, (start_bytes + wal::log_bytes_max) / 2);
  return static_cast<unsigned>(percent_between(log_bytes_since_cut(), start_bytes, haste_bytes));
}

double StoreImpl::Meter::owed_share(std::uint64_t level, std::uint64_t low,
                                    std::uint64_t high) noexcept {
  const std::uint64_t before = seen.exchange(level, std::memory_order_relaxed);
  // Who adds nothing takes nothing away: changes of frames that are dirty already are free.
  if (level <= before || level <= low) return 0;
  const auto room = static_cast<double>(high - low);
  const double height = std::min(static_cast<double>(level - low) / room, 1.0);
  return static_cast<double>(level - before) / room * height * height;
}

void StoreImpl::slow_down(std::uint64_t held_bytes, unsigned pressure) {
  double share = 0;
  if (pressure >= delay_start_percent) {
    const std::uint64_t percent_bytes = cache_->budget_bytes() / 100;
    const std::uint64_t low = (held_start_percent + held_stop_percent) / 2 * percent_bytes;
    share += held_meter_.owed_share(held_bytes, low, held_stop_percent * percent_bytes);
  }
  const std::uint64_t log_bytes = log_bytes_since_cut();
  const std::uint64_t log_low =
      options_.checkpoint_log_bytes + (log_stop_bytes - options_.checkpoint_log_bytes) / 4;
  if (log_bytes > log_low) share += log_meter_.owed_share(log_bytes, log_low, log_stop_bytes);
  if (share == 0) return;
  const auto work_ns = static_cast<double>(checkpoint_writer_->last_work_ns());
  const auto owed_ns = static_cast<std::uint64_t>(work_ns * delay_share * share);
  if (owed_delay_ns_.fetch_add(owed_ns, std::memory_order_relaxed) + owed_ns < delay_ns_min) return;
  const std::uint64_t delay_ns =
      std::min(owed_delay_ns_.exchange(0, std::memory_order_relaxed), delay_ns_max);
  const std::uint64_t began_ns = base::now_ns();
  std::this_thread::sleep_for(std::chrono::nanoseconds(delay_ns));
  delays_.fetch_add(1, std::memory_order_relaxed);
  delayed_ns_.fetch_add(base::now_ns() - began_ns, std::memory_order_relaxed);
}

Result<void> StoreImpl::admit() {
  if (planner_ == nullptr) return {};
  for (unsigned round = 0;; ++round) {
    const std::uint64_t held_bytes = cache_->unevictable_bytes();
    const unsigned pressure = memory_pressure(held_bytes);
    if (pressure > 0 || log_bytes_since_cut() >= options_.checkpoint_log_bytes) planner_->kick();
    if (pressure < 100) {
      slow_down(held_bytes, pressure);
      return {};
    }
    if (round == admission_rounds_max) return fail(Errc::cache_exhausted);
    stops_.fetch_add(1, std::memory_order_relaxed);
    ARTFS_TRY(planner_->wait_for_attempt());
  }
}

Result<void> StoreImpl::back_dirt() {
  if (planner_ == nullptr) return {};
  for (unsigned round = 0;; ++round) {
    const std::uint64_t ahead = round == 0 ? dirt_ahead_bytes : dirt_ahead_bytes_min;
    const std::uint64_t wanted = cache_->dirty_bytes() + ahead;
    if (wanted <= checkpoint_log_->room()) return {};
    const Result<void> made = checkpoint_log_->make_room(wanted);
    if (made || made.error().code != Errc::no_space || round == log_rounds_max) return made;
    ARTFS_TRY(planner_->wait_for_attempt());
  }
}

// The data file grows by steps of its own where there is plenty.
Result<void> StoreImpl::leave_frames(std::size_t taken) {
  if (log_ == nullptr) return {};
  const Result<std::uint64_t> free = directory_->free_bytes();
  if (free && *free >= frames_plenty_bytes) return {};
  const std::size_t count = taken + frames_kept;
  ARTFS_TRY(blobs_->reserve(count));
  blobs_->unreserve(count);
  return {};
}

Result<wal::Log::Reserve> StoreImpl::reserve_log(std::size_t payload_bytes) {
  for (unsigned round = 0;; ++round) {
    Result<wal::Log::Reserve> reserve = log_->reserve(payload_bytes, round > 0);
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
