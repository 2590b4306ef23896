// SPDX-License-Identifier: Apache-2.0
// Writer: makes one checkpoint: freeze and cut, then device work, step by step.
//
// Contract:   run() first finishes what an earlier attempt left, then freezes and writes what changed
//             since. A set once frozen is never given up: a step that failed with no_space is tried
//             again by the next run(), from the same frozen images and the same cut. Steps:
//               frozen     gate held exclusively for microseconds: dirty set, cut, roots, counters
//               committed  log durable to the cut (W2D); new frames home; checkpoint log synced
//               home       pages in their slots, data file synced
//               recorded   manifest durable
//               done       frames released, slots of removed frames free, log cut (I2)
// Threading:  run: one thread at a time. stats: any thread.
// Cost:       gate: O(dirty frames). Memory: a few MiB whatever the size of the set.
// Errors:     no_space: nothing is lost, call again. Any other: the store must stop (P16).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.hpp"
#include "engine/checkpoint/log.hpp"
#include "engine/checkpoint/pace.hpp"
#include "engine/manifest.hpp"
#include "engine/tree_table.hpp"
#include "frame/cache.hpp"
#include "io/aligned_buffer.hpp"
#include "sync/gate.hpp"
#include "wal/log.hpp"

namespace artfs::engine::checkpoint {

// What becomes true with a checkpoint instead of a log record: its frames are home and synced already.
class Staged {
 public:
  Staged() = default;
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  virtual ~Staged() = default;

  // Both with the gate exclusive: what is changed in the first is frozen, what in the second is not. False:
  // it has given up; nothing else is called.
  [[nodiscard]] virtual bool before_freeze() = 0;
  virtual void after_freeze() = 0;
  // For the manifest; durable at home.
  [[nodiscard]] virtual std::span<const frame::FrameLocation> frames() const noexcept = 0;
  // The checkpoint is durable; the next one has not begun. Without locks.
  virtual void recorded() = 0;
};

class Writer {
 public:
  // All outlive the writer.
  struct Parts {
    frame::Cache& cache;
    io::BlobStore& blobs;
    LogWriter& log;
    Manifest& manifest;
    TreeTable& trees;
    sync::Gate& gate;
    Pace& pace;
  };

  explicit Writer(const Parts& parts) noexcept : parts_(parts) {}

  // From now on cuts are taken from this log. Before: run_at() only.
  void attach(wal::Log& log) noexcept { wal_ = &log; }

  [[nodiscard]] Result<void> run();
  // During replay: everything below `cut` is applied, nothing above, and the log is durable to there.
  [[nodiscard]] Result<void> run_at(Lsn cut);
  // The next checkpoint has it. `staged` lives until it gave up, was recorded, was taken back, or the store
  // stopped. Any thread.
  void stage(Staged& staged);
  // False when a checkpoint has it already: that one will be finished, sooner or later.
  [[nodiscard]] bool take_back(Staged& staged);
  // True when a checkpoint would write something.
  [[nodiscard]] bool due() const noexcept;

  [[nodiscard]] CheckpointStats stats() const noexcept;

  // How long the device and we were busy with the last one.
  [[nodiscard]] std::uint64_t last_work_ns() const noexcept {
    return last_work_ns_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] Lsn cut() const noexcept { return Lsn{cut_.load(std::memory_order_relaxed)}; }

  [[nodiscard]] std::uint64_t frames() const noexcept {
    return frames_.load(std::memory_order_relaxed);
  }

  // After open: what the manifest says.
  void publish_state() noexcept;

 private:
  enum class Stage : std::uint8_t { frozen, committed, home, recorded };

  struct Pending {
    frame::FrozenSet frozen;
    ManifestDelta delta;
    Stage stage = Stage::frozen;
    std::uint64_t pages = 0;
    std::vector<Staged*> staged;
  };

  void freeze(std::optional<Lsn> cut);
  [[nodiscard]] bool has_staged() const;
  [[nodiscard]] std::vector<Staged*> take_staged();
  [[nodiscard]] std::vector<ManifestTree> changed_trees() const;
  [[nodiscard]] Result<void> timed_finish();
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] Result<void> commit(Pending& pending);
  [[nodiscard]] Result<void> write_frames(Pending& pending, bool is_new);

  const Parts parts_;
  wal::Log* wal_ = nullptr;
  std::optional<Pending> pending_;
  mutable base::Mutex staged_mutex_{base::Rank::leaf};
  std::vector<Staged*> staged_ ARTFS_GUARDED_BY(staged_mutex_);
  io::AlignedBuffer images_{io::frame_bytes};  // of one frame, reused

  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::uint64_t> cut_{0};
  std::atomic<std::uint64_t> frames_{0};
  std::atomic<std::uint64_t> completed_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> pages_written_{0};
  std::atomic<std::uint64_t> last_duration_ns_{0};
  std::atomic<std::uint64_t> last_work_ns_{0};
  std::atomic<std::uint64_t> last_gate_ns_{0};
};

}  // namespace artfs::engine::checkpoint
