// SPDX-License-Identifier: Apache-2.0
// verify: every live frame reachable exactly as the crossings say, every frame sound, slots unique.
//
// Contract:   verify_frames() adds one line per problem and goes on past it; it changes nothing.
//             check_store() is the offline check of fsck: it opens the store read-only and reports
//             damage by name instead of failing; what it cannot replay it checks as of the last
//             checkpoint.
// Threading:  verify_frames holds the commit gate exclusive, and reads the device: readers go on, writers and
//             checkpoints wait until it is done. Frames that are not resident are read past the cache:
//             it would otherwise wait for memory that only a checkpoint can free, and lose what the
//             cache holds for others.
// Cost:       O(frames) reads; memory of a set of frame ids.
// Errors:     check_store: store_missing, store_foreign, store_newer, store_locked,
//             permission_denied: there is nothing to check.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "artfs/store.hpp"

#include "engine/tree_table.hpp"
#include "frame/cache.hpp"
#include "io/blob_store.hpp"
#include "sync/gate.hpp"

namespace artfs::engine {

struct VerifyParts {
  frame::Cache& cache;
  io::BlobStore& blobs;
  const std::array<std::byte, 16>& uuid;
  TreeTable& trees;
  sync::Gate& gate;
};

void verify_frames(const VerifyParts& parts, VerifyReport& report);

// The image of a frame that stands in its slot: reads all of it into `buffer` (frame_bytes, aligned) and
// verifies identity and checksums. Holds nothing: a frame that is new, or written home meanwhile, may
// seem damaged; look again after a checkpoint. frame_corrupt, io_failed.
[[nodiscard]] Result<void> check_home(io::BlobStore& blobs, const std::array<std::byte, 16>& uuid,
                                      const frame::FrameLocation& frame,
                                      std::span<std::byte> buffer);

[[nodiscard]] Result<VerifyReport> check_store(const std::string& path,
                                               const StoreOptions& options);

}  // namespace artfs::engine
