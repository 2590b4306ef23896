// SPDX-License-Identifier: Apache-2.0
#include "data/pool/states.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace artfs::data::pool {

using base::MutexLock;

namespace {

constexpr std::uint64_t holders_mask = 0xffffffff;
constexpr unsigned generation_shift = 32;

std::uint64_t holders_of(std::uint64_t tenure) noexcept {
  return tenure & holders_mask;
}

std::uint32_t generation_of(std::uint64_t tenure) noexcept {
  return static_cast<std::uint32_t>(tenure >> generation_shift);
}

std::uint64_t tenure_word(std::uint32_t generation, std::uint64_t holders) noexcept {
  return (std::uint64_t{generation} << generation_shift) | holders;
}

}  // namespace

States::States(Registry& registry, const StatesOptions& options)
    : registry_(registry),
      duplicates_(options.duplicates),
      sketch_(options.slots),
      slots_(options.slots),
      free_links_(options.slots),
      free_(free_links_),
      index_(make_index(options.policy, options.slots, sketch_)) {
  const MutexLock lock(mutex_);
  map_.reserve(options.slots);
  for (std::uint32_t i = 0; i < options.slots; ++i) free_.push_back(Slot{i});
  in_state_[static_cast<std::size_t>(State::reset)] = options.slots;
}

States::~States() {
  const MutexLock lock(mutex_);
  // A handle that outlives the pool would let go of memory that is gone.
  const std::uint64_t idle = in_state_[static_cast<std::size_t>(State::reset)] +
                             in_state_[static_cast<std::size_t>(State::inactive)];
  ARTFS_ASSERT(idle == slots_.size());
  for (Record& record : slots_) {
    if (record.registration) record.registration.clear(Mark::cached);
  }
}

void States::move(Record& record, State to) noexcept {
  --in_state_[static_cast<std::size_t>(record.state)];
  ++in_state_[static_cast<std::size_t>(to)];
  record.state = to;
}

IndexEntry States::entry_of(Slot slot) noexcept {
  const Record& from = record(slot);
  return {.slot = slot,
          .hash = from.identity.hash,
          .lineage = from.identity.lineage,
          .registration = from.registration_number};
}

void States::to_free_list(Slot slot) noexcept {
  move(record(slot), State::reset);
  free_.push_back(slot);
  ++counters_.reset;
}

bool States::allocate(std::span<Slot> out) {
  std::vector<Registration> gone;  // before the lock: let go after it
  const MutexLock lock(mutex_);
  std::size_t got = 0;
  std::size_t from_free = 0;
  for (; got < out.size(); ++got) {
    std::optional<Slot> slot = free_.take_front();
    if (slot) ++from_free;
    if (!slot) slot = index_->take();
    if (!slot) break;
    out[got] = *slot;
  }
  if (got < out.size()) {
    while (got > from_free) index_->restore(entry_of(out[--got]));
    while (got > 0) free_.push_front(out[--got]);
    ++counters_.refused;
    return false;
  }
  for (const Slot slot : out) {
    Record& taken = record(slot);
    if (taken.state == State::inactive) {
      forget_locked(slot, gone);
      ++counters_.evicted;
    }
    move(taken, State::mutable_);
  }
  counters_.allocated += out.size();
  return true;
}

// The hash is no longer registered; the state is the caller's to change.
void States::forget_locked(Slot slot, std::vector<Registration>& gone) noexcept {
  Record& record = this->record(slot);
  const std::size_t erased = map_.erase(record.identity.hash);
  ARTFS_ASSERT(erased == 1);
  record.registration.clear(Mark::cached);
  gone.push_back(std::exchange(record.registration, Registration()));
  record.reset_on_release = false;
}

void States::stage(Slot slot, const Identity& identity) {
  Registration registration = registry_.enrol(identity.hash);
  const MutexLock lock(mutex_);
  Record& record = this->record(slot);
  ARTFS_ASSERT(record.state == State::mutable_);
  record.identity = identity;
  record.registration = std::move(registration);
  move(record, State::staged);
}

void States::reset(Slot slot) noexcept {
  Registration gone;
  const MutexLock lock(mutex_);
  Record& record = this->record(slot);
  ARTFS_ASSERT(record.state == State::mutable_ || record.state == State::staged);
  gone = std::exchange(record.registration, Registration());
  to_free_list(slot);
}

Tenure States::begin_tenure(Slot slot, State state) noexcept {
  Record& record = this->record(slot);
  move(record, state);
  const std::uint32_t generation =
      generation_of(record.tenure.load(std::memory_order_relaxed)) + 1;  // ours under the lock
  record.tenure.store(tenure_word(generation, 1), std::memory_order_release);
  return {.slot = slot, .generation = generation};
}

Tenure States::enter(Slot slot) {
  std::vector<Registration> gone;
  const MutexLock lock(mutex_);
  Record& record = this->record(slot);
  ARTFS_ASSERT(record.state == State::staged);
  if (const std::optional<Tenure> other = find_locked(record.identity.hash, gone)) {
    this->record(other->slot).reset_on_release = false;  // somebody wants these contents again
    if (duplicates_ == Duplicates::reject) {
      gone.push_back(std::exchange(record.registration, Registration()));
      to_free_list(slot);
      ++counters_.rejected;
      return *other;
    }
    if (release(*other)) retire_locked(other->slot, gone);
    ++counters_.duplicated;
    return begin_tenure(slot, State::duplicate);
  }
  map_.emplace(record.identity.hash, slot);
  record.registration.set(Mark::cached);
  record.registration_number = ++registrations_;
  record.reset_on_release = false;
  ++counters_.registered;
  return begin_tenure(slot, State::primary);
}

