// SPDX-License-Identifier: Apache-2.0
// InodeLocks: who may change the record of an inode, and the names in a directory, right now.
//
// Contract:   striped mutexes chosen by inode number. One operation takes all of its inodes at once,
//             in ascending order of stripes; the names of a directory are under the directory's own
//             number. Whoever changes "i/<n>" or any "d/<n>/..." key holds n.
// Threading:  Rank::inode, several per thread in ascending order. May be held across a commit of a
//             transaction (memory speed), never across a wait for a device sync.
// Cost:       1024 mutexes, 64 KiB; two unrelated inodes share a stripe once in 1024.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "artfs/types.hpp"

#include "base/mutex.hpp"

namespace artfs::vol {

class InodeLocks {
 public:
  static constexpr std::size_t stripes_count = 1024;
  static constexpr std::size_t held_max = 4;  // rename: two directories and two children

  InodeLocks();

  // Holds the stripes of up to held_max inodes; absent (zero) numbers are skipped.
  class Guard {
   public:
    Guard(InodeLocks& locks, std::initializer_list<Ino> inos);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

   private:
    std::array<std::optional<base::MutexLock>, held_max> held_;
  };

 private:
  std::vector<std::unique_ptr<base::Mutex>> stripes_;
};

}  // namespace artfs::vol
