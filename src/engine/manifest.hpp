// SPDX-License-Identifier: Apache-2.0
// Manifest: what the last checkpoint made true: frames and their slots, trees, counters, the cut.
//
// Contract:   a journal of checksummed records: one snapshot, then a delta per checkpoint; folded into
//             a new snapshot when the deltas outgrow it. append() is durable on return or changed
//             nothing: a partial append is cut off before anything is written behind it (P12).
// Threading:  one thread at a time (the opener, then the checkpointer).
// Cost:       append: one write and one sync, O(delta); folds cost O(frames), amortised by size.
// Errors:     manifest_corrupt (detail: file offset), no_space (nothing changed: try again later),
//             io_failed (after a failed sync or cut every later append fails: P16).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "frame/cache.hpp"
#include "io/blob_store.hpp"
#include "io/device.hpp"

namespace artfs::engine {

inline constexpr std::size_t manifest_counters = 16;

struct ManifestTree {
  TreeId id;
  FrameId root;
  std::string name;  // 1 to 255 bytes
  std::array<std::int64_t, manifest_counters> counters{};

  friend bool operator==(const ManifestTree&, const ManifestTree&) = default;
};

// The header checksum of the image of a frame that a checkpoint wrote (frame/cache.hpp).
struct FrameSeal {
  FrameId id;
  std::uint64_t seal = 0;
};

// What one checkpoint changes. Travels through the checkpoint log, then into the manifest.
struct ManifestDelta {
  std::uint64_t generation = 0;  // of the checkpoint: one more than the state it applies to
  Lsn cut;
  FrameId next_frame_id;
  TreeId next_tree_id;
  std::vector<frame::FrameLocation> created;
  std::vector<frame::FrameLocation> removed;
  std::vector<ManifestTree> trees;  // new or changed; replaces the tree of that id
  std::vector<FrameSeal> sealed;    // every frame it wrote
};

struct ManifestState {
  std::uint64_t generation = 0;
  Lsn cut;
  FrameId next_frame_id{1};
  TreeId next_tree_id{1};
  std::unordered_map<FrameId, io::SlotId> frames;
  std::unordered_map<FrameId, std::uint64_t> seals;  // of the frames whose image is known
  std::map<TreeId, ManifestTree> trees;

  // manifest_corrupt (detail: the id that does not fit), with nothing changed: another generation
  // than the next, a created frame that exists, a removed one that does not, a root or a sealed one
  // that is no frame.
  [[nodiscard]] Result<void> check(const ManifestDelta& delta) const;
  [[nodiscard]] Result<void> apply(const ManifestDelta& delta);
  [[nodiscard]] std::vector<frame::FrameLocation> locations() const;

  friend bool operator==(const ManifestState&, const ManifestState&) = default;
};

// The bytes of a delta as they stand in the manifest and in the checkpoint log. decode is strict:
// every byte is used, reserved ones are zero; else manifest_corrupt (detail: offset).
[[nodiscard]] std::vector<std::byte> encode_delta(const ManifestDelta& delta);
[[nodiscard]] Result<ManifestDelta> decode_delta(std::span<const std::byte> bytes);

class Manifest {
 public:
  // Makes the file with `initial` as its snapshot, synced (file and directory). store_exists.
  [[nodiscard]] static Result<void> create(io::Directory& directory,
                                           const std::array<std::byte, 16>& uuid,
                                           const ManifestState& initial);
  // A read-only manifest ignores a torn tail instead of cutting it; append() on it is not allowed.
  // `directory` outlives the manifest.
  [[nodiscard]] static Result<std::unique_ptr<Manifest>> open(io::Directory& directory,
                                                              const std::array<std::byte, 16>& uuid,
                                                              bool read_only);
  virtual ~Manifest() = default;

  [[nodiscard]] virtual const ManifestState& state() const noexcept = 0;

  // Backs the space of one append of this delta, so that append() cannot fail with no_space: called
  // before the checkpoint's commit point. Optional.
  [[nodiscard]] virtual Result<void> reserve(const ManifestDelta& delta) = 0;
  // Applies the delta to state() and makes it durable.
  [[nodiscard]] virtual Result<void> append(const ManifestDelta& delta) = 0;

  [[nodiscard]] virtual std::uint64_t file_bytes()
      const noexcept = 0;  // records, without spare space
};

}  // namespace artfs::engine
