// SPDX-License-Identifier: Apache-2.0
// AccessRing: the last requests that one thread has answered.
//
// Contract:   put() overwrites the oldest of `capacity`; copy() appends those that are whole, oldest first.
// Threading:  one thread puts; any thread copies, without stopping it: what is overwritten meanwhile is left out.
//             Each word is stored with release and loaded with acquire, so whoever sees a word of entry j sees the
//             head of at least j, and drops the entry that stood there before.
// Cost:       five stores; 16 KiB each.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace artfs::fuse {

struct AccessEntry {
  std::uint64_t started_ns = 0;  // monotonic
  std::uint64_t took_ns = 0;     // up to 2^40 - 1
  std::uint64_t ino = 0;         // what the request names: of names their directory
  std::uint32_t uid = 0;
  std::uint32_t pid = 0;
  std::uint32_t opcode = 0;  // below 256
  std::uint32_t error = 0;   // errno, 0: done

  friend bool operator==(const AccessEntry&, const AccessEntry&) = default;
};

class AccessRing {
 public:
  static constexpr std::size_t capacity = 512;

  void put(const AccessEntry& entry) noexcept {
    const std::uint64_t index = head_.load(std::memory_order_relaxed);
    Words& words = entries_[index % capacity];
    words[0].store(entry.started_ns, std::memory_order_release);
    words[1].store(entry.ino, std::memory_order_release);
    words[2].store((std::uint64_t{entry.uid} << 32) | entry.pid, std::memory_order_release);
    words[3].store((std::min(entry.took_ns, took_max) << took_shift) |
                       ((std::uint64_t{entry.error} & 0xffff) << error_shift) |
                       (entry.opcode & 0xff),
                   std::memory_order_release);
    head_.store(index + 1, std::memory_order_release);
  }

  void copy(std::vector<AccessEntry>& out) const {
    const std::uint64_t end = head_.load(std::memory_order_acquire);
    const std::size_t first = out.size();
    const std::uint64_t begin = end - std::min<std::uint64_t>(end, capacity);
    for (std::uint64_t index = begin; index < end; ++index) out.push_back(entry_at(index));
    // The one that is being written now stands where entry `now - capacity` stood.
    const std::uint64_t now = head_.load(std::memory_order_acquire);
    const std::uint64_t whole_from = now + 1 - std::min<std::uint64_t>(now + 1, capacity);
    const std::uint64_t torn = std::min(std::max(whole_from, begin), end) - begin;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(first),
              out.begin() + static_cast<std::ptrdiff_t>(first + torn));
  }

 private:
  using Words = std::array<std::atomic<std::uint64_t>, 4>;
  static constexpr unsigned error_shift = 8;
  static constexpr unsigned took_shift = 24;
  static constexpr std::uint64_t took_max = (std::uint64_t{1} << 40) - 1;

  [[nodiscard]] AccessEntry entry_at(std::uint64_t index) const noexcept {
    const Words& words = entries_[index % capacity];
    AccessEntry entry;
    entry.started_ns = words[0].load(std::memory_order_acquire);
    entry.ino = words[1].load(std::memory_order_acquire);
    const std::uint64_t caller = words[2].load(std::memory_order_acquire);
    const std::uint64_t packed = words[3].load(std::memory_order_acquire);
    entry.uid = static_cast<std::uint32_t>(caller >> 32);
    entry.pid = static_cast<std::uint32_t>(caller);
    entry.took_ns = packed >> took_shift;
    entry.error = static_cast<std::uint32_t>((packed >> error_shift) & 0xffff);
    entry.opcode = static_cast<std::uint32_t>(packed & 0xff);
    return entry;
  }

  std::array<Words, capacity> entries_{};
  std::atomic<std::uint64_t> head_{0};
};

}  // namespace artfs::fuse
