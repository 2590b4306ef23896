// SPDX-License-Identifier: Apache-2.0
// What the maintenance thread does to the store: one step, with what it lacks fetched in between.
#include "base/assert.hpp"
#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

// Attempts of one step that writers may spoil; the frame has its chance again when it shrinks further.
constexpr unsigned attempts_max = 8;
// Frames one step may have to load: those of one way, a child or a sibling.
constexpr unsigned loads_max = 64;

}  // namespace

void StoreImpl::start_maintenance() {
  maintenance_ = std::make_unique<Maintenance>(
      [this](const art::Shrunken& shrunken) { return tend(shrunken); });
}

Result<art::Upkeep> StoreImpl::tend(const art::Shrunken& shrunken) {
  const art::TreeView tree{*cache_, shrunken.root};
  Misses misses(*cache_);
  unsigned contended = 0;
  unsigned loads = 0;
  for (;;) {
    ARTFS_TRY(check_writable());
    // The frames it changes are dirty like those of any writer.
    ARTFS_TRY(admit());
    Result<art::Upkeep> done = art::Upkeep::none;
    {
      const sync::GateLease lease(gate_);
      art::FrameSet frames;
      done = art::tend(tree, shrunken, frames);
    }
    if (done) return done;
    if (done.error().code == Errc::contended) {
      if (++contended == attempts_max) return art::Upkeep::none;
    } else if (done.error().code != Errc::frame_not_resident || ++loads == loads_max) {
      return done;
    } else {
      ARTFS_TRY(misses.load(FrameId{done.error().detail}));
    }
  }
}

}  // namespace artfs::engine
