// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "engine/manifest.hpp"

namespace artfs::engine {
namespace {

[[nodiscard]] tl::unexpected<Error> misfit(std::uint64_t id) {
  return fail(Errc::manifest_corrupt, id);
}

}  // namespace

Result<void> ManifestState::check(const ManifestDelta& delta) const {
  if (delta.generation != generation + 1) return misfit(delta.generation);
  if (delta.cut < cut) return misfit(delta.cut.raw);
  if (delta.next_frame_id < next_frame_id) return misfit(delta.next_frame_id.raw);
  if (delta.next_tree_id < next_tree_id) return misfit(delta.next_tree_id.raw);
  std::unordered_set<FrameId> created;
  for (const frame::FrameLocation& frame : delta.created) {
    if (!frame.id || !frame.slot || frame.id >= delta.next_frame_id) return misfit(frame.id.raw);
    if (frames.contains(frame.id) || !created.insert(frame.id).second) return misfit(frame.id.raw);
  }
  std::unordered_set<FrameId> removed;
  for (const frame::FrameLocation& frame : delta.removed) {
    if (!frames.contains(frame.id) || !removed.insert(frame.id).second) return misfit(frame.id.raw);
  }
  const auto lives = [&](FrameId id) {
    return created.contains(id) || (frames.contains(id) && !removed.contains(id));
  };
  for (const FrameSeal& frame : delta.sealed) {
    if (!lives(frame.id)) return misfit(frame.id.raw);
  }
  for (const ManifestTree& tree : delta.trees) {
    if (!tree.id || tree.id >= delta.next_tree_id || !lives(tree.root)) return misfit(tree.id.raw);
  }
  for (const auto& entry : trees) {
    const auto& [id, tree] = entry;
    const bool replaced =
        std::any_of(delta.trees.begin(), delta.trees.end(),
                    [&entry](const ManifestTree& other) { return other.id == entry.first; });
    if (!replaced && !lives(tree.root)) return misfit(id.raw);
  }
  return {};
}

Result<void> ManifestState::apply(const ManifestDelta& delta) {
  ARTFS_TRY(check(delta));
  generation = delta.generation;
  cut = delta.cut;
  next_frame_id = delta.next_frame_id;
  next_tree_id = delta.next_tree_id;
  for (const frame::FrameLocation& frame : delta.removed) {
    frames.erase(frame.id);
    seals.erase(frame.id);
  }
  for (const frame::FrameLocation& frame : delta.created) frames.emplace(frame.id, frame.slot);
  for (const FrameSeal& frame : delta.sealed) seals.insert_or_assign(frame.id, frame.seal);
  for (const ManifestTree& tree : delta.trees) trees.insert_or_assign(tree.id, tree);
  return {};
}

std::vector<frame::FrameLocation> ManifestState::locations() const {
  std::vector<frame::FrameLocation> locations;
  locations.reserve(frames.size());
  for (const auto& [id, slot] : frames) {
    const auto seal = seals.find(id);
    locations.push_back({id, slot, seal == seals.end() ? 0 : seal->second});
  }
  std::sort(locations.begin(), locations.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return locations;
}

}  // namespace artfs::engine
