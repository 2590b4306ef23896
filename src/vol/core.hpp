// SPDX-License-Identifier: Apache-2.0
// Core: what every operation of a volume works on: store, trees, contents, locks, open inodes.
//
// Contract:   made by volume.cpp, lives as long as the Volume. The operations are free functions over
//             it, one file per idea; each is one transaction.
// Threading:  the members are thread-safe; their order is the one of base/lock_order.hpp:
//             rename_mutex, stripes of `locks`, `open` shards, InodeState::mutex, then the rest.
// Invariants: ONE-TXN: an operation's side effects (times, link counts, counters, orphan marks) are
//             in the transaction that does it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>

#include "artfs/options.hpp"
#include "artfs/store.hpp"

#include "base/mutex.hpp"
#include "data/file_bytes.hpp"
#include "format/volume.hpp"
#include "vol/ino_allocator.hpp"
#include "vol/inode_locks.hpp"
#include "vol/open_inodes.hpp"

namespace artfs::vol {

class Flusher;

// Of logged writes. Relaxed: they order nothing.
struct LoggedFigures {
  std::atomic<std::uint64_t> standing_bytes{0};  // in records now
  std::atomic<std::uint64_t> writes{0};          // transactions, since the opening
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> folds{0};
};

struct Core {
  std::unique_ptr<Store> store;
  Tree tree;
  VolumeOptions options;
  format::VolumeSettings settings;
  std::uint64_t fsid = 0;
  std::unique_ptr<data::FileBytes> bytes;
  base::Mutex rename_mutex{base::Rank::directory};  // moves of directories between directories
  InodeLocks locks;
  std::optional<InoAllocator> inos;
  OpenInodes open;
  LoggedFigures logged;
  std::unordered_set<std::uint64_t> unreadable;  // a logged write is damaged; filled at open
  std::atomic<AccessTimePolicy> access_times;    // relaxed: a read beside a change may use either
  Flusher* flusher = nullptr;                    // owned by VolumeImpl, outlives every call

  [[nodiscard]] bool read_only() const noexcept { return options.store.read_only; }
};

}  // namespace artfs::vol
