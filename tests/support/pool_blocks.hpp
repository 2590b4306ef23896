// SPDX-License-Identifier: Apache-2.0
// Blocks for tests of the pool: numbered contents, each with a hash that its number gives.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "data/pool/pool.hpp"

namespace artfs::test {

inline constexpr std::size_t pool_block_bytes = 4096;

inline base::Hash128 hash_of(std::uint64_t number) {
  return base::xxh3_128(base::object_bytes(number));
}

// The number, from the first and the last bytes; nothing when they differ.
inline std::optional<std::uint64_t> block_of(std::span<const std::byte> bytes) {
  const auto first = base::copy_object<std::uint64_t>(bytes);
  const auto last = base::copy_object<std::uint64_t>(bytes, bytes.size() - sizeof(std::uint64_t));
  if (first != last) return std::nullopt;
  return first;
}

inline data::pool::CompleteBlock complete(data::pool::MutableBlock&& block, std::uint64_t number,
                                          data::pool::Lineage lineage = {}) {
  const std::span<std::byte> bytes = block.bytes();
  const auto raw = base::object_bytes(number);
  std::copy(raw.begin(), raw.end(), bytes.begin());
  std::copy(raw.begin(), raw.end(), bytes.end() - static_cast<std::ptrdiff_t>(raw.size()));
  return std::move(block).complete({.hash = hash_of(number),
                                    .bytes = static_cast<std::uint32_t>(bytes.size()),
                                    .lineage = lineage});
}

// Registers a block; the pool has room.
inline data::pool::ImmutableBlock fill(data::pool::Pool& pool, std::uint64_t number,
                                       data::pool::Lineage lineage = {}) {
  auto block = pool.allocate();
  REQUIRE(block);
  return pool.register_block(complete(std::move(*block), number, lineage));
}

// The same, held by nobody afterwards.
inline void put(data::pool::Pool& pool, std::uint64_t number, data::pool::Lineage lineage = {}) {
  static_cast<void>(fill(pool, number, lineage));
}

}  // namespace artfs::test
