// SPDX-License-Identifier: Apache-2.0
// Workload: the keys and values of a benchmark, each a function of its index alone.
//
// Contract:   the same for every engine, machine and run. Different indices give different keys.
//   fs        /usr/local/share/category-%d/file-%06d, packed inode records of 32 bytes
//   objstore  bucket-%02d/path/sub/file-%06d.bin, small JSON values
//   deep      paths of 6 to 10 components as a source tree has them, 138 bytes with their value of 32
// Cost:       tens of nanoseconds, no allocation into a buffer that was used before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace artfs::bench {

enum class WorkloadKind : std::uint8_t { fs, objstore, deep };

[[nodiscard]] std::optional<WorkloadKind> workload_named(std::string_view name);

class Workload {
 public:
  Workload(WorkloadKind kind, std::uint64_t keys) noexcept : kind_(kind), keys_(keys) {}

  [[nodiscard]] std::string_view name() const noexcept;

  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }

  void key(std::uint64_t index, std::string& out) const;
  void value(std::uint64_t index, std::uint64_t round, std::string& out) const;
  // What a listing near this key lists: a prefix of the key that ends in a slash.
  void directory(std::uint64_t index, std::string& out) const;
  // What is listed with a delimiter: 16 or 32 names are directly below it.
  [[nodiscard]] std::string rollup_prefix() const;

 private:
  WorkloadKind kind_;
  std::uint64_t keys_;
};

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
