// SPDX-License-Identifier: Apache-2.0
#include "data/pool/registry.hpp"

#include <utility>

#include "base/assert.hpp"

namespace artfs::data::pool {

using base::MutexLock;

// --- Registration -----------------------------------------------------------------------------------

Registration::Registration(Registration&& other) noexcept
    : registry_(other.registry_), entry_(std::exchange(other.entry_, nullptr)) {}

Registration& Registration::operator=(Registration&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(entry_, other.entry_);
  return *this;
}

Registration::~Registration() {
  if (entry_ != nullptr) registry_->leave(entry_);
}

// Marks publish nothing but themselves: whoever believes "cached" still looks into the pool, under its
// lock.
bool Registration::has(Mark mark) const noexcept {
  return (entry_->marks.load(std::memory_order_relaxed) & static_cast<std::uint32_t>(mark)) != 0;
}

bool Registration::set(Mark mark) noexcept {
  const auto bit = static_cast<std::uint32_t>(mark);
  return (entry_->marks.fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
}

void Registration::clear(Mark mark) noexcept {
  entry_->marks.fetch_and(~static_cast<std::uint32_t>(mark), std::memory_order_relaxed);
}

// --- Loading ----------------------------------------------------------------------------------------

Loading& Loading::operator=(Loading&& other) noexcept {
  drop();
  registration_ = Registration();
  registration_ = std::move(other.registration_);
  return *this;
}

Loading::~Loading() {
  drop();
}

void Loading::drop() noexcept {
  if (registration_) registration_.registry_->loaded(registration_);
}

// --- Registry ---------------------------------------------------------------------------------------

Registry::~Registry() {
  ARTFS_ASSERT(entries_.empty());
}

Registry::Entry& Registry::share_locked(const base::Hash128& hash) {
  Entry& entry = entries_[hash];
  entry.hash = hash;
  ++entry.handles;
  return entry;
}

Registration Registry::enrol(const base::Hash128& hash) {
  const MutexLock lock(mutex_);
  return {this, &share_locked(hash)};
}

std::optional<Loading> Registry::try_load(const base::Hash128& hash) {
  Registration registration = enrol(hash);
  if (!registration.set(Mark::loading)) return std::nullopt;
  return Loading(std::move(registration));
}

void Registry::wait_until_loaded(const base::Hash128& hash) {
  MutexLock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(hash);
    if (found == entries_.end()) return;
    const auto marks = found->second.marks.load(std::memory_order_relaxed);
    if ((marks & static_cast<std::uint32_t>(Mark::loading)) == 0) return;
    loaded_.wait(lock);
  }
}

bool Registry::has(const base::Hash128& hash, Mark mark) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(hash);
  if (found == entries_.end()) return false;
  return (found->second.marks.load(std::memory_order_relaxed) & static_cast<std::uint32_t>(mark)) !=
         0;
}

std::size_t Registry::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

void Registry::leave(Entry* entry) noexcept {
  const MutexLock lock(mutex_);
  ARTFS_ASSERT(entry->handles > 0);
  if (--entry->handles > 0) return;
  ARTFS_ASSERT(entry->marks.load(std::memory_order_relaxed) == 0);
  entries_.erase(base::Hash128(entry->hash));
}

// Under the mutex, so that a waiter that saw the mark is asleep before it is woken.
void Registry::loaded(Registration& registration) noexcept {
  const MutexLock lock(mutex_);
  registration.clear(Mark::loading);
  loaded_.notify_all();
}

}  // namespace artfs::data::pool
