// SPDX-License-Identifier: Apache-2.0
#include "io/memory_state.hpp"

#include <cerrno>
#include <random>
#include <set>
#include <utility>

namespace artfs::io {

namespace {

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