std::optional<Tenure> States::find_locked(const base::Hash128& hash,
                                          std::vector<Registration>& gone) {
  const auto found = map_.find(hash);
  if (found == map_.end()) return std::nullopt;
  const Slot slot = found->second;
  Record& record = this->record(slot);
  if (record.state == State::primary) {
    // Acquire pairs with release(): at no holders their reads of the buffer are over.
    std::uint64_t seen = record.tenure.load(std::memory_order_acquire);
    while (holders_of(seen) > 0) {
      if (record.tenure.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) {
        return Tenure{.slot = slot, .generation = generation_of(seen)};
      }
    }
    // Its last holder is on the way here: do its work.
    ++counters_.raced_lookups;
    retire_locked(slot, gone);
    if (record.state != State::inactive) return std::nullopt;
  }
  ARTFS_ASSERT(record.state == State::inactive);
  index_->remove(entry_of(slot));
  ++counters_.revived;
  return begin_tenure(slot, State::primary);
}

void States::count_lookup(std::size_t found, std::size_t asked) noexcept {
  counters_.hits += found;
  counters_.misses += asked - found;
}

std::size_t States::find_prefix(std::span<const base::Hash128> hashes, std::span<Tenure> out) {
  ARTFS_ASSERT(out.size() >= hashes.size());
  std::size_t found = 0;
  {
    std::vector<Registration> gone;
    const MutexLock lock(mutex_);
    for (; found < hashes.size(); ++found) {
      const std::optional<Tenure> tenure = find_locked(hashes[found], gone);
      if (!tenure) break;
      out[found] = *tenure;
    }
    count_lookup(found, std::min(found + 1, hashes.size()));
  }
  for (const base::Hash128& hash : hashes.first(found)) sketch_.touch(hash);
  return found;
}

std::size_t States::find_scattered(std::span<const base::Hash128> hashes,
                                   std::span<std::optional<Tenure>> out) {
  ARTFS_ASSERT(out.size() >= hashes.size());
  std::size_t found = 0;
  {
    std::vector<Registration> gone;
    const MutexLock lock(mutex_);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      out[i] = find_locked(hashes[i], gone);
      if (out[i]) ++found;
    }
    count_lookup(found, hashes.size());
  }
  // The misses too: what was asked for often is worth more when it comes.
  for (const base::Hash128& hash : hashes) sketch_.touch(hash);
  return found;
}

bool States::contains(const base::Hash128& hash) const {
  const MutexLock lock(mutex_);
  return map_.contains(hash);
}

void States::share(Tenure tenure) noexcept {
  // The caller's own hold orders everything that matters.
  const std::uint64_t before = record(tenure.slot).tenure.fetch_add(1, std::memory_order_relaxed);
  ARTFS_ASSERT(holders_of(before) > 0 && generation_of(before) == tenure.generation);
}

bool States::try_share(Tenure tenure) noexcept {
  std::atomic<std::uint64_t>& word = record(tenure.slot).tenure;
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  while (holders_of(seen) > 0 && generation_of(seen) == tenure.generation) {
    // Acquire pairs with begin_tenure(): the contents are those of this tenure.
    if (word.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) {
      shared_weakly_.fetch_add(1, std::memory_order_relaxed);  // a counter
      return true;
    }
  }
  return false;
}

bool States::release(Tenure tenure) noexcept {
  // Release: our reads of the buffer come before whoever refills it.
  const std::uint64_t before = record(tenure.slot).tenure.fetch_sub(1, std::memory_order_acq_rel);
  ARTFS_ASSERT(holders_of(before) > 0 && generation_of(before) == tenure.generation);
  return holders_of(before) == 1;
}

void States::retire(Tenure tenure) noexcept {
  std::vector<Registration> gone;
  const MutexLock lock(mutex_);
  const Record& record = this->record(tenure.slot);
  const bool held = record.state == State::primary || record.state == State::duplicate;
  if (!held || record.tenure.load(std::memory_order_relaxed) != tenure_word(tenure.generation, 0)) {
    ++counters_.late_releases;
    return;
  }
  retire_locked(tenure.slot, gone);
}

void States::retire_locked(Slot slot, std::vector<Registration>& gone) noexcept {
  Record& record = this->record(slot);
  if (record.state == State::duplicate) {
    gone.push_back(std::exchange(record.registration, Registration()));
    to_free_list(slot);
  } else if (record.reset_on_release) {
    forget_locked(slot, gone);
    to_free_list(slot);
  } else {
    move(record, State::inactive);
    index_->add(entry_of(slot));
    ++counters_.retired;
  }
}

void States::reset_on_release(const base::Hash128& hash) noexcept {
  std::vector<Registration> gone;
  const MutexLock lock(mutex_);
  const auto found = map_.find(hash);
  if (found == map_.end()) return;
  const Slot slot = found->second;
  if (record(slot).state == State::primary) {
    record(slot).reset_on_release = true;
    return;
  }
  index_->remove(entry_of(slot));
  forget_locked(slot, gone);
  to_free_list(slot);
}

BlockCacheStats States::stats() const {
  const MutexLock lock(mutex_);
  const auto in = [this](State state)
                      ARTFS_REQUIRES(mutex_) { return in_state_[static_cast<std::size_t>(state)]; };
  BlockCacheStats stats = counters_;
  stats.hits += shared_weakly_.load(std::memory_order_relaxed);  // a counter
  stats.blocks = slots_.size();
  stats.free = in(State::reset);
  stats.filling = in(State::mutable_);
  stats.staged = in(State::staged);
  stats.active = in(State::primary);
  stats.duplicates = in(State::duplicate);
  stats.inactive = in(State::inactive);
  return stats;
}

}  // namespace artfs::data::pool
