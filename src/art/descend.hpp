// SPDX-License-Identifier: Apache-2.0
// The way of a key through one frame, and where it ends.
//
// Contract:   descend() starts at the frame's root with `key_off` bytes of the key consumed above the
//             frame's entry and follows the rest until the key is found, cannot be there, or goes on in
//             another frame. What it returns is checked: references lie inside the frame.
// Threading:  as frame::View.
// Cost:       O(key bytes), no allocation except in `path`. Each edge consumes a byte of the key, so the
//             way is never longer than the key, whatever the frame says.
// Errors:     StopKind::damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "art/node.hpp"

namespace artfs::art {

enum class StopKind : std::uint8_t {
  empty,  // the frame has no root
  leaf,   // at a leaf; `matched` bytes of its suffix agree with the key
  label,  // inside a node's label: `matched` bytes of it agree, the next does not or the key ended
  end,    // the key ends at the node; its own value may be none
  no_edge,   // the node has no edge for the key's next byte
  crossing,  // the key goes on in the frame behind `child`, at `key_off`, the edge byte ahead
  damaged,
};

struct Stop {
  StopKind kind = StopKind::damaged;
  std::size_t slot_off = 0;  // where the reference of `ref` stands in the frame
  Ref ref = no_ref;          // the leaf or node
  Ref child = no_ref;        // end: the own value's leaf; crossing: the crossing
  std::size_t key_off =
      0;  // consumed before the object's label or suffix; no_edge, crossing: before the edge
  std::size_t matched = 0;  // leaf, label only
  bool is_exact = false;    // leaf: its whole suffix is matched
  // Bytes of the longest key met that is a prefix of the key, `ref` and above in this frame; -1: none.
  std::ptrdiff_t longest_prefix = -1;

  void note_key(std::size_t bytes) noexcept { longest_prefix = static_cast<std::ptrdiff_t>(bytes); }
};

// One node on the way and the edge that was taken.
struct Step {
  Ref node = no_ref;
  std::size_t slot_off = 0;
  std::uint8_t byte = 0;
};

using Path = std::vector<Step>;

inline constexpr std::size_t root_slot_off = offsetof(format::FrameHeader, root);

// `path` may be null; the steps of this frame are appended.
[[nodiscard]] Stop descend(const View& view, std::string_view key, std::size_t key_off, Path* path);

// The leaf of the key, when its way ended at one; none: the key is absent.
[[nodiscard]] Ref leaf_of(const Stop& stop, std::string_view key) noexcept;
// Whether keys start with the prefix whose way ended so.
[[nodiscard]] bool is_above_keys(const Stop& stop, std::string_view prefix) noexcept;

// Bytes both begin with.
[[nodiscard]] std::size_t common_bytes(std::string_view a, std::string_view b) noexcept;

// A descent passes at most so many frames: each either consumes a byte of the key or is entered by an edge
// set that is smaller than that of the frame before. More of them are a loop in a damaged store.
inline constexpr std::size_t frames_on_way_max = 256 * 8;

}  // namespace artfs::art
