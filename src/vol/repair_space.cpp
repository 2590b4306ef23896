// SPDX-License-Identifier: Apache-2.0
// Extents and free space: what no extent names is free.
#include <algorithm>
#include <tuple>

#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "data/extents.hpp"
#include "format/content.hpp"
#include "vol/repair.hpp"

namespace artfs::vol {
namespace {

using Runs = std::map<std::uint64_t, std::uint64_t>;  // first unit -> units

std::uint64_t sum_of(const Runs& runs) {
  std::uint64_t sum = 0;
  for (const auto& [first, count] : runs) sum += count;
  return sum;
}

// Of two sets of runs without neighbours that touch: what both have.
Runs common(const Runs& left, const Runs& right) {
  Runs out;
  auto a = left.begin();
  auto b = right.begin();
  while (a != left.end() && b != right.end()) {
    const std::uint64_t end_a = a->first + a->second;
    const std::uint64_t end_b = b->first + b->second;
    const std::uint64_t first = std::max(a->first, b->first);
    const std::uint64_t end = std::min(end_a, end_b);
    if (first < end) out[first] = end - first;
    if (end_a < end_b) {
      ++a;
    } else {
      ++b;
    }
  }
  return out;
}

}  // namespace

Result<void> Repair::scan_extents() {
  return scan_class(format::extents_class, false,
                    [this](const format::ParsedKey& key, const ScanEntry& entry) {
                      return visit_extent(key, entry);
                    });
}

Result<void> Repair::visit_extent(const format::ParsedKey& key, const ScanEntry& entry) {
  RepairFacts* const owner = facts_of(key.ino.raw);
  const bool is_kept = owner != nullptr && !owner->is_dropped &&
                       (owner->is_damaged || owner->type == format::mode_regular);
  if (!is_kept) {
    if (owner == nullptr || !owner->is_dropped) {
      did("an extent belongs to inode {}, which is no file: removed", key.ino.raw);
    }
    return batch_.erase(tree_, entry.key);
  }
  const Result<data::Run> run = data::decode_run(key.ino, entry.value);
  if (!run || data::run_of(key.block) != key.block) {
    owner->has_damaged_extents = true;
    has_damaged_extents_ = true;
    return {};
  }
  for (const data::Block& block : *run) {
    owner->units_found += block.units();
    for (const data::UnitRun& place : block.patch_places()) named_.push_back({.place = place});
    if (block.has_base()) named_.push_back(data::stored_block(block));
  }
  return {};
}

// Records that overlap or cannot be understood are replaced below in any case: what counts is the sum.
Result<Runs> Repair::recorded_free_runs() {
  Runs recorded;
  Scan scan = space_.scan({});
  std::uint64_t end = 0;
  while (ARTFS_TRY(scan.next())) {
    const ScanEntry& entry = scan.entry();
    const bool is_run =
        entry.key.size() == sizeof(std::uint64_t) && entry.value.size() == sizeof(format::FreeRun);
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    if (is_run) {
      first = base::load_be64(entry.key.data());
      count = base::copy_object<format::FreeRun>(base::as_bytes(entry.value)).units;
    }
    if (count == 0 || first < end || count > ~std::uint64_t{0} - first) {
      did("free space: a record is damaged or overlaps another: removed");
      ARTFS_TRY(batch_.erase(space_, entry.key));
      continue;
    }
    recorded[first] = count;
    end = first + count;
  }
  ARTFS_TRY(batch_.flush());
  return recorded;
}

Runs Repair::wanted_free_runs(const Runs& recorded) {
  const auto order = [](const data::StoredBlock& block) {
    return std::tuple(block.place.first, block.hash.high, block.hash.low);
  };
  std::sort(named_.begin(), named_.end(),
            [&order](const data::StoredBlock& left, const data::StoredBlock& right) {
              return order(left) < order(right);
            });
  const auto total = static_cast<std::uint64_t>(space_.counter(format::space_counter_total));
  Runs wanted;
  std::uint64_t end = 0;
  const data::StoredBlock* previous = nullptr;
  for (const data::StoredBlock& block : named_) {
    const data::UnitRun& run = block.place;
    const bool is_shared = block.stored_bytes != 0 && previous != nullptr && block == *previous;
    if (!is_shared) used_units_ += run.count;
    previous = &block;
    if (run.first >= total) continue;
    if (run.first > end) wanted[end] = run.first - end;
    end = std::max(end, run.first + run.count);
  }
  if (end < total) wanted[end] = total - end;
  // What a damaged extent names is not known: nothing becomes free that was not.
  return has_damaged_extents_ ? common(wanted, recorded) : wanted;
}

Result<void> Repair::rebuild_free_space() {
  const Runs recorded = ARTFS_TRY(recorded_free_runs());
  const Runs wanted = wanted_free_runs(recorded);
  const std::int64_t counted = space_.counter(format::space_counter_used);
  const auto used = static_cast<std::int64_t>(used_units_);
  if (recorded != wanted) {
    const std::uint64_t agreed = sum_of(common(recorded, wanted));
    // The space of reclaimed orphans comes back here, too; that alone is no repair.
    const std::uint64_t not_free = sum_of(recorded) - agreed;
    const auto freed = static_cast<std::int64_t>(sum_of(wanted) - agreed);
    if (report_.orphans == 0 || not_free != 0 || counted - used != freed) {
      did("free space: {} units were not free, {} were neither used nor free: made anew", not_free,
          freed);
    }
  }
  for (const auto& [first, count] : recorded) {
    if (wanted.contains(first)) continue;
    const auto key = base::be64_chars(first);
    ARTFS_TRY(batch_.erase(space_, {key.data(), key.size()}));
  }
  for (const auto& [first, count] : wanted) {
    const auto there = recorded.find(first);
    if (there != recorded.end() && there->second == count) continue;
    const auto key = base::be64_chars(first);
    format::FreeRun record{};
    record.units = count;
    ARTFS_TRY(
        batch_.put(space_, {key.data(), key.size()}, base::as_chars(base::object_bytes(record))));
  }
  if (counted != used) {
    if (report_.orphans == 0) did("counter of used units: {}, now {}", counted, used);
    batch_.add(space_, format::space_counter_used, used - counted);
  }
  return batch_.flush();
}

}  // namespace artfs::vol
