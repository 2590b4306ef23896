// SPDX-License-Identifier: Apache-2.0
// Flusher: brings accepted bytes and times from the states of inodes to disk and record.
//
// Contract:   a cycle takes a set of dirty inodes, writes out the bytes of all, syncs the device once
//             for all of them, and then commits one transaction per inode. flush_all covers everything
//             accepted before the call; the thread flushes what is older than half the commit
//             interval, everything when the write buffer is half full, and frees big orphans.
//             log_all makes the same durable with the log's next sync, at less cost: what is small is logged
//             (vol/logged.hpp), the rest takes a cycle. What is logged waits in a queue of its own; the
//             thread folds it, in cycles beside which others may log.
//             An inode whose flush fails keeps its bytes, is tried again by the next cycle, and has the
//             error latched for flush and fsync.
// Threading:  any thread; one cycle at a time, waiters share the next one; one log_all at a time, beside a cycle
//             when that only folds. Cycles block on the device and need nothing locked. enqueue and fold_later:
//             under the state's mutex.
// Cost:       one device sync per cycle of up to batch_max inodes, none when all of it is inline.
// Errors:     the first error of the cycle that covered the call.
// Source:     group commit, as of the log, for file contents.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <thread>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/mutex.hpp"
#include "format/inode.hpp"
#include "vol/core.hpp"

namespace artfs::vol {

// Inodes taken from a queue may be queued again; one flushed out of turn keeps its place in it.
enum class FlushFrom : std::uint8_t {
  queue,       // of dirty ones
  folds,       // of logged ones: nothing that is not logged is flushed
  everything,  // both
  elsewhere,
};

class Flusher {
 public:
  static constexpr std::size_t batch_max = 1024;
  // Inodes that may wait: about 1 KiB each beside the bytes that the write buffer counts.
  static constexpr std::size_t queue_max = 65536;

  explicit Flusher(Core& core) noexcept : core_(core) {}

  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  ~Flusher() { stop(); }

  void start();
  void stop() noexcept;  // ends the thread; flush_all still works

  void enqueue(Ino ino);
  // is_queued: it is in the queue already; soon: the thread should fold now.
  void fold_later(Ino ino, bool is_queued, bool soon);
  [[nodiscard]] Result<void> flush_all();
  [[nodiscard]] Result<void> flush_one(Ino ino);
  // Durable once the log is, what was accepted before the call: of all inodes, of one.
  [[nodiscard]] Result<void> log_all();
  [[nodiscard]] Result<void> log_one(Ino ino);
  // Returns at once while write buffer and queue are within their bounds, else after a cycle.
  [[nodiscard]] Result<void> make_room();
  void reclaim_later(Ino ino);

 private:
  struct Queued {
    Ino ino;
    std::uint64_t since_ns = 0;
  };

  void run();
  void wait_for_work(base::MutexLock& lock) ARTFS_REQUIRES(mutex_);
  // Takes the cycle over when none runs; the caller has set what it flushes aside.
  // Gives the lock, which is of mutex_, away meanwhile: more than the analysis can follow.
  void lead(base::MutexLock& lock, const std::vector<Ino>& inos, FlushFrom from)
      ARTFS_REQUIRES(mutex_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] static std::vector<Ino> take(std::deque<Queued>& queue, std::uint64_t since_ns_max);
  void take_everything(std::vector<Ino>& inos) ARTFS_REQUIRES(mutex_);
  [[nodiscard]] bool is_half_full() const ARTFS_REQUIRES(mutex_);
  void work(base::MutexLock& lock) ARTFS_REQUIRES(mutex_) ARTFS_NO_THREAD_SAFETY_ANALYSIS;
  void reclaim_big();

  Core& core_;
  base::Mutex mutex_{base::Rank::dirty_inodes};
  base::CondVar changed_;  // a cycle or log_all ended
  base::CondVar work_;     // for the thread, which others need not wake with each fsync
  std::deque<Queued> queue_ ARTFS_GUARDED_BY(mutex_);
  std::vector<Ino> reclaims_ ARTFS_GUARDED_BY(mutex_);
  std::deque<Queued> folds_ ARTFS_GUARDED_BY(mutex_);
  bool cycle_runs_ ARTFS_GUARDED_BY(mutex_) = false;
  bool cycle_folds_ ARTFS_GUARDED_BY(mutex_) = false;  // the cycle has only what is logged in hand
  bool logging_ ARTFS_GUARDED_BY(mutex_) = false;      // log_all has inodes in hand
  std::uint64_t full_started_ ARTFS_GUARDED_BY(mutex_) = 0;  // cycles that took the whole queue
  std::uint64_t full_finished_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::optional<Error> cycle_error_ ARTFS_GUARDED_BY(mutex_);  // of the last cycle
  bool wanted_ ARTFS_GUARDED_BY(mutex_) = false;  // the thread should flush everything now
  bool folds_wanted_ ARTFS_GUARDED_BY(mutex_) = false;
  bool stopping_ ARTFS_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// One cycle over these inodes; the first error.
[[nodiscard]] Result<void> flush_cycle(Core& core, const std::vector<Ino>& inos, FlushFrom from);
// Logs what can be logged of these inodes, taken from the queue; returns the others.
[[nodiscard]] std::vector<Ino> log_cycle(Core& core, const std::vector<Ino>& inos);

void apply_pending(format::Inode& inode, const PendingTimes& pending);

// The last step of a flush: its transaction. Stripe and state held; until it succeeds nothing in memory
// changes, and `flush` is still to be aborted.
struct FlushCommit {
  data::Flush* flush = nullptr;  // null or empty: only times
  LoggedRecords before;          // the records when it was begun
};

[[nodiscard]] Result<void> commit_flush(Core& core, InodeState& state, const FlushCommit& what)
    ARTFS_REQUIRES(state.mutex);

}  // namespace artfs::vol
