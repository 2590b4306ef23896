// SPDX-License-Identifier: Apache-2.0
// Look: one frame read without a latch, a pin or a gate; what was read counts once valid() said so.
//
// Contract:   Cache::look() makes one. Its bytes stay mapped as long as the cache lives, but a writer may
//             change them, or eviction give the memory to another frame, at any time: copy what is wanted,
//             ask valid(), and only then use or believe it, "damaged" and "not found" included. Lengths and
//             references are loaded once (frame::View does that), so nonsense never leads outside the frame.
//             From frame to frame: look at the child, then ask whether the parent is still valid.
//             close() ends the reading, reopen() resumes it; valid(), id() and version() work either way.
//             A thread has at most one open Look, and waits for nothing while it has one.
// Threading:  any thread; one Look belongs to one. Making one waits for a writer that holds the frame's
//             latch, else nothing blocks. Under TSan an open Look holds a pin and the latch shared, so that
//             all accesses are synchronised; elsewhere close() and reopen() are free.
// Cost:       a lookup in the frame map, two loads of the latch's version; no read-modify-write.
// Invariants: a version is odd while its frame is vacant, being loaded or being changed, and never returns:
//             unchanged means the same frame with the same bytes.
// Source:     Leis et al., "Optimistic lock coupling" (2019).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "artfs/types.hpp"

#include "base/assert.hpp"
#include "io/blob_store.hpp"
#include "sync/latch.hpp"

namespace artfs::frame {

class CacheCore;
class Pin;
class Resident;

class [[nodiscard]] Look {
 public:
  Look() noexcept = default;

  Look(Look&& other) noexcept
      : resident_(std::exchange(other.resident_, nullptr)),
        latch_(other.latch_),
        bytes_(other.bytes_),
        version_(other.version_),
        id_(other.id_),
        reading_(std::exchange(other.reading_, nullptr)) {}

  Look& operator=(Look&& other) noexcept {
    if (this == &other) return *this;
    close();
    resident_ = std::exchange(other.resident_, nullptr);
    latch_ = other.latch_;
    bytes_ = other.bytes_;
    version_ = other.version_;
    id_ = other.id_;
    reading_ = std::exchange(other.reading_, nullptr);
    return *this;
  }

  ~Look() { close(); }

  explicit operator bool() const noexcept { return resident_ != nullptr; }

  [[nodiscard]] FrameId id() const noexcept { return id_; }

  // Of the frame's latch when the look was made: even. What ExclusiveGuard::take_unchanged() wants.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

  // The whole frame, 512 KiB. The Look is open.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    if constexpr (sync::thread_sanitizer) ARTFS_ASSERT(reading_ != nullptr);
    return {bytes_, io::frame_bytes};
  }

  // True when the frame is still there and nobody has held its latch exclusive since the look was made.
  [[nodiscard]] bool valid() const noexcept { return latch_->unchanged_since(version_); }

  void close() noexcept {
    if constexpr (sync::thread_sanitizer) {
      if (reading_ != nullptr) end_reading();
    }
  }

  // False, and closed, when the look is not valid any more.
  [[nodiscard]] bool reopen() noexcept {
    if constexpr (sync::thread_sanitizer) {
      if (reading_ == nullptr && !begin_reading()) return false;
    }
    return valid();
  }

  // The same frame, kept resident; empty when it has left the cache. It may have changed since: that shows
  // with its latch held (take_unchanged).
  [[nodiscard]] Pin pin() const noexcept;

 private:
  friend class CacheCore;

  struct Reading;  // what an open Look holds under TSan

  Look(Resident& resident, FrameId id) noexcept;

  [[nodiscard]] bool begin_reading() noexcept;
  void end_reading() noexcept;

  Resident* resident_ = nullptr;
  const sync::Latch* latch_ = nullptr;
  const std::byte* bytes_ = nullptr;
  std::uint64_t version_ = 0;
  FrameId id_;
  Reading* reading_ = nullptr;
};

}  // namespace artfs::frame
