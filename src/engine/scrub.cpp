// SPDX-License-Identifier: Apache-2.0
#include "engine/scrub.hpp"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <thread>

#include "engine/verify.hpp"
#include "io/aligned_buffer.hpp"

namespace artfs::engine {

namespace {

// Each time the frame would have to be caught in the middle of a write.
constexpr int looks_max = 4;
constexpr auto look_again_after = std::chrono::milliseconds(50);

using Frames = std::map<FrameId, frame::FrameLocation>;

Frames frames_of(StoreImpl& store) {
  Frames frames;
  for (const frame::FrameLocation& frame : store.cache().live_frames()) {
    if (frame.slot.raw != 0) frames.emplace(frame.id, frame);  // else it is in memory only
  }
  return frames;
}

// Empty: sound, or gone.
std::string check(StoreImpl& store, frame::FrameLocation frame, std::span<std::byte> buffer) {
  for (int look = 1;; ++look) {
    const Result<void> sound = check_home(store.blobs(), store.uuid(), frame, buffer);
    if (sound) return {};
    if (look == looks_max || store.is_read_only()) {
      return fmt::format("frame {} in slot {}: {}", frame.id.raw, frame.slot.raw,
                         to_text(sound.error()));
    }
    std::this_thread::sleep_for(look_again_after);
    if (!store.checkpoint()) look = looks_max - 1;  // stopped: nothing changes any more
    const Frames frames = frames_of(store);
    const auto now = frames.find(frame.id);
    if (now == frames.end()) return {};
    frame = now->second;
  }
}

}  // namespace

void scrub_frames(StoreImpl& store, const std::function<bool(const ScrubbedFrame&)>& after_each) {
  io::AlignedBuffer buffer(io::frame_bytes);
  const Frames frames = frames_of(store);
  for (const auto& [id, frame] : frames) {
    if (!after_each({.of = frames.size(), .problem = check(store, frame, buffer.span())})) return;
  }
}

}  // namespace artfs::engine
