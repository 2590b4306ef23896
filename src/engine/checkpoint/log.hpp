// SPDX-License-Identifier: Apache-2.0
// The checkpoint log: page images and manifest delta of one checkpoint, committed by one sync.
//
// Contract:   begin, append*, commit. Until commit() returned, the store's state is the old one; after
//             it, the new one, whatever happens: the next open redoes the home writes. A failure
//             before commit leaves the old state valid and the writer ready for begin() again.
//             The file keeps its space between checkpoints; what it holds is ignored once the
//             manifest has its generation.
//             What room() says is on the device already, or there is plenty: a checkpoint of that many
//             bytes of pages will not fail for lack of space.
// Threading:  one thread at a time (checkpointer or opener); make_room and room: any thread.
// Cost:       writer: one copy and one hash of each page, writes of 1 MiB, one sync. Reader: reads the
//             log once to verify it, and once more per for_each().
// Errors:     no_space (before the commit: not fatal), io_failed (a failed sync: the store must stop).
//             A log that is torn, damaged, of another generation or missing is "nothing committed".
// Invariants: W2D the caller syncs the log to `cut` before begin().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "engine/manifest.hpp"
#include "frame/cache.hpp"
#include "io/blob_store.hpp"
#include "io/device.hpp"

namespace artfs::engine::checkpoint {

// Of pages, in bytes: room() of every store that once found that much space.
inline constexpr std::uint64_t checkpoint_room_least = 4 * mib;

// Pages of one frame and where they belong.
struct FramePages {
  FrameId frame;
  io::SlotId slot;
  frame::PageMask pages;
  std::span<const std::byte> images;  // pages.count() * page_bytes, ascending pages
};

class LogWriter {
 public:
  // Opens or makes the file (directory synced). `direct`: bypass the page cache where possible.
  [[nodiscard]] static Result<std::unique_ptr<LogWriter>> open(
      io::Directory& directory, const std::array<std::byte, 16>& uuid, bool direct);
  virtual ~LogWriter() = default;

  // Starts over: forgets what was appended since the last commit.
  [[nodiscard]] virtual Result<void> begin(std::uint64_t generation, Lsn cut) = 0;
  // Copies the images; they need no alignment.
  [[nodiscard]] virtual Result<void> append(const FramePages& frame) = 0;
  // `delta` has the generation and cut of begin(). The commit point.
  [[nodiscard]] virtual Result<void> commit(const ManifestDelta& delta) = 0;

  [[nodiscard]] virtual std::uint64_t pages_appended() const noexcept = 0;  // since begin()

  // Bytes of pages. The promise ends with the next commit(), which gives space back.
  [[nodiscard]] virtual std::uint64_t room() const noexcept = 0;
  // Raises room() to at least that. no_space: nothing changed.
  [[nodiscard]] virtual Result<void> make_room(std::uint64_t page_bytes) = 0;
};

class LogReader {
 public:
  // The checkpoint of exactly this generation, or nullptr when none is committed. manifest_corrupt when
  // a later one is: the manifest has lost checkpoints that it had (detail: generation). Unless read_only,
  // it is on the device on return: a killed process may have left it in the page cache alone.
  [[nodiscard]] static Result<std::unique_ptr<LogReader>> find(
      io::Directory& directory, const std::array<std::byte, 16>& uuid, std::uint64_t generation,
      bool read_only);
  virtual ~LogReader() = default;

  [[nodiscard]] virtual const ManifestDelta& delta() const noexcept = 0;
  // Every frame in the order appended. The images are aligned to page_bytes and valid during the
  // call.
  using VisitFn = std::function<Result<void>(const FramePages& frame)>;
  [[nodiscard]] virtual Result<void> for_each(const VisitFn& visit) = 0;
};

}  // namespace artfs::engine::checkpoint
