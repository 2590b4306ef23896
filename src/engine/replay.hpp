// SPDX-License-Identifier: Apache-2.0
// Replayer: applies log records to the state of the last checkpoint, through the path of live changes.
//
// Contract:   apply() once for each record, in the order of the log. Frames changed are dirty like
//             those of live changes. When dirty frames fill the cache, a checkpoint is made whose cut
//             is the end of the last record applied.
// Threading:  the opener's thread, alone in the store.
// Errors:     frame_corrupt, io_failed, no_space, log_corrupt: the open fails, nothing is lost.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "engine/applier.hpp"
#include "engine/misses.hpp"
#include "frame/cache.hpp"

namespace artfs::engine {

class Replayer {
 public:
  // Makes everything below the cut clean.
  using CheckpointFn = std::function<Result<void>(Lsn cut)>;

  Replayer(const Applier& applier, frame::Cache& cache, CheckpointFn checkpoint)
      : applier_(applier), cache_(cache), checkpoint_(std::move(checkpoint)) {}

  [[nodiscard]] Result<void> apply(Lsn lsn, Lsn end, std::span<const std::byte> payload);

  void report_to(std::string path) { path_ = std::move(path); }

  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  [[nodiscard]] Result<void> plan(std::string_view operations, Misses& misses);
  [[nodiscard]] Result<void> relieve();
  void report_progress();

  const Applier& applier_;
  frame::Cache& cache_;
  CheckpointFn checkpoint_;
  Applier::Plan plan_;
  Lsn applied_end_;  // zero: nothing applied since the last checkpoint
  std::string path_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t reported_ns_ = 0;
};

}  // namespace artfs::engine
