// SPDX-License-Identifier: Apache-2.0
// Which edge of a node has a byte: the inner loop of every descent.
//
// Contract:   takes a frame::Node that View::node() has checked; a node48 whose index points beyond its
//             children is damage and reads as no edge.
// Cost:       node16: one 16-byte compare with SSE2 (a loop of up to 16 that mispredicts its exit at every
//             level otherwise), the rest a few loads. The scalar twin is for other machines.
// Source:     Leis et al. (ICDE 2013), section III.A.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "frame/frame.hpp"

namespace artfs::art {

using format::no_ref;
using format::ObjectKind;
using format::Ref;
using frame::Node;

struct Edge {
  std::uint8_t byte = 0;
  Ref child = no_ref;        // none: there is no such edge
  std::size_t slot_off = 0;  // where `child` stands in the frame
};

inline constexpr std::size_t no_place = ~std::size_t{0};

[[nodiscard]] inline std::size_t place_of_scalar(const std::array<std::uint8_t, 16>& keys,
                                                 std::size_t count, std::uint8_t byte) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (keys[i] == byte) return i;
  }
  return no_place;
}

[[nodiscard]] inline std::size_t place_of(const std::array<std::uint8_t, 16>& keys,
                                          std::size_t count, std::uint8_t byte) noexcept {
#if defined(__SSE2__)
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(keys.data()));
  const __m128i same = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(byte)));
  const auto in_use = static_cast<std::uint32_t>((std::uint32_t{1} << count) - 1);
  const std::uint32_t mask = static_cast<std::uint32_t>(_mm_movemask_epi8(same)) & in_use;
  return mask == 0 ? no_place : static_cast<std::size_t>(std::countr_zero(mask));
#else
  return place_of_scalar(keys, count, byte);
#endif
}

template <typename Layout>
[[nodiscard]] Edge edge_of_place(const Node& node, std::size_t place, std::uint8_t byte) noexcept {
  const std::size_t off = offsetof(Layout, children) + place * sizeof(format::le16);
  return {.byte = byte,
          .child = frame::load_ref(node.at + off),
          .slot_off = format::offset_of(node.ref) + off};
}

[[nodiscard]] inline Edge find_edge(const Node& node, std::uint8_t byte) noexcept {
  switch (node.kind) {
    case ObjectKind::node4:
      for (std::size_t i = 0; i < node.count; ++i) {
        if (node.as<format::Node4>().keys[i] == byte) {
          return edge_of_place<format::Node4>(node, i, byte);
        }
      }
      break;
    case ObjectKind::node16: {
      const std::size_t place = place_of(node.as<format::Node16>().keys, node.count, byte);
      if (place != no_place) return edge_of_place<format::Node16>(node, place, byte);
      break;
    }
    case ObjectKind::node48: {
      const std::size_t place = sync::racy_load<std::uint8_t>(
          node.at + offsetof(format::Node48, index) + std::size_t{byte});
      if (place != 0 && place <= node.count) {
        return edge_of_place<format::Node48>(node, place - 1, byte);
      }
      break;
    }
    case ObjectKind::node256:
      return edge_of_place<format::Node256>(node, byte, byte);
    case ObjectKind::none:
    case ObjectKind::leaf:
    case ObjectKind::crossing:
    case ObjectKind::free_block:
      break;
  }
  return {};
}

}  // namespace artfs::art
