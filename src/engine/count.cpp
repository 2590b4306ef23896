// SPDX-License-Identifier: Apache-2.0
// Counting below a prefix: frame by frame, each loaded when it is not there and let go at once.
#include <algorithm>
#include <vector>

#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

using art::Tally;
using art::TallyOf;

// Somebody restructured what the walk stood on.
bool is_stale(Errc code) noexcept {
  return code == Errc::contended || code == Errc::frame_not_resident || code == Errc::frame_corrupt;
}

constexpr unsigned rounds_max = 8;

}  // namespace

// One frame's tally, loading it first when it is away.
template <typename Read>
Result<Tally> StoreImpl::tally_one(const Read& read) {
  for (unsigned round = 0;; ++round) {
    Result<Tally> tally = read();
    if (tally || tally.error().code != Errc::frame_not_resident || round == rounds_max) {
      return tally;
    }
    Misses misses(*cache_);
    const Result<void> loaded = misses.load(FrameId{tally.error().detail});
    if (loaded) {
      tally = read();
      if (tally || tally.error().code != Errc::frame_not_resident) return tally;
      continue;
    }
    if (loaded.error().code != Errc::cache_exhausted) return fail(loaded.error());
    ARTFS_TRY(relieve());
  }
}

Result<StoreImpl::TallySum> StoreImpl::tally_round(const TreeState& tree, std::string_view prefix,
                                                   const TallyLimits& limits) {
  const art::TreeView view = applier_->view(tree);
  Tally tally = ARTFS_TRY(tally_one([&] { return art::tally_prefix(view, prefix, limits.of); }));
  TallySum sum{.keys = tally.keys, .frames = 1, .key_bytes = tally.key_bytes};
  std::vector<Tally::Child> waiting = std::move(tally.children);
  // Breadth first: what a limit leaves out is what hangs lowest, and alike.
  for (std::size_t next = 0; next < waiting.size(); ++next) {
    if (sum.frames >= limits.frames_max) {
      sum.frames_left = waiting.size() - next;
      break;
    }
    const Tally::Child child = waiting[next];
    tally = ARTFS_TRY(tally_one([&] { return art::tally_frame(view, child, limits.of); }));
    sum.keys += tally.keys;
    ++sum.frames;
    sum.key_bytes = std::max(sum.key_bytes, tally.key_bytes);
    waiting.insert(waiting.end(), tally.children.begin(), tally.children.end());
  }
  return sum;
}

Result<StoreImpl::TallySum> StoreImpl::tally(TreeId id, std::string_view prefix, TallyOf of,
                                             std::uint64_t frames_max) {
  const TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  if (prefix.size() > key_bytes_max) return TallySum{};
  for (unsigned round = 0;; ++round) {
    Result<TallySum> sum = tally_round(*tree, prefix, {.of = of, .frames_max = frames_max});
    if (sum || !is_stale(sum.error().code) || round == rounds_max) return sum;
  }
}

}  // namespace artfs::engine

namespace artfs {

Result<std::uint64_t> Tree::count(std::string_view prefix) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  const auto sum = ARTFS_TRY(store_->tally(id_, prefix, art::TallyOf::keys));
  return sum.keys;
}

Result<CountEstimate> Tree::estimate_count(std::string_view prefix,
                                           std::uint64_t frames_max) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  const std::uint64_t frames = std::max<std::uint64_t>(frames_max, 1);
  const auto sum = ARTFS_TRY(store_->tally(id_, prefix, art::TallyOf::keys, frames));
  CountEstimate estimate{.keys = sum.keys, .keys_min = sum.keys, .is_exact = sum.frames_left == 0};
  if (!estimate.is_exact) {
    // Each frame is known by name before it is read; what hangs below it is not.
    estimate.keys += sum.keys / sum.frames * sum.frames_left;
  }
  return estimate;
}

}  // namespace artfs
