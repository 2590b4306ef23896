// SPDX-License-Identifier: Apache-2.0
// StatsReader: the figures of a volume, also when its device does not answer.
//
// Contract:   read() returns the figures of now. A volume asks its device for free space; when that takes longer than a
//             second, the figures that came last are returned instead, so that a stuck mount can still be looked
//             into.
// Threading:  any thread; a thread of its own asks the volume. The destructor waits for it.
// Cost:       two wake-ups beyond Volume::stats().
#pragma once

#include <cstdint>
#include <thread>

#include "artfs/volume.hpp"

#include "base/mutex.hpp"

namespace artfs::fuse {

class StatsReader {
 public:
  explicit StatsReader(const Volume& volume);
  StatsReader(const StatsReader&) = delete;
  StatsReader& operator=(const StatsReader&) = delete;
  ~StatsReader();

  [[nodiscard]] VolumeStats read() ARTFS_EXCLUDES(mutex_);

 private:
  void run() ARTFS_EXCLUDES(mutex_);

  const Volume& volume_;
  base::Mutex mutex_{base::Rank::session};
  base::CondVar changed_;
  std::uint64_t wanted_ ARTFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t served_ ARTFS_GUARDED_BY(mutex_) = 0;
  bool is_ending_ ARTFS_GUARDED_BY(mutex_) = false;
  VolumeStats last_ ARTFS_GUARDED_BY(mutex_);
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace artfs::fuse
