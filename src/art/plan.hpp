// SPDX-License-Identifier: Apache-2.0
// WritePlan: what a change reads and writes, gathered key by key, latched together, then applied.
//
// Contract:   1. read(), read_prefix_empty(), add_put(), add_erase() walk to their keys over looks and
//             register the frames the ways end in. What read() answers is a guess until latch().
//             2. frames_needed() bounds the new frames that applying may take.
//             3. latch() latches all frames registered and checks that they are as they were seen.
//             4. put() and erase(), called in the order of add_put() and add_erase(), change them.
//             5. clear() releases everything, also before the end; the plan may then be used again. So
//             does restart(), for another attempt of the same change: what latch() learned is kept.
//             Keys must stay where they are until then.
// Threading:  one thread, which holds a lease of the commit gate, or the gate exclusive, all along.
// Cost:       one walk for each key, also for one that is first read and then written; no allocation once
//             the plan has grown. The frame and place found by the walk are used for the change itself.
// Errors:     frame_not_resident (detail: its id), frame_corrupt, key_too_long, value_too_large;
//             contended: others changed something in between: restart(), and begin again, after some attempts
//             with the gate exclusive, where it cannot happen.
// Invariants: AP after latch() succeeded, and with frames_needed() in reserve, put() and erase() cannot fail.
//             A put changes the frame its way ends in and frames that it creates. An erase changes the
//             frames above only when it may empty a frame or take the last key of a root edge from it:
//             then all frames of the way are registered, and everything in them is applied from the root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "art/descend.hpp"
#include "art/edit.hpp"
#include "art/frame_set.hpp"
#include "art/move.hpp"
#include "art/tree.hpp"
#include "art/walk.hpp"

namespace artfs::art {

class WritePlan {
 public:
  // The version of the key's record, zero when it is absent; its value goes to `value` unless that is null.
  [[nodiscard]] Result<Lsn> read(const TreeView& tree, std::string_view key, std::string* value);
  [[nodiscard]] Result<bool> read_prefix_empty(const TreeView& tree, std::string_view prefix);

  [[nodiscard]] Result<void> add_put(const TreeView& tree, std::string_view key,
                                     std::size_t value_bytes);
  [[nodiscard]] Result<void> add_erase(const TreeView& tree, std::string_view key);

  // For a move_prefix() of these prefixes: with the gate exclusive only, and the keys' lengths checked.
  // key_not_found (nothing begins with `from`), prefix_not_empty (something begins with `to`),
  // invalid_argument (one begins with the other).
  [[nodiscard]] Result<void> add_move(const TreeView& tree, std::string_view from,
                                      std::string_view to);

  // Upper bound of frames that applying the plan may create. latch() may find that it grew.
  [[nodiscard]] std::size_t frames_needed() const noexcept;
  // contended, frame_corrupt, frame_not_resident.
  [[nodiscard]] Result<void> latch();

  void put(std::string_view value, Lsn version, frame::FrameReserve& reserve);
  // False when the key was absent.
  bool erase(Lsn version);
  // Of an add_move(). It does not depend on the order of the rest.
  void move(const PrefixMove& move, Lsn version, frame::FrameReserve& reserve);

  // What the erases left behind, until clear().
  [[nodiscard]] const std::vector<Shrunken>& shrunken() const noexcept { return shrunken_; }

  void restart() noexcept;
  void clear() noexcept;

 private:
  // Where the way of a key ends.
  struct Spot {
    TreeView tree;
    std::string_view key;
    std::size_t member = 0;
    std::size_t key_off = 0;  // at the frame's entry
    Stop stop{};
    bool is_read = false;
    Lsn seen{};  // version of the record read; zero: absent
    // In that frame, of a key to erase; in steps_.
    std::size_t first_step = 0;
    std::size_t steps = 0;
  };

  enum class OpKind : std::uint8_t { put, erase };

  struct Op {
    OpKind kind = OpKind::put;
    bool from_root = false;
    std::size_t spot = 0;
  };

  [[nodiscard]] std::size_t known_spot(const TreeView& tree, std::string_view key) const noexcept;
  [[nodiscard]] Result<std::size_t> spot_of(const TreeView& tree, std::string_view key);
  [[nodiscard]] Result<std::size_t> add_spot(const TreeView& tree, std::string_view key,
                                             const WayEnd& end);
  [[nodiscard]] Result<void> add_way(const Spot& spot);
  [[nodiscard]] Result<bool> add_move_way(const TreeView& tree, std::string_view prefix);
  [[nodiscard]] Result<void> find_again(Spot& spot) const;
  [[nodiscard]] Result<void> settle(Spot& spot);
  [[nodiscard]] Place next(OpKind kind) noexcept;

  FrameSet frames_;
  std::vector<Spot> spots_;
  std::vector<Op> ops_;
  std::vector<Shrunken> shrunken_;
  Path steps_;
  std::vector<Way> ways_;
  std::size_t reads_ = 0;    // the first of spots_
  std::size_t applied_ = 0;  // of ops_
  std::size_t bytes_needed_ = 0;
  std::size_t moves_ = 0;
  bool wants_ways_ = false;  // for every erase
};

}  // namespace artfs::art
