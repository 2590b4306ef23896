// SPDX-License-Identifier: Apache-2.0
#include "data/space.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "data/contents.hpp"
#include "engine/store_impl.hpp"
#include "format/content.hpp"

namespace artfs::data {

namespace {

constexpr std::size_t run_key_bytes = 8;
constexpr std::uint64_t growth_step_units_max = gib / unit_bytes;

std::string_view as_view(const std::array<char, 8>& chars) {
  return {chars.data(), chars.size()};
}

std::uint64_t sum_of(std::span<const UnitRun> runs) {
  std::uint64_t units = 0;
  for (const UnitRun& run : runs) units += run.count;
  return units;
}

}  // namespace

Space::Space(Store& store, Tree tree, BlockFile& file, const BlockIndex& index,
             const SpaceOptions& options)
    : store_(store),
      tree_(tree),
      file_(file),
      index_(index),
      options_(options),
      block_units_(options.block_bytes / unit_bytes),
      recorded_(block_units_),
      free_(block_units_) {}

std::uint64_t Space::total_units() const {
  return static_cast<std::uint64_t>(tree_.counter(format::space_counter_total));
}

Result<void> Space::for_each_run(const std::function<void(UnitRun)>& visit) const {
  Scan scan = tree_.scan({});
  while (ARTFS_TRY(scan.next())) {
    const ScanEntry& entry = scan.entry();
    if (entry.key.size() != run_key_bytes || entry.value.size() != sizeof(format::FreeRun)) {
      return fail(Errc::record_corrupt);
    }
    const auto record = base::copy_object<format::FreeRun>(base::as_bytes(entry.value));
    visit({.first = base::load_be64(entry.key.data()), .count = record.units});
  }
  return {};
}

Result<void> Space::load() {
  std::vector<UnitRun> runs;
  ARTFS_TRY(for_each_run([&runs](UnitRun run) { runs.push_back(run); }));
  const std::uint64_t total = total_units();
  const base::MutexLock turn(turn_);
  const base::MutexLock lock(mutex_);
  std::uint64_t end = 0;
  for (const UnitRun& run : runs) {
    if (run.first < end || run.count == 0 || run.count > total || run.first > total - run.count) {
      return fail(Errc::record_corrupt, run.first);
    }
    end = run.first + run.count;
    recorded_.insert(run);
    free_.insert(run);
  }
  return {};
}

bool Space::try_reserve(std::uint64_t units) {
  const base::MutexLock lock(mutex_);
  release_durable();
  if (reserved_ + units > free_.usable_units()) return false;
  reserved_ += units;
  return true;
}

Result<void> Space::reserve(std::uint64_t units) {
  if (units == 0) return {};
  if (options_.read_only) return fail(Errc::store_read_only);
  for (;;) {
    if (try_reserve(units)) return {};
    if (ARTFS_TRY(grow(units))) continue;
    Version waiting;
    {
      const base::MutexLock lock(mutex_);
      for (const Quarantined& freed : quarantine_) waiting = std::max(waiting, freed.version);
    }
    if (!waiting) {
      if (try_reserve(units)) return {};
      return fail(Errc::no_space);
    }
    ARTFS_TRY(store_.sync_to(waiting));
  }
}

void Space::unreserve(std::uint64_t units) noexcept {
  if (units == 0) return;
  const base::MutexLock lock(mutex_);
  ARTFS_ASSERT(units <= reserved_);
  reserved_ -= units;
}

void Space::release_durable() {
  while (!quarantine_.empty() && store_.is_durable(quarantine_.front().version)) {
    for (const UnitRun& run : quarantine_.front().runs) free_.insert(run);
    quarantined_units_ -= sum_of(quarantine_.front().runs);
    quarantine_.pop_front();
  }
}

std::uint64_t Space::growable_units() const {
  if (options_.read_only) return 0;
  const Result<std::uint64_t> free = store_.impl().directory().free_bytes();
  if (!free) return 0;
  const std::uint64_t whole = *free + total_units() * unit_bytes;
  const std::uint64_t headroom = std::min(options_.headroom_bytes_max, whole / 16);
  const std::uint64_t units = *free > headroom ? (*free - headroom) / unit_bytes : 0;
  return std::min(units, format::content_units_max - total_units());
}

// True: blocks.dat grew, or somebody else made room meanwhile; try again. False: it cannot grow.
Result<bool> Space::grow(std::uint64_t units) {
  const base::MutexLock turn(turn_);
  {
    const base::MutexLock lock(mutex_);
    release_durable();
    if (reserved_ + units <= free_.usable_units()) return true;
  }
  const std::uint64_t total = total_units();
  const std::uint64_t step =
      std::clamp(total / 4, options_.growth_step_bytes / unit_bytes, growth_step_units_max);
  UnitRun run{.first = total, .count = std::max(step, units + block_units_)};
  run.count = std::min(run.count, growable_units());
  for (;;) {
    if (run.count == 0) return false;
    const Result<void> grown = file_.grow(run);
    if (grown) break;
    if (grown.error().code != Errc::no_space) return fail(grown.error());
    run.count /= 2;  // the device had less than it said
  }
  std::set<std::uint64_t> touched;
  record_free(run, touched);
  Txn txn;
  write_touched(touched, txn);
  txn.add(tree_, format::space_counter_total, static_cast<std::int64_t>(run.count));
  const Result<Version> version = store_.commit(txn);
  if (!version) {
    recorded_.remove(run);
    return fail(version.error());
  }
  const base::MutexLock lock(mutex_);
  free_.insert(run);
  return true;
}

// Runs too short for a block cannot be promised, and single units that were freed leave them: where a quarter
// of what is free is lost that way, patches go there, one by one, instead of side by side.
bool Space::scraps_are_many() const {
  const std::uint64_t free = free_.free_units();
  return (free - free_.usable_units()) * 4 > free;
}

Result<std::vector<UnitRun>> Space::allocate(std::span<const std::uint32_t> sizes,
                                             std::uint64_t reserved) {
  const base::MutexLock lock(mutex_);
  release_durable();
  ARTFS_ASSERT(reserved <= reserved_);
  std::uint64_t left = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  std::vector<UnitRun> places;
  places.reserve(sizes.size());
  UnitRun piece;
  for (const std::uint32_t size : sizes) {
    ARTFS_ASSERT(size > 0 && size <= block_units_);
    if (piece.count < size) {
      free_.insert(piece);
      const auto taken = size == 1 && scraps_are_many() ? free_.take(1, 1) : free_.take(left, size);
      if (!taken) {
        for (const UnitRun& place : places) free_.insert(place);
        return fail(Errc::no_space);
      }
      piece = *taken;
    }
    places.push_back({.first = piece.first, .count = size});
    piece = {.first = piece.first + size, .count = piece.count - size};
    left -= size;
  }
  free_.insert(piece);
  reserved_ -= reserved;
  return places;
}

void Space::give_back(std::span<const UnitRun> places, std::uint64_t reserved) noexcept {
  const base::MutexLock lock(mutex_);
  reserved_ += reserved;
  // The commit that stopped the store may have reached the disk: its units must stay untouched.
  if (file_.stopped()) return;
  for (const UnitRun& place : places) free_.insert(place);
}

void Space::record_free(UnitRun run, std::set<std::uint64_t>& touched) {
  if (const auto below = recorded_.run_reaching(run.first)) touched.insert(below->first);
  touched.insert(run.first);
  touched.insert(run.first + run.count);
  recorded_.insert(run);
}

void Space::record_used(UnitRun run, std::set<std::uint64_t>& touched) {
  if (const auto whole = recorded_.run_reaching(run.first)) touched.insert(whole->first);
  touched.insert(run.first + run.count);
  recorded_.remove(run);
}

void Space::write_touched(const std::set<std::uint64_t>& touched, Txn& txn) {
  for (const std::uint64_t unit : touched) {
    const std::array<char, 8> key = base::be64_chars(unit);
    if (const auto run = recorded_.run_starting(unit)) {
      format::FreeRun record{};
      record.units = run->count;
      txn.put(tree_, as_view(key), base::as_chars(base::object_bytes(record)));
    } else {
      txn.erase(tree_, as_view(key));
    }
  }
}

std::optional<BlockHolds::Pending> Space::claim(const base::Hash128& hash) {
  const base::MutexLock lock(mutex_);
  std::optional<BlockHolds::Pending> pending = holds_.find(hash);
  if (!pending) holds_.claim(hash);
  return pending;
}

void Space::withdraw(const base::Hash128& hash) noexcept {
  const base::MutexLock lock(mutex_);
  holds_.withdraw(hash);
  written_cond_.notify_all();
}

void Space::offer(const StoredBlock& block, std::uint64_t write_ticket) {
  const base::MutexLock lock(mutex_);
  holds_.offer(block, write_ticket);
  written_cond_.notify_all();
}

void Space::await(const base::Hash128& hash) {
  base::MutexLock lock(mutex_);
  while (holds_.is_being_written(hash)) written_cond_.wait(lock);
}

void Space::hold(const StoredBlock& block) {
  const base::MutexLock lock(mutex_);
  holds_.hold(block);
}

void Space::release(const StoredBlock& block) noexcept {
  const base::MutexLock lock(mutex_);
  const std::optional<BlockHolds::Held> last = holds_.release(block.place.first);
  if (!last || last->state == BlockHolds::State::used) return;
  if (last->state == BlockHolds::State::freed) {
    quarantine_.push_back({.version = last->freed_at, .runs = {last->block.place}});
  } else if (!file_.stopped()) {  // as give_back
    free_.insert(last->block.place);
  }
}

SpaceUse Space::use() const {
  const std::uint64_t growable = growable_units();
  const auto used = static_cast<std::uint64_t>(tree_.counter(format::space_counter_used));
  const base::MutexLock lock(mutex_);
  const std::uint64_t free = free_.free_units() + quarantined_units_ + growable;
  return {.used = used, .free = free - std::min(free, reserved_), .reserved = reserved_};
}

}  // namespace artfs::data
