// SPDX-License-Identifier: Apache-2.0
// Mutex, MutexLock, CondVar: process-wide locks with a rank, checked by clang and at run time.
//
// Contract:   every mutex has a Rank (base/lock_order.hpp). MutexLock unlocks in its destructor;
//             unlock() and lock() exist for leaders that do I/O for others in between. Never hold a
//             mutex across a reply, a sync or a callback.
// Threading:  blocks; CondVar may wake without reason, so wait in a loop over the condition.
// Errors:     a lock-order violation aborts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/annotations.hpp"
#include "base/lock_order.hpp"

namespace artfs::base {

class ARTFS_CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(Rank rank) noexcept : rank_(rank) {}

  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() = default;

  [[nodiscard]] Rank rank() const noexcept { return rank_; }

 private:
  friend class MutexLock;
  friend class CondVar;

  std::mutex mutex_;
  const Rank rank_;
};

class ARTFS_SCOPED_CAPABILITY [[nodiscard]] MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ARTFS_ACQUIRE(mutex) : mutex_(&mutex) {
    LockOrder::acquire(mutex.rank_, &mutex);
    lock_ = std::unique_lock(mutex.mutex_);
  }

  MutexLock(Mutex& mutex, SameRank same) ARTFS_ACQUIRE(mutex) : mutex_(&mutex) {
    LockOrder::acquire(mutex.rank_, &mutex, same);
    lock_ = std::unique_lock(mutex.mutex_);
  }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  ~MutexLock() ARTFS_RELEASE() {
    if (!lock_.owns_lock()) return;
    lock_.unlock();
    LockOrder::release(mutex_->rank_);
  }

  void unlock() ARTFS_RELEASE() {
    lock_.unlock();
    LockOrder::release(mutex_->rank_);
  }

  void lock() ARTFS_ACQUIRE() {
    LockOrder::acquire(mutex_->rank_, mutex_);
    lock_.lock();
  }

  [[nodiscard]] bool owns_lock() const noexcept { return lock_.owns_lock(); }

 private:
  friend class CondVar;

  Mutex* mutex_;
  std::unique_lock<std::mutex> lock_;
};

// The mutex stays noted as held while waiting: the thread does nothing else meanwhile.
class CondVar {
 public:
  void wait(MutexLock& lock) { cond_.wait(lock.lock_); }

  // False when the time ran out.
  template <typename R, typename P>
  bool wait_for(MutexLock& lock, std::chrono::duration<R, P> timeout) {
    return cond_.wait_for(lock.lock_, timeout) == std::cv_status::no_timeout;
  }

  // False when the time is past.
  template <typename D>
  bool wait_until(MutexLock& lock, std::chrono::time_point<std::chrono::steady_clock, D> deadline) {
    return cond_.wait_until(lock.lock_, deadline) == std::cv_status::no_timeout;
  }

  void notify_one() noexcept { cond_.notify_one(); }

  void notify_all() noexcept { cond_.notify_all(); }

 private:
  std::condition_variable cond_;
};

}  // namespace artfs::base
