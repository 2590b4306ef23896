// SPDX-License-Identifier: Apache-2.0
// Rank: the one lock order of artfs, and its check per thread at run time.
//
// Contract:   a thread takes locks in strictly increasing rank. Two locks of one rank may be held
//             together only when each later one is taken with SameRank in ascending order (of the
//             given number, or of the address when it is 0).
// Threading:  thread-local; no shared state.
// Cost:       a few instructions per lock; 600 bytes per thread.
// Errors:     a violation prints both ranks and aborts: the deadlock is found without being hit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"

namespace artfs::base {

// Outermost first. A new lock gets a rank of its own, placed between what is held when it is taken
// and what is taken while it is held.
#define ARTFS_RANKS(X)                                                           \
  X(session)          /* fuse: tables of a mount */                              \
  X(control)          /* control socket of a mount */                            \
  X(directory)        /* vol: names of one directory */                          \
  X(inode)            /* vol: record of one inode */                             \
  X(inode_table)      /* vol: which inodes are open, locked or orphaned */       \
  X(handle)           /* vol: state of one open handle */                        \
  X(dirty_inodes)     /* vol: queue of the flusher */                            \
  X(file)             /* data: buffered writes and extents of one file */        \
  X(write_buffer)     /* data: budget of unwritten contents */                   \
  X(ino_allocator)    /* vol: runs of inode numbers */                           \
  X(space)            /* data: free space; may commit transactions while held */ \
  X(checkpoint_run)   /* engine: one checkpoint at a time */                     \
  X(tree_table)       /* engine: names of trees */                               \
  X(commit_gate)      /* engine: writers shared; freeze and moves exclusive */   \
  X(frame_latch)      /* frame: latch of one frame, several by FrameId */        \
  X(checkpoint_state) /* engine: what the checkpointer waits for */              \
  X(checkpoint_pace)  /* engine: who waits for a checkpoint that rests */        \
  X(manifest)         /* engine: manifest journal */                             \
  X(cache)            /* frame: eviction, budget, sets */                        \
  X(cache_shard)      /* frame: map shard, id to resident frame */               \
  X(resident)         /* frame: state of one resident frame */                   \
  X(slots)            /* frame: free slots of the data file */                   \
  X(counters)         /* engine: transactional counters */                       \
  X(log_sync)         /* wal: leader and followers of one sync */                \
  X(log_tail)         /* wal: buffer and end of the log */                       \
  X(blob_store)       /* io: slots of the memory store */                        \
  X(device)           /* io: files of the memory directory */                    \
  X(block_registry)   /* data: hashes in use by the block pool */                \
  X(block_pool)       /* data: states of all blocks of the pool */               \
  X(leaf)             /* takes nothing while held */

enum class Rank : std::uint8_t {
#define ARTFS_RANK(name) name,
  ARTFS_RANKS(ARTFS_RANK)
#undef ARTFS_RANK
};

#define ARTFS_RANK(name) +1
inline constexpr std::size_t ranks_count = ARTFS_RANKS(ARTFS_RANK);
#undef ARTFS_RANK
static_assert(ranks_count < 64, "the set of held ranks is one word");

// Allows a second lock of the same rank. order 0: by address of the lock.
struct SameRank {
  std::uint64_t order = 0;
};

inline constexpr SameRank same_rank{};

class LockOrder {
 public:
  // Call before blocking on the lock, so that a deadlock aborts instead of hanging.
  static void acquire(Rank rank, const void* lock) noexcept {
    if ((mine().held >> index(rank)) != 0) violation(rank, "while holding");
    note(rank, reinterpret_cast<std::uintptr_t>(lock));
  }

  static void acquire(Rank rank, const void* lock, SameRank same) noexcept {
    const Held& held = mine();
    const std::uint64_t order = order_of(lock, same);
    if ((held.held >> index(rank)) > 1) violation(rank, "while holding");
    if (held.count[index(rank)] > 0 && order <= held.last[index(rank)]) {
      violation(rank, "out of order among its own rank, while holding");
    }
    note(rank, order);
  }

  static void release(Rank rank) noexcept {
    Held& held = mine();
    ARTFS_ASSERT(held.count[index(rank)] > 0);
    if (--held.count[index(rank)] == 0) {
      held.held &= ~(std::uint64_t{1} << index(rank));
      held.last[index(rank)] = 0;
    }
  }

  // True when this thread holds nothing: to assert before blocking for long.
  [[nodiscard]] static bool none_held() noexcept { return mine().held == 0; }

  // True when this thread holds nothing of this rank or further in.
  [[nodiscard]] static bool none_held_from(Rank rank) noexcept {
    return (mine().held >> index(rank)) == 0;
  }

 private:
  struct Held {
    std::uint64_t held = 0;  // bit set of ranks
    std::array<std::uint64_t, ranks_count> last{};
    std::array<std::uint32_t, ranks_count> count{};
  };

  static constexpr std::size_t index(Rank rank) noexcept { return static_cast<std::size_t>(rank); }

  static std::uint64_t order_of(const void* lock, SameRank same) noexcept {
    return same.order != 0 ? same.order : reinterpret_cast<std::uintptr_t>(lock);
  }

  static Held& mine() noexcept {
    thread_local constinit Held held;
    return held;
  }

  static void note(Rank rank, std::uint64_t order) noexcept {
    Held& held = mine();
    held.held |= std::uint64_t{1} << index(rank);
    ++held.count[index(rank)];
    held.last[index(rank)] = order;
  }

  [[noreturn]] static void violation(Rank wanted, const char* what) noexcept;
};

[[nodiscard]] const char* name_of(Rank rank) noexcept;

}  // namespace artfs::base
