// SPDX-License-Identifier: Apache-2.0
// Integers as bytes: little-endian fields of on-disk structs, big-endian numbers inside keys.
//
// Contract:   leN is an array of bytes: alignment 1, trivially copyable, zero by default, so
//             structs made of them have no padding and may lie at any address. le48 holds values
//             below 2^48 (asserted). store_be64 and append_be64 write so that bytewise order is
//             numeric order.
// Cost:       one load or store on little-endian machines.
// Source:     dwarfs `endian.h`.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/assert.hpp"

namespace artfs::base {

template <typename Value, std::size_t width = sizeof(Value)>
class LittleEndian {
  static_assert(std::is_unsigned_v<Value> && width <= sizeof(Value));

 public:
  constexpr LittleEndian() noexcept = default;

  // Implicit both ways: a field reads and is assigned like the integer it stores.
  constexpr LittleEndian(Value value) noexcept {
    store(value);
  }  // NOLINT(google-explicit-constructor)

  constexpr LittleEndian& operator=(Value value) noexcept {
    store(value);
    return *this;
  }

  constexpr operator Value() const noexcept {  // NOLINT(google-explicit-constructor)
    if constexpr (width == sizeof(Value) && std::endian::native == std::endian::little) {
      return std::bit_cast<Value>(bytes_);
    } else {
      std::uint64_t value = 0;
      for (std::size_t i = width; i-- > 0;) value = (value << 8U) | bytes_[i];
      return static_cast<Value>(value);
    }
  }

  [[nodiscard]] constexpr Value value() const noexcept { return *this; }

 private:
  constexpr void store(Value value) noexcept {
    if constexpr (width == sizeof(Value) && std::endian::native == std::endian::little) {
      bytes_ = std::bit_cast<std::array<std::uint8_t, width>>(value);
    } else {
      std::uint64_t rest = value;
      for (std::uint8_t& byte : bytes_) {
        byte = static_cast<std::uint8_t>(rest & 0xffU);
        rest >>= 8U;
      }
      if constexpr (width < sizeof(Value)) ARTFS_ASSERT(rest == 0);
    }
  }

  std::array<std::uint8_t, width> bytes_{};
};

using le16 = LittleEndian<std::uint16_t>;
using le24 = LittleEndian<std::uint32_t, 3>;
using le32 = LittleEndian<std::uint32_t>;
using le48 = LittleEndian<std::uint64_t, 6>;
using le64 = LittleEndian<std::uint64_t>;

static_assert(sizeof(le16) == 2 && sizeof(le24) == 3 && sizeof(le32) == 4 && sizeof(le48) == 6 &&
              sizeof(le64) == 8);
static_assert(alignof(le64) == 1 && std::is_trivially_copyable_v<le64>);

// The number whose little-endian bytes were loaded as a word.
[[nodiscard]] constexpr std::uint64_t from_le64(std::uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::little) return word;
  return __builtin_bswap64(word);
}

[[nodiscard]] constexpr std::array<char, 8> be64_chars(std::uint64_t value) noexcept {
  std::array<char, 8> chars{};
  for (std::size_t i = 0; i < 8; ++i)
    chars[i] = static_cast<char>((value >> (56U - 8U * i)) & 0xffU);
  return chars;
}

inline void store_be64(std::byte* out, std::uint64_t value) noexcept {
  const std::array<char, 8> chars = be64_chars(value);
  std::memcpy(out, chars.data(), chars.size());
}

inline void store_be64(char* out, std::uint64_t value) noexcept {
  const std::array<char, 8> chars = be64_chars(value);
  std::memcpy(out, chars.data(), chars.size());
}

[[nodiscard]] inline std::uint64_t load_be64(const char* in) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8U) | static_cast<std::uint8_t>(in[i]);
  return value;
}

[[nodiscard]] inline std::uint64_t load_be64(const std::byte* in) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8U) | std::to_integer<std::uint64_t>(in[i]);
  return value;
}

inline void append_be64(std::string& out, std::uint64_t value) {
  const std::array<char, 8> chars = be64_chars(value);
  out.append(chars.data(), chars.size());
}

}  // namespace artfs::base
