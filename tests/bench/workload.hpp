// SPDX-License-Identifier: Apache-2.0
// The `fs` workload: keys, values and the seeded order in which a benchmark touches them.
//
// Contract:   a function of (seed, thread, position) alone, so that every engine sees the same stream.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/endian.hpp"

namespace artfs::bench {

inline constexpr std::uint64_t directories_count = 16;

[[nodiscard]] inline std::string directory_of(std::uint64_t index) {
  return fmt::format("/usr/local/share/category-{}/", index % directories_count);
}

[[nodiscard]] inline std::string key_of(std::uint64_t index) {
  return fmt::format("/usr/local/share/category-{}/file-{:06}", index % directories_count, index);
}

// What a packed inode record of a small filesystem looks like: 32 bytes.
struct PackedInode {
  base::le64 size;
  base::le64 mtime;
  base::le32 mode;
  base::le32 uid;
  base::le32 gid;
  base::le32 nlink;
};

static_assert(sizeof(PackedInode) == 32);

[[nodiscard]] inline PackedInode value_of(std::uint64_t index, std::uint64_t round) {
  PackedInode inode;
  inode.size = index * 4096;
  inode.mtime = 1'700'000'000 + round;
  inode.mode = 0100644;
  inode.uid = 1000;
  inode.gid = 1000;
  inode.nlink = 1;
  return inode;
}

[[nodiscard]] inline std::string_view chars_of(const PackedInode& inode) {
  return base::as_chars(base::object_bytes(inode));
}

// Sebastiano Vigna's splitmix64: fast, seedable, the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111eb;
    return z ^ (z >> 31U);
  }

  // Uniform enough: bound is far below 2^64.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace artfs::bench
