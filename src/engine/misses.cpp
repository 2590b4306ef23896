// SPDX-License-Identifier: Apache-2.0
#include "engine/misses.hpp"

namespace artfs::engine {

Result<void> Misses::load(FrameId id) {
  if (++loads_ > loads_max) return fail(Errc::cache_exhausted);
  Result<frame::Pin> pin = cache_.load(id);
  if (pin) {
    pins_.push_back(*std::move(pin));
    return {};
  }
  // Between the attempt and the load another thread may have merged the frame away. Then the next
  // attempt asks for another one: ids are never reused. The same again is damage.
  if (pin.error().code == Errc::frame_corrupt && id != gone_) {
    gone_ = id;
    return {};
  }
  return fail(pin.error());
}

}  // namespace artfs::engine
