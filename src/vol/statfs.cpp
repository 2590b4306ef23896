// SPDX-License-Identifier: Apache-2.0
#include "vol/statfs.hpp"

#include <algorithm>

namespace artfs::vol {
namespace {

// Numbers are 64-bit and records grow with the store: this only says "plenty".
constexpr std::uint64_t inodes_shown_max = std::uint64_t{1} << 40;

std::uint64_t counter(const Core& core, format::VolumeCounter index) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, core.tree.counter(format::index_of(index))));
}

}  // namespace

StatFs statfs(const Core& core) {
  const data::SpaceFigures space = core.bytes->space();
  const std::uint64_t used = counter(core, format::VolumeCounter::inodes);
  StatFs out;
  out.block_bytes = data::unit_bytes;
  out.blocks = space.units_used + space.units_reserved + space.units_free;
  out.blocks_free = space.units_free;
  out.blocks_available = space.units_free;
  out.inodes_used = used;
  out.inodes_free = inodes_shown_max - std::min(used, inodes_shown_max);
  out.inodes = used + out.inodes_free;
  out.name_bytes_max = name_bytes_max;
  out.fsid = core.fsid;
  return out;
}

VolumeStats stats(const Core& core) {
  const data::SpaceFigures space = core.bytes->space();
  VolumeStats out;
  out.store = core.store->stats();
  out.inodes = counter(core, format::VolumeCounter::inodes);
  out.content_bytes_used = space.units_used * data::unit_bytes;
  out.content_bytes_free = space.units_free * data::unit_bytes;
  out.content_bytes_saved = space.units_saved * data::unit_bytes;
  out.blocks_indexed = space.blocks_indexed;
  out.blocks_shared = space.blocks_shared;
  out.write_buffer_bytes = core.bytes->buffered_bytes();
  out.logged_writes = core.logged.writes.load(std::memory_order_relaxed);
  out.logged_bytes = core.logged.bytes.load(std::memory_order_relaxed);
  out.logged_bytes_standing = core.logged.standing_bytes.load(std::memory_order_relaxed);
  out.folds = core.logged.folds.load(std::memory_order_relaxed);
  out.block_cache = core.bytes->block_cache();
  out.open_files = core.open.size();
  out.orphans = counter(core, format::VolumeCounter::orphans);
  return out;
}

}  // namespace artfs::vol
