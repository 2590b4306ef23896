// SPDX-License-Identifier: Apache-2.0
#include "io/memory_state.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <random>
#include <set>
#include <utility>

namespace artfs::io {

namespace {

constexpr std::uint64_t sector_bytes = 512;

std::optional<Error> step(Failure& failure) {
  if (failure.countdown == 0 || --failure.countdown != 0) return std::nullopt;
  if (failure.repeat == MemoryDirectory::Repeat::for_ever) failure.countdown = 1;
  const bool is_device = failure.code == Errc::io_failed;
  return Error{failure.code, is_device ? static_cast<std::uint64_t>(EIO) : 0};
}

void apply_change(NameMap& names, const NameChange& change) {
  if (!change.second_name.empty()) {
    names.erase(change.name);
    names[change.second_name] = change.inode;
  } else if (change.inode) {
    names[change.name] = change.inode;
  } else {
    names.erase(change.name);
  }
}

InodePtr settled(SparseBytes contents) {
  auto inode = std::make_shared<MemoryInode>();
  inode->assign(std::move(contents));
  return inode;
}

}  // namespace

std::optional<Error> MemoryDirectory::State::next_change() {
  ++counters.changes;
  return step(change_failure);
}

std::optional<Error> MemoryDirectory::State::next_sync() {
  const std::optional<Error> error = next_change();
  const std::optional<Error> sync_error = step(sync_failure);
  return error ? error : sync_error;
}

void MemoryDirectory::State::store(const InodePtr& inode, std::uint64_t offset,
                                   std::span<const std::byte> data) {
  if (write_damage.countdown == 0 || --write_damage.countdown != 0) {
    inode->write(offset, data);
  } else {
    store_damaged(inode, offset, data);
  }
}

std::string MemoryDirectory::State::name_of(const InodePtr& wanted) const {
  for (const auto& [name, named] : names) {
    if (named == wanted) return name;
  }
  return "(removed)";
}

void MemoryDirectory::State::store_damaged(const InodePtr& inode, std::uint64_t offset,
                                           std::span<const std::byte> data) {
  std::mt19937_64 random(write_damage.seed);
  // From `begin` to `end` of the data: sectors of the file, or everything.
  std::uint64_t begin = 0;
  std::uint64_t end = data.size();
  if (random() % 2 == 0 && offset / sector_bytes != (offset + end - 1) / sector_bytes) {
    const std::uint64_t sectors = (offset + end - 1) / sector_bytes - offset / sector_bytes + 1;
    const std::uint64_t first = offset / sector_bytes + random() % sectors;
    const std::uint64_t last = std::min(first + 1 + random() % sectors,  // behind it
                                        offset / sector_bytes + sectors);
    begin = std::max(first * sector_bytes, offset) - offset;
    end = std::min(last * sector_bytes, offset + end) - offset;
  }
  const auto part = [&](std::uint64_t from, std::uint64_t to) {
    return data.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  };
  if (begin > 0) inode->write(offset, part(0, begin));
  if (end < data.size()) inode->write(offset + end, part(end, data.size()));
  // The file's size is the filesystem's affair: it is right.
  if (inode->size() < offset + data.size()) inode->resize(offset + data.size());
  damage = "of a write of " + std::to_string(data.size()) + " bytes at " + std::to_string(offset) +
           " of " + name_of(inode) + " bytes " + std::to_string(begin) + " to " +
           std::to_string(end);
  if (write_damage.fault == WriteFault::dropped) {
    damage += " were dropped";
    return;
  }
  auto target = names.begin();
  std::advance(target, static_cast<std::ptrdiff_t>(random() % names.size()));
  const InodePtr& wrong = random() % 2 == 0 ? inode : target->second;
  const std::uint64_t sectors = (wrong->size() + sector_bytes - 1) / sector_bytes;
  const std::uint64_t place =
      (sectors == 0 ? 0 : random() % sectors) * sector_bytes + (offset + begin) % sector_bytes;
  damage += " went to " + std::to_string(place) + " of " + name_of(wrong);
  if (place >= wrong->size()) return;  // into the rest of a sector that nobody reads
  wrong->write(place, part(begin, begin + std::min(end - begin, wrong->size() - place)));
}

std::optional<Error> MemoryDirectory::State::next_read() {
  ++counters.reads;
  return step(read_failure);
}

void MemoryDirectory::State::change_name(NameChange change) {
  apply_change(names, change);
  name_changes.push_back(std::move(change));
}

std::uint64_t MemoryDirectory::State::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, inode] : names) sum += inode->size();
  return sum;
}

bool MemoryDirectory::State::has_room(std::uint64_t growth) const {
  return !capacity || growth == 0 || used_bytes() + growth <= *capacity;
}

NameMap MemoryDirectory::State::after_power_cut(std::optional<std::uint64_t> seed) const {
  NameMap kept = durable_names;
  std::mt19937_64 random(seed.value_or(0));
  if (seed) {
    const std::uint64_t mood = random() % 4;  // none, all, or some
    std::set<std::string> lost;
    for (const NameChange& change : name_changes) {
      const bool builds_on_lost = lost.contains(change.name) || lost.contains(change.second_name);
      if (builds_on_lost || mood == 0 || (mood > 1 && random() % 2 == 0)) {
        lost.insert(change.name);
        if (!change.second_name.empty()) lost.insert(change.second_name);
      } else {
        apply_change(kept, change);
      }
    }
  }
  // One file may have two names here (a rename of which only half was kept elsewhere): one inode.
  std::map<const MemoryInode*, InodePtr> settled_inodes;
  for (auto& [name, inode] : kept) {
    InodePtr& target = settled_inodes[inode.get()];
    if (!target) target = settled(seed ? inode->after_power_cut(random()) : inode->durable());
    inode = target;
  }
  return kept;
}

}  // namespace artfs::io
