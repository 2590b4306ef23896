// SPDX-License-Identifier: Apache-2.0
// The way of a key from the root frame to the frame it ends in, over looks: no latch, no pin, no gate.
//
// Contract:   walk() returns the frame the way ends in (its Look open), and how (Stop). When it returns, the
//             frame was the right one for the key at some moment of the call, and still is as long as its
//             look is valid: a frame's position changes only with its latch or the commit gate exclusive. What
//             stands in it, the Stop included, counts once look.valid() said so after the last read: copy,
//             validate, use. On request the frames above come too (ways), for who changes them as well; they
//             were valid one after the other, so who latches them checks each version again
//             (ExclusiveGuard::take_unchanged).
//             answer() does all of that for a reader: walk, read, validate, again when it failed.
// Threading:  any thread that holds no frame latch and has no open Look.
// Cost:       O(key bytes) plus one look for each frame; allocates only for ways and paths.
// Errors:     frame_not_resident, frame_corrupt (both true of a moment at which the frames above were
//             valid); contended after attempts_max attempts that others disturbed: again with the commit gate
//             exclusive, where nobody does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "artfs/result.hpp"

#include "art/descend.hpp"
#include "art/tree.hpp"
#include "frame/look.hpp"

namespace artfs::art {

inline constexpr unsigned attempts_max = 16;

// Where a prefix may stop early: the edge byte of a crossing is its last byte, and a frame is never empty.
enum class Goal : std::uint8_t { whole_key, prefix };

// One frame that the way passes through.
struct Way {
  frame::Look look;         // closed
  std::size_t key_off = 0;  // bytes of the key consumed above the frame's entry
  Path path;                // its last step takes the edge that leads out
  Ref crossing = no_ref;    // the object that leads to the next frame
};

// The frame that the way ends in.
struct WayEnd {
  frame::Look look;  // open
  std::size_t key_off = 0;
  Path path;  // filled when ways are asked for
  // `longest_prefix` counts the frames above as well.
  Stop stop;
};

// `ways`, from the root on, may be null.
[[nodiscard]] Result<WayEnd> walk(const TreeView& tree, std::string_view key, Goal goal,
                                  std::vector<Way>* ways);

// The same once: contended when somebody changed a frame under it.
[[nodiscard]] Result<WayEnd> try_walk(const TreeView& tree, std::string_view key, Goal goal,
                                      std::vector<Way>* ways);

// What `read` (WayEnd& -> Result<T>) copied out of the frame the way ends in, when that held.
template <typename Read>
[[nodiscard]] auto answer(const TreeView& tree, std::string_view key, Goal goal, const Read& read)
    -> decltype(read(std::declval<WayEnd&>())) {
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    Result<WayEnd> end = try_walk(tree, key, goal, nullptr);
    if (end) {
      auto result = read(*end);
      if (end->look.valid()) return result;
    } else if (end.error().code != Errc::contended) {
      return fail(end.error());
    }
  }
  return fail(Errc::contended);
}

}  // namespace artfs::art
