// SPDX-License-Identifier: Apache-2.0
// Segment files of the log: their names and headers, and a pool that makes them and takes them
// back.
//
// Contract:   a file is part of the log only when its name and its header agree; anything else (an
//             interrupted make(), a damaged header) is unlinked: never replayed, but searched for
//             records when the end of the log is judged. make() returns when name, header and size
//             are durable. Spares keep their space, so that a full disk can still log.
// Threading:  one caller at a time.
// Cost:       make: two syncs (file, directory), and an allocation when there is no spare.
// Errors:     no_space from make(): nothing changed. io_failed otherwise: the log must stop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"
#include "artfs/types.hpp"

#include "format/log.hpp"
#include "io/device.hpp"

namespace artfs::wal {

using StoreUuid = std::array<std::byte, 16>;

struct SegmentInfo {
  Lsn start;            // by its name
  bool linked = false;  // the header verifies and agrees with the name
  Lsn continues_from;   // meaningful when linked
};

struct SegmentListing {
  std::uint32_t segment_bytes = 0;    // zero: no header verifies
  std::vector<SegmentInfo> segments;  // ascending
  std::vector<std::string> spares;
};

[[nodiscard]] std::string segment_name(Lsn start);
[[nodiscard]] std::optional<Lsn> parse_segment_name(std::string_view name) noexcept;

[[nodiscard]] Result<SegmentListing> list_segments(io::Directory& directory, const StoreUuid& uuid);

struct SegmentPlace {
  Lsn start;
  Lsn continues_from;
};

class SegmentPool {
 public:
  static constexpr std::size_t spares_max = 4;

  SegmentPool(io::Directory& directory, const StoreUuid& uuid, std::uint32_t segment_bytes,
              std::vector<std::string> spares);

  // For the start of a life: from a spare, else from the segment `recycle`, else from new space.
  [[nodiscard]] Result<std::unique_ptr<io::File>> make(SegmentPlace place,
                                                       std::optional<Lsn> recycle = std::nullopt);
  // For a life that goes on: the last spare stays, so that the next life can begin on a full disk.
  [[nodiscard]] Result<std::unique_ptr<io::File>> make_next(Lsn start);
  // Makes the spare that make_next() leaves.
  [[nodiscard]] Result<void> keep_spare();
  // Turns the segments into spares, or removes those beyond spares_max; durable on return.
  [[nodiscard]] Result<void> retire(std::span<const Lsn> starts);

  [[nodiscard]] std::size_t spares() const noexcept { return spares_.size(); }

 private:
  [[nodiscard]] std::string new_spare_name();
  // Space for `name`, which is a spare when it is one's name. On failure the spare is gone.
  [[nodiscard]] Result<void> allocate(const std::string& name);
  [[nodiscard]] Result<void> add_spare();
  [[nodiscard]] Result<std::unique_ptr<io::File>> turn_into_segment(std::string from,
                                                                    SegmentPlace place);

  io::Directory* directory_;
  StoreUuid uuid_;
  std::uint32_t segment_bytes_;
  std::vector<std::string> spares_;
  std::uint64_t next_spare_ = 0;
};

}  // namespace artfs::wal
