// SPDX-License-Identifier: Apache-2.0
// Reclaiming a file's blocks, and looking at them for checks.
#include <algorithm>

#include "data/file_bytes_impl.hpp"
#include "format/key.hpp"

namespace artfs::data {

Result<bool> FileBytesImpl::reclaim(Ino ino, Contents& contents, Change& change,
                                    std::size_t blocks_max) {
  bool more = false;
  if (contents.units > 0) {
    std::size_t blocks = 0;
    const format::Key prefix = format::extents_prefix(ino);
    Scan scan = volume_.scan({.prefix = prefix});
    while (ARTFS_TRY(scan.next())) {
      if (blocks >= blocks_max) {
        more = true;
        break;
      }
      const Run run = ARTFS_TRY(decode_run(ino, scan.entry().value));
      for (const Block& block : run) {
        if (block.is_empty()) continue;
        blocks += 1 + block.patches.size();
        contents.units -= std::min(contents.units, block.units());
        for (const UnitRun& place : block.patch_places()) change.freed.push_back(place);
        if (!block.has_base()) continue;
        if (block.unwritten) {
          change.freed.push_back(block.place);
        } else {
          change.lost.push_back(stored_block(block));
        }
      }
      change.txn.erase(volume_, scan.entry().key);
    }
  }
  // What is left of it is void: only the blocks still to be freed matter.
  const std::uint64_t units = more ? contents.units : 0;
  contents = Contents{};
  contents.units = units;
  return more;
}

Result<void> FileBytesImpl::for_each_block(Ino ino,
                                           const std::function<void(const BlockInfo&)>& visit) {
  const format::Key prefix = format::extents_prefix(ino);
  Scan scan = volume_.scan({.prefix = prefix});
  while (ARTFS_TRY(scan.next())) {
    const auto key = format::parse_key(scan.entry().key);
    if (!key || run_of(key->block) != key->block) return fail(Errc::record_corrupt, ino.raw);
    const Run run = ARTFS_TRY(decode_run(ino, scan.entry().value));
    for (std::uint64_t i = 0; i < run.size(); ++i) {
      if (run[i].is_empty()) continue;
      visit({.index = key->block + i,
             .place = run[i].place,
             .stored_bytes = run[i].stored_bytes,
             .unwritten = run[i].unwritten,
             .hash = run[i].hash,
             .patches = run[i].patches.size(),
             .patch_places = run[i].patch_places()});
    }
  }
  return {};
}

Result<void> FileBytesImpl::verify_block(Ino ino, std::uint64_t index) {
  ExtentReader extents(volume_, ino);
  const Block* const block = ARTFS_TRY(extents.find(index));
  const Result<void> verified = file_.verify(*block);
  if (!verified && verified.error().code == Errc::block_corrupt) {
    return fail(Errc::block_corrupt, index);
  }
  return verified;
}

}  // namespace artfs::data
