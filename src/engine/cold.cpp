// SPDX-License-Identifier: Apache-2.0
// Point reads that miss: only the pages that the key's way needs come from the device, not whole frames.
#include "art/cold.hpp"

#include <vector>

#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

// A way of eight frames and four pages in each. Who needs more is disturbed all the time: whole frames, which
// stay pinned, get him on.
constexpr unsigned attempts_max = 32;

}  // namespace

Result<Version> StoreImpl::get_cold(TreeState& tree, std::string_view key, std::string* value) {
  std::vector<frame::PartialPin> pins;  // what one attempt fetched is there for the next
  FrameId gone;
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    art::MissingBytes missing;
    const Result<Lsn> found = art::find_cold(applier_->view(tree), key, value, missing);
    if (found) return *found;
    const Errc code = found.error().code;
    if (code == Errc::contended) continue;
    if (code != Errc::frame_not_resident) return fail(found.error());
    Result<frame::PartialPin> fetched = cache_->fetch(missing.frame, missing.range);
    if (fetched) {
      if (*fetched) pins.push_back(*std::move(fetched));
      continue;
    }
    if (fetched.error().code == Errc::cache_exhausted) break;
    // As in Misses::load(): a frame that was merged away meanwhile is not asked for again.
    const bool is_gone = fetched.error().code == Errc::frame_corrupt && missing.frame != gone;
    if (!is_gone) return fail(fetched.error());
    gone = missing.frame;
  }
  return fail(Errc::frame_not_resident, tree.root.raw);
}

}  // namespace artfs::engine
