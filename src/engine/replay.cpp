// SPDX-License-Identifier: Apache-2.0
#include "engine/replay.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace artfs::engine {

Result<void> Replayer::apply(Lsn lsn, Lsn end, std::span<const std::byte> payload) {
  const std::string_view operations = base::as_chars(payload);
  Misses misses(cache_);
  frame::FrameReserve reserve;
  std::size_t frames_needed = 0;
  for (;;) {
    ARTFS_TRY(plan(operations, misses));
    frames_needed = std::max(frames_needed, plan_.frames_needed());
    if (frames_needed > reserve.left()) reserve = ARTFS_TRY(cache_.reserve(frames_needed));
    const Result<void> latched = plan_.writes.latch();
    if (latched) frames_needed = plan_.frames_needed();  // exact only now
    if (latched && frames_needed <= reserve.left()) break;
    plan_.restart();
    // Alone in the store: the plan wants to know more, once.
    if (!latched && latched.error().code != Errc::contended) return latched;
  }
  applier_.apply(operations, lsn, plan_, reserve);
  plan_.clear();
  applied_end_ = end;
  ++records_;
  bytes_ += payload.size();
  report_progress();
  // The other half stays for the frames that the next records load and make.
  if (cache_.unevictable_bytes() * 2 >= cache_.budget_bytes()) return relieve();
  return {};
}

Result<void> Replayer::plan(std::string_view operations, Misses& misses) {
  for (;;) {
    const Result<void> planned = applier_.plan(operations, plan_);
    if (planned) return {};
    plan_.restart();
    if (planned.error().code != Errc::frame_not_resident) return planned;
    const Result<void> loaded = misses.load(FrameId{planned.error().detail});
    if (loaded) continue;
    if (loaded.error().code != Errc::cache_exhausted || applied_end_.raw == 0) return loaded;
    misses.drop();
    ARTFS_TRY(relieve());
  }
}

Result<void> Replayer::relieve() {
  if (applied_end_.raw == 0) return {};
  ARTFS_TRY(checkpoint_(applied_end_));
  applied_end_ = Lsn{};
  return {};
}

void Replayer::report_progress() {
  constexpr std::uint64_t report_interval_ns = 1'000'000'000;
  constexpr std::uint64_t clock_every_records = 1024;  // not one clock read per record
  if (records_ % clock_every_records != 1) return;
  const std::uint64_t now = base::now_ns();
  if (reported_ns_ == 0) reported_ns_ = now;
  if (now - reported_ns_ < report_interval_ns) return;
  reported_ns_ = now;
  base::log_info("{}: replaying the log: {} records, {} MiB so far", path_, records_, bytes_ / mib);
}

}  // namespace artfs::engine
