// SPDX-License-Identifier: Apache-2.0
#include "engine/misses.hpp"

namespace artfs::engine {

Result<void> Misses::load(FrameId id) {
  same_count_ = id == last_ ? same_count_ + 1 : 0;
  last_ = id;
  if (same_count_ >= same_frame_max) return fail(Errc::frame_corrupt, id.raw);
  Result<frame::Pin> pin = cache_.load(id);
  if (pin) {
    pins_.push_back(*std::move(pin));
    return {};
  }
  if (pin.error().code == Errc::frame_not_resident) return {};  // vanished: look again
  return fail(pin.error());
}

}  // namespace artfs::engine
