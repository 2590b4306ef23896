// SPDX-License-Identifier: Apache-2.0
#include "vol/ino_allocator.hpp"

#include <utility>

namespace artfs::vol {

InoAllocator::InoAllocator(Store& store, Tree tree, std::size_t counter) noexcept
    : store_(store), tree_(tree), counter_(counter) {}

Result<Version> InoAllocator::reserve(Run& out) {
  // The counter starts at zero and only this function changes it.
  const std::uint64_t start = first_number + static_cast<std::uint64_t>(tree_.counter(counter_));
  Txn txn;
  txn.add(tree_, counter_, static_cast<std::int64_t>(chunk));
  const Version version = ARTFS_TRY(store_.commit(txn));
  out = Run{.next = start, .end = start + chunk};
  return version;
}

Result<void> InoAllocator::reserve_ahead() {
  Run run;
  Version version;
  {
    const base::MutexLock lock(mutex_);
    if (ahead_.next != ahead_.end || reserved_.end - reserved_.next > chunk / 2) return {};
    version = ARTFS_TRY(reserve(run));
  }
  ARTFS_TRY(store_.sync_to(version));
  const base::MutexLock lock(mutex_);
  (reserved_.next == reserved_.end ? reserved_ : ahead_) = run;
  return {};
}

std::uint64_t InoAllocator::bound() const {
  const base::MutexLock lock(mutex_);
  return reserved_.next;
}

Result<InoAllocator::Run> InoAllocator::new_run() {
  if (reserved_.next == reserved_.end && ahead_.next != ahead_.end) {
    reserved_ = std::exchange(ahead_, Run{});
  }
  if (reserved_.next == reserved_.end) ARTFS_TRY(reserve(reserved_));
  const Run run{.next = reserved_.next, .end = reserved_.next + run_length};
  reserved_.next = run.end;
  return run;
}

Result<Ino> InoAllocator::allocate(Ino directory) {
  const base::MutexLock lock(mutex_);
  if (runs_.size() >= runs_max && !runs_.contains(directory.raw)) runs_.clear();
  Run& run = runs_[directory.raw];
  if (run.next == run.end) run = ARTFS_TRY(new_run());
  return Ino{run.next++};
}

}  // namespace artfs::vol
