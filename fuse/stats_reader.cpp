// SPDX-License-Identifier: Apache-2.0
#include "fuse/stats_reader.hpp"

#include <chrono>

namespace artfs::fuse {

StatsReader::StatsReader(const Volume& volume)
    : volume_(volume), last_(volume.stats()), thread_([this] { run(); }) {}

StatsReader::~StatsReader() {
  {
    const base::MutexLock lock(mutex_);
    is_ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

VolumeStats StatsReader::read() {
  constexpr std::chrono::seconds patience{1};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  base::MutexLock lock(mutex_);
  const std::uint64_t own = ++wanted_;
  changed_.notify_all();
  while (served_ < own && changed_.wait_until(lock, deadline)) continue;
  return last_;
}

void StatsReader::run() {
  base::MutexLock lock(mutex_);
  while (true) {
    while (!is_ending_ && wanted_ == served_) changed_.wait(lock);
    if (is_ending_) return;
    const std::uint64_t wanted = wanted_;
    lock.unlock();
    VolumeStats stats = volume_.stats();
    lock.lock();
    last_ = std::move(stats);
    served_ = wanted;
    changed_.notify_all();
  }
}

}  // namespace artfs::fuse
