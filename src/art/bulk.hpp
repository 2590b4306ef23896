// SPDX-License-Identifier: Apache-2.0
// BulkBuilder: frames written densely, one after the other, from keys that come in order.
//
// Contract:   add() every record in ascending order of key, then finish(). Complete subtrees leave as frames
//             through the sink as soon as enough of them have gathered to fill one; what remains when all
//             keys came is the root frame's content, which the caller installs. A frame is whole (header
//             sealed, pages with checksums) when the sink gets it, and is never asked for again.
// Threading:  one thread; no cache, no latch.
// Cost:       O(key bytes) for each record: copied in, measured two or three times, copied into its frame.
//             Memory: about window_bytes (four frames); more only for keys that are each a prefix of the
//             next, whose records have to stay together until the last of them came.
// Errors:     keys_not_sorted (detail: the record's number, from 1), key_too_long, value_too_large, and what
//             the sink returns. The builder is of no use after an error.
// Source:     LCP intervals: Abouelhoda, Kurtz, Ohlebusch, "Replacing suffix trees with enhanced suffix
//             arrays" (2004); ours cuts intervals off while the array still grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"

#include "art/bulk_frame.hpp"
#include "format/frame.hpp"
#include "frame/frame.hpp"

namespace artfs::art {

class BulkSink {
 public:
  BulkSink() = default;
  BulkSink(const BulkSink&) = delete;
  BulkSink& operator=(const BulkSink&) = delete;
  virtual ~BulkSink() = default;

  // Where the next frame is to be built, 512 KiB, and its id. The bytes may hold anything.
  struct Place {
    FrameId id;
    std::span<std::byte> bytes;
  };

  [[nodiscard]] virtual Result<Place> next() = 0;
  // The frame of the last next() is complete.
  [[nodiscard]] virtual Result<void> done() = 0;
};

struct BulkOptions {
  format::StoreUuid uuid{};
  Lsn version;                 // of every record
  std::size_t fill_bytes = 0;  // live bytes that a frame should not exceed; at most fill_max
};

class BulkBuilder {
 public:
  BulkBuilder(BulkSink& sink, const BulkOptions& options);

  [[nodiscard]] Result<void> add(std::string_view key, std::string_view value);
  // Writes the last frames. `root`: 512 KiB, formatted with the id of the tree's root frame.
  [[nodiscard]] Result<void> finish(std::span<std::byte> root, FrameId root_id);

  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

  // Of the longest.
  [[nodiscard]] std::size_t key_bytes() const noexcept { return key_bytes_; }

 private:
  class Measure;

  [[nodiscard]] std::string_view key_of(const BulkElement& element) const noexcept;
  // Writes complete subtrees that fill frames.
  [[nodiscard]] Result<void> cut();
  // The elements that are alive, as a frame entered with `depth` bytes of their keys consumed.
  [[nodiscard]] Result<FrameId> write_frame(std::size_t first, std::size_t end, std::size_t depth);
  void compact();

  BulkSink& sink_;
  const BulkOptions options_;
  std::vector<BulkElement> elements_;
  std::vector<BulkElement> live_;  // of the frame being written
  std::vector<char> bytes_;        // keys and values of elements_
  std::vector<char> spare_;
  std::size_t gathered_ = 0;  // bytes that elements_ will take in frames, about
  std::size_t cut_at_ = 0;    // gathered_ at which the next cut is tried
  std::uint64_t records_ = 0;
  std::size_t key_bytes_ = 0;
};

}  // namespace artfs::art
