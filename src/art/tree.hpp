// SPDX-License-Identifier: Apache-2.0
// The radix tree across frames: what can be asked of it and done to it.
//
// Contract:   functions over a TreeView (cache and root frame). They never read the device: a frame
//             that is needed and not resident ends the call with frame_not_resident (detail: its id);
//             the caller releases its latches, loads the frame, keeps the pin, and calls again.
//             The root frame's id never changes.
//             Readers (find .. scan) look at frames without latches (walk.hpp) and return copies: what one
//             key's answer says was so at some moment of the call, whole.
// Threading:  readers: any thread that holds no frame latch. Writers: the latches of the frames they change
//             exclusive, and the commit gate shared.
// Cost:       O(key bytes) plus one look per frame crossed.
// Errors:     frame_not_resident, frame_corrupt (a structure that check rejects), key_not_found; contended
//             from a reader that writers disturbed too often: again with the commit gate exclusive.
// Invariants: PI no byte of a frame depends on key bytes above its entry edge.
//             AP after plan_write() succeeded and until the latch is released, insert() and erase() of
//             the planned keys cannot fail.
// Source:     Leis et al. (ICDE 2013) for the node kinds; crossings, suffix leaves and spill: DESIGN 4.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "frame/cache.hpp"

namespace artfs::art {

struct TreeView {
  frame::Cache& cache;
  FrameId root;
};

struct Found {
  std::string value;
  Lsn version{};
};

[[nodiscard]] Result<Found> find(const TreeView& tree, std::string_view key);
// As find, into a buffer the caller reuses; it may change also when the key is not found.
[[nodiscard]] Result<Lsn> find_into(const TreeView& tree, std::string_view key, std::string& value);
[[nodiscard]] Result<bool> contains(const TreeView& tree, std::string_view key);

[[nodiscard]] Result<bool> prefix_empty(const TreeView& tree, std::string_view prefix);
// Length of the longest stored key that is a prefix of `key`.
[[nodiscard]] Result<std::size_t> longest_prefix(const TreeView& tree, std::string_view key);

struct ScanRequest {
  std::string_view prefix;
  std::string_view after;    // entries strictly greater than this ...
  bool after_valid = false;  // ... when set (an empty `after` is a position too)
  std::optional<char> delimiter;
  bool keys_only = false;
};

struct ScanItem {
  std::uint32_t key_off = 0, key_bytes = 0;  // into ScanBatch::bytes
  std::uint32_t value_off = 0, value_bytes = 0;
  Lsn version{};
  bool is_rollup = false;
};

// A run of entries copied out; of the entries of one node, all or none reflect a change beside.
struct ScanBatch {
  std::string bytes;
  std::vector<ScanItem> items;
  bool at_end = false;  // no entry behind the last item
  // With frame_not_resident: where the scan goes next after that frame, as far as was to be seen. Hints.
  std::vector<FrameId> ahead;
};

// Appends up to `items_max` entries (about `bytes_max` bytes, at least one entry) to the batch. A key that
// was there throughout is neither skipped nor repeated, whatever happens beside. On frame_not_resident and
// contended what was gathered stays valid: the caller may use it or load and continue.
[[nodiscard]] Result<void> scan(const TreeView& tree, const ScanRequest& request,
                                std::size_t items_max, std::size_t bytes_max, ScanBatch& batch);

// Formats the empty root frame of a new tree.
void format_root(const frame::Pin& root);

using EdgeSet = std::bitset<256>;

// Walks one frame completely: structure, bounds, counts, free space. Appends one line per problem.
struct FrameCheck {
  std::vector<std::string> problems;
  std::vector<FrameId> children;     // frames its crossings lead to, each once ...
  std::vector<EdgeSet> child_edges;  // ... and the edges that lead there
  EdgeSet root_edges;                // bytes that keys go on with at its root
  std::uint64_t keys = 0;            // leaves in this frame
  std::uint64_t bytes_live = 0;
};

void check_frame(FrameId id, std::span<const std::byte> bytes, FrameCheck& check);
// What one frame cannot tell: the parent's `edges` to it must be the bytes at its root. Adds to `check`.
void check_entry(const EdgeSet& edges, FrameCheck& check);
// The frame as indented text: nodes, labels, leaves, crossings (artfs dump).
[[nodiscard]] std::string frame_to_text(std::span<const std::byte> bytes, bool with_values);

}  // namespace artfs::art
