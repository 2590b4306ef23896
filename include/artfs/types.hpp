// SPDX-License-Identifier: Apache-2.0
// Strong identifiers and units: what a number names is part of its type.
//
// Contract:   an id is a plain value; zero is never a valid FrameId, SlotId + 1, Ino or TreeId.
// Threading:  values; free of locks.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace artfs {

template <typename Tag, typename Raw = std::uint64_t>
struct StrongId {
  Raw raw = 0;

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  explicit constexpr operator bool() const noexcept { return raw != 0; }
};

using FrameId = StrongId<struct FrameIdTag>;               // never reused within a store
using Lsn = StrongId<struct LsnTag>;                       // byte position in the log, never reused
using Ino = StrongId<struct InoTag>;                       // inode number, never reused
using TreeId = StrongId<struct TreeIdTag, std::uint32_t>;  // named tree of a store

// A point in time since the epoch, exact to the nanosecond, before it when seconds is negative.
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;  // below 1e9

  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;
};

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;
inline constexpr std::uint64_t gib = 1024 * mib;

inline constexpr std::size_t key_bytes_max = 4096;
inline constexpr std::size_t value_bytes_max = 64 * kib;

}  // namespace artfs

template <typename Tag, typename Raw>
struct std::hash<artfs::StrongId<Tag, Raw>> {
  std::size_t operator()(artfs::StrongId<Tag, Raw> id) const noexcept {
    return std::hash<Raw>{}(id.raw);
  }
};
