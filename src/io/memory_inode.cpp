// SPDX-License-Identifier: Apache-2.0
#include "io/memory_inode.hpp"

#include <algorithm>
#include <utility>

namespace artfs::io {

namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t cut_page_bytes = 4096;

// splitmix64: a good bit mixer, so that choices need no stored state.
std::uint64_t mix(std::uint64_t seed, std::uint64_t value) noexcept {
  std::uint64_t x = seed + (value + 1) * 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

// How many of `changes` a place on the device has seen when the power goes.
std::uint64_t pick_prefix(std::uint64_t random, std::uint64_t changes) noexcept {
  switch (random % 4) {
    case 0:
      return 0;
    case 1:
      return changes;
    default:
      return (random >> 8U) % (changes + 1);
  }
}

// The whole file tends one way or the other in half of the seeds, so that the extremes occur too.
class Fate {
 public:
  Fate(std::uint64_t seed, std::uint64_t changes) noexcept : seed_(seed), changes_(changes) {}

  [[nodiscard]] std::uint64_t size_prefix() const noexcept {
    return pick_prefix(mix(seed_, 0x517e), changes_);
  }

  [[nodiscard]] std::uint64_t sector_prefix(std::uint64_t sector) const noexcept {
    const std::uint64_t mood = mix(seed_, 0x3d00d) % 8;
    if (mood == 0) return 0;
    if (mood == 1) return changes_;
    if (mood == 2) return pick_prefix(mix(seed_ ^ 0x7047, sector), changes_);  // no 4 KiB are one
    const std::uint64_t page = sector * sector_bytes / cut_page_bytes;
    const std::uint64_t page_random = mix(seed_ ^ 0xa9e, page);
    const bool is_torn = mood != 3 && page_random % 8 == 0;  // 3: a device of 4 KiB sectors
    return pick_prefix(is_torn ? mix(seed_ ^ 0x7047, sector) : mix(page_random, 1), changes_);
  }

 private:
  std::uint64_t seed_;
  std::uint64_t changes_;
};

}  // namespace

std::vector<std::byte> MemoryInode::copy_below_size(std::uint64_t offset,
                                                    std::uint64_t length) const {
  if (offset >= size()) return {};
  std::vector<std::byte> copy(static_cast<std::size_t>(std::min(length, size() - offset)));
  current_.read(offset, copy);
  return copy;
}

void MemoryInode::redo(SparseBytes& bytes, const Change& change) {
  switch (change.kind) {
    case Change::Kind::write:
      bytes.write(change.offset, change.data);
      return;
    case Change::Kind::resize:
      bytes.resize(change.offset);
      return;
    case Change::Kind::zero:
      bytes.zero(change.offset, change.length);
      return;
  }
}

void MemoryInode::undo(SparseBytes& bytes, const Change& change) {
  bytes.resize(change.old_size);
  bytes.write(change.offset, change.replaced);
}

void MemoryInode::write(std::uint64_t offset, std::span<const std::byte> data) {
  Change change;
  change.offset = offset;
  change.length = data.size();
  change.old_size = size();
  change.data.assign(data.begin(), data.end());
  change.replaced = copy_below_size(offset, data.size());
  redo(current_, change);
  changes_.push_back(std::move(change));
}

void MemoryInode::resize(std::uint64_t size_bytes) {
  Change change;
  change.kind = Change::Kind::resize;
  change.offset = size_bytes;
  change.old_size = size();
  if (size_bytes < size()) change.replaced = copy_below_size(size_bytes, size() - size_bytes);
  redo(current_, change);
  changes_.push_back(std::move(change));
}

void MemoryInode::zero(std::uint64_t offset, std::uint64_t length) {
  Change change;
  change.kind = Change::Kind::zero;
  change.offset = offset;
  change.length = length;
  change.old_size = size();
  change.replaced = copy_below_size(offset, length);
  redo(current_, change);
  changes_.push_back(std::move(change));
}

void MemoryInode::flip_bit(std::uint64_t bit) {
  std::byte byte{};
  current_.read(bit / 8, std::span(&byte, 1));
  byte ^= std::byte{1} << (bit % 8);
  current_.write(bit / 8, std::span(&byte, 1));
}

void MemoryInode::synced(std::uint64_t changes_seen) {
  if (lost_below_ > base_)
    return;  // what a failed sync lost stays pending, and all that builds on it
  const std::uint64_t count = changes_seen > base_ ? changes_seen - base_ : 0;
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(count));
  base_ += count;
}

void MemoryInode::sync_failed(std::uint64_t changes_seen) {
  lost_below_ = std::max(lost_below_, changes_seen);
}

SparseBytes MemoryInode::durable() const {
  SparseBytes bytes = current_.clone();
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) undo(bytes, *change);
  return bytes;
}

SparseBytes MemoryInode::after_power_cut(std::uint64_t seed) const {
  SparseBytes bytes = durable();
  const Fate fate(seed, changes_.size());
  const std::uint64_t size_prefix = fate.size_prefix();
  std::uint64_t final_size = bytes.size();
  std::uint64_t index = 0;
  for (const Change& change : changes_) {
    const bool is_seen = index < size_prefix;
    if (change.kind == Change::Kind::write) {
      for (std::uint64_t at = 0; at < change.length;) {
        const std::uint64_t sector = (change.offset + at) / sector_bytes;
        const std::uint64_t end =
            std::min(change.length, (sector + 1) * sector_bytes - change.offset);
        if (index < fate.sector_prefix(sector)) {
          const std::span<const std::byte> data(change.data);
          bytes.write(change.offset + at, data.subspan(static_cast<std::size_t>(at),
                                                       static_cast<std::size_t>(end - at)));
        }
        at = end;
      }
      if (is_seen) final_size = std::max(final_size, change.offset + change.length);
    } else if (is_seen) {
      redo(bytes, change);
      if (change.kind == Change::Kind::resize) final_size = change.offset;
    }
    ++index;
  }
  bytes.resize(final_size);
  return bytes;
}

void MemoryInode::assign(SparseBytes contents) {
  current_ = std::move(contents);
  base_ += changes_.size();
  changes_.clear();
  lost_below_ = 0;
}

}  // namespace artfs::io
