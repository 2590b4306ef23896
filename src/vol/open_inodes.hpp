// SPDX-License-Identifier: Apache-2.0
// OpenInodes: in-memory state of inodes that are open, dirty, orphaned or in use by a call.
//
// Contract:   a state exists only while one of these holds; everything else about an inode stands in
//             its record. A Ref keeps the state alive; the last Ref of a state that nothing else
//             needs removes it. `pending` is what an accepted write did to the times and is not yet
//             in the record: attributes shown are the record with `pending` and the buffer over it.
// Threading:  any thread. The table: Rank::inode_table, by shard. A state's fields: its mutex,
//             Rank::handle, taken after the inode's stripe of InodeLocks when both are needed.
// Cost:       about 250 bytes per state; find and acquire are one hash look-up.
// Invariants: ONE-STATE: an inode number has at most one state, so accepted bytes are never
//             in two places.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "base/mutex.hpp"
#include "data/buffer.hpp"
#include "data/contents.hpp"

namespace artfs::vol {

struct PendingTimes {
  std::optional<Timestamp> atime, mtime, ctime;

  [[nodiscard]] bool any() const noexcept { return atime || mtime || ctime; }
};

// Logged writes that stand, keys "p/<ino>/<first>" up to the one before `next`.
struct LoggedRecords {
  std::uint64_t first = 1;
  std::uint64_t next = 1;
  std::optional<std::uint64_t> removals;  // from here on: of a deferred flush
  std::uint64_t bytes = 0;                // of the file
  std::uint64_t blocks = 0;               // touched, once per record

  [[nodiscard]] bool any() const noexcept { return first < next; }
};

struct InodeState {
  explicit InodeState(Ino number) noexcept : ino(number) {}

  const Ino ino;
  base::Mutex mutex{base::Rank::handle};
  // The committed contents; loaded by the first call that needs bytes.
  data::Contents contents ARTFS_GUARDED_BY(mutex);
  bool loaded ARTFS_GUARDED_BY(mutex) = false;
  data::Buffer buffer ARTFS_GUARDED_BY(mutex);
  // Of the record, when loaded: adopt_attributes().
  std::uint32_t flags ARTFS_GUARDED_BY(mutex) = 0;
  bool has_privileges ARTFS_GUARDED_BY(mutex) = false;  // something for a write to drop
  bool atime_due ARTFS_GUARDED_BY(mutex) = false;       // relatime: not later than the last change
  std::int64_t atime_seconds ARTFS_GUARDED_BY(mutex) = 0;  // relatime: moves when a day old
  PendingTimes pending ARTFS_GUARDED_BY(mutex);
  LoggedRecords logged ARTFS_GUARDED_BY(mutex);
  std::optional<Error> write_error ARTFS_GUARDED_BY(mutex);  // latched until the last release
  std::uint32_t opens ARTFS_GUARDED_BY(mutex) = 0;
  bool orphan ARTFS_GUARDED_BY(mutex) = false;       // "o/" stands, nlink is 0
  bool unnamed ARTFS_GUARDED_BY(mutex) = false;      // an orphan that never had a name: link() may
  bool referenced ARTFS_GUARDED_BY(mutex) = false;   // an orphan the front end has not forgotten
  bool gone ARTFS_GUARDED_BY(mutex) = false;         // the record was erased
  bool queued ARTFS_GUARDED_BY(mutex) = false;       // in the dirty queue
  bool fold_queued ARTFS_GUARDED_BY(mutex) = false;  // in the queue of logged ones
  bool reclaiming ARTFS_GUARDED_BY(mutex) = false;   // somebody is freeing the orphan's blocks

  [[nodiscard]] bool dirty() const ARTFS_REQUIRES(mutex) {
    return buffer.dirty() || buffer.flushing() || pending.any();
  }

  [[nodiscard]] bool idle() const ARTFS_REQUIRES(mutex) {
    return opens == 0 && !orphan && !queued && !fold_queued && !reclaiming && !dirty();
  }

 private:
  friend class OpenInodes;
  std::size_t refs_ = 0;  // under the shard's mutex
};

class OpenInodes {
 public:
  class Ref {
   public:
    Ref() noexcept = default;
    Ref(Ref&& other) noexcept;
    Ref& operator=(Ref&& other) noexcept;
    ~Ref();

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    [[nodiscard]] InodeState* operator->() const noexcept { return state_; }

    [[nodiscard]] InodeState& operator*() const noexcept { return *state_; }

   private:
    friend class OpenInodes;

    Ref(OpenInodes* table, InodeState* state) noexcept : table_(table), state_(state) {}

    OpenInodes* table_ = nullptr;
    InodeState* state_ = nullptr;
  };

  OpenInodes();
  OpenInodes(const OpenInodes&) = delete;
  OpenInodes& operator=(const OpenInodes&) = delete;

  [[nodiscard]] Ref acquire(Ino ino);  // made when absent
  [[nodiscard]] Ref find(Ino ino);     // empty when absent
  [[nodiscard]] std::size_t size() const;
  // At close: no call runs any more; what could not be written is given up.
  void clear();

 private:
  static constexpr std::size_t shards_count = 16;

  struct Shard {
    mutable base::Mutex mutex{base::Rank::inode_table};
    std::unordered_map<std::uint64_t, std::unique_ptr<InodeState>> states ARTFS_GUARDED_BY(mutex);
  };

  Shard& shard_of(Ino ino) noexcept;
  void drop(InodeState* state) noexcept;

  std::array<Shard, shards_count> shards_;
};

}  // namespace artfs::vol
