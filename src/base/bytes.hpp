// SPDX-License-Identifier: Apache-2.0
// Views of the same bytes as characters, as std::byte and as an object.
//
// Contract:   nothing is copied; a view lives as long as what it looks at.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/assert.hpp"

namespace artfs::base {

[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view chars) noexcept {
  return std::as_bytes(std::span(chars.data(), chars.size()));
}

[[nodiscard]] inline std::string_view as_chars(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename T>
[[nodiscard]] std::span<const std::byte> object_bytes(const T& object) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
  return std::as_bytes(std::span(&object, 1));
}

template <typename T>
[[nodiscard]] std::span<std::byte> object_bytes_mutable(T& object) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
  return std::as_writable_bytes(std::span(&object, 1));
}

// The object whose bytes start at `offset`. The range is asserted: check lengths from disk before.
template <typename T>
[[nodiscard]] T copy_object(std::span<const std::byte> bytes, std::size_t offset = 0) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  ARTFS_ASSERT(offset <= bytes.size() && bytes.size() - offset >= sizeof(T));
  T object;
  std::memcpy(&object, bytes.data() + offset, sizeof(T));
  return object;
}

}  // namespace artfs::base
