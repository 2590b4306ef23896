// SPDX-License-Identifier: Apache-2.0
// MemoryDirectory::State: what a directory in memory and its open files share; private to src/io.
//
// Contract:   a name change is durable once the directory was synced; before, a power cut keeps some
//             of the changes, never one that builds on a change it lost.
// Threading:  everything under `mutex` (Rank::device, innermost).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "io/memory_directory.hpp"
#include "io/memory_inode.hpp"

namespace artfs::io {

using InodePtr = std::shared_ptr<MemoryInode>;  // named by directories, held by open files
using NameMap = std::map<std::string, InodePtr, std::less<>>;

// The new meaning of one or two names, at once; null: the name is gone.
struct NameChange {
  std::string name;
  InodePtr inode;
  std::string second_name;  // of a rename: what `inode` becomes here, while `name` goes away
};

struct LockState {
  bool exclusive = false;
  std::uint64_t shared = 0;
};

struct Failure {
  std::uint64_t countdown = 0;  // 0: none
  Errc code = Errc::io_failed;
  MemoryDirectory::Repeat repeat = MemoryDirectory::Repeat::once;
};

struct WriteDamage {
  std::uint64_t countdown = 0;  // 0: none
  MemoryDirectory::WriteFault fault = MemoryDirectory::WriteFault::dropped;
  std::uint64_t seed = 0;
};

struct MemoryDirectory::State {
  explicit State(Options with) : options(with) {}

  const Options options;
  mutable base::Mutex mutex{base::Rank::device};
  base::CondVar unlocked;
  NameMap names ARTFS_GUARDED_BY(mutex);
  NameMap durable_names ARTFS_GUARDED_BY(mutex);
  std::vector<NameChange> name_changes ARTFS_GUARDED_BY(mutex);  // since the last directory sync
  std::map<std::string, LockState, std::less<>> locks ARTFS_GUARDED_BY(mutex);
  Counters counters ARTFS_GUARDED_BY(mutex);
  Failure change_failure ARTFS_GUARDED_BY(mutex);
  Failure read_failure ARTFS_GUARDED_BY(mutex);
  Failure sync_failure ARTFS_GUARDED_BY(mutex);
  WriteDamage write_damage ARTFS_GUARDED_BY(mutex);
  std::string damage ARTFS_GUARDED_BY(mutex);  // done by it
  std::optional<std::uint64_t> capacity ARTFS_GUARDED_BY(mutex);
  std::chrono::microseconds sync_delay ARTFS_GUARDED_BY(mutex){0};
  std::uint64_t power_cuts ARTFS_GUARDED_BY(mutex) = 0;  // a file of an earlier time is dead

  // Counts a change and says whether it is the one to fail.
  [[nodiscard]] std::optional<Error> next_change() ARTFS_REQUIRES(mutex);
  [[nodiscard]] std::optional<Error> next_sync() ARTFS_REQUIRES(mutex);
  [[nodiscard]] std::optional<Error> next_read() ARTFS_REQUIRES(mutex);
  // A write that the device acknowledges: stored, unless its turn to be damaged has come.
  void store(const InodePtr& inode, std::uint64_t offset, std::span<const std::byte> data)
      ARTFS_REQUIRES(mutex);
  // For people; one name of the file.
  [[nodiscard]] std::string name_of(const InodePtr& wanted) const ARTFS_REQUIRES(mutex);
  void store_damaged(const InodePtr& inode, std::uint64_t offset, std::span<const std::byte> data)
      ARTFS_REQUIRES(mutex);
  void change_name(NameChange change) ARTFS_REQUIRES(mutex);
  [[nodiscard]] std::uint64_t used_bytes() const ARTFS_REQUIRES(mutex);
  [[nodiscard]] bool has_room(std::uint64_t growth) const ARTFS_REQUIRES(mutex);
  // Names and contents after a power cut; without a seed only what was synced.
  [[nodiscard]] NameMap after_power_cut(std::optional<std::uint64_t> seed) const
      ARTFS_REQUIRES(mutex);
};

}  // namespace artfs::io
