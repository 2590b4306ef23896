// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "vol/check.hpp"
#include "vol/paths.hpp"

namespace artfs::vol {

Result<void> SpaceCheck::add_file(Ino ino, const format::Inode& inode) {
  const std::uint64_t block_bytes = core_.settings.block_bytes;
  std::uint64_t units = 0;
  std::vector<std::uint64_t> to_verify;
  const Result<void> walked = core_.bytes->for_each_block(ino, [&](const data::BlockInfo& block) {
    units += block.place.count;
    ++out_.blocks;
    runs_.push_back({block.place.first, block.place.count, ino.raw});
    const bool holds_bytes = !block.unwritten && block.stored_bytes != 0;
    if (holds_bytes && block.index * block_bytes >= inode.size) {
      report(out_, fmt::format("inode {}: block {} lies behind the end of the file", ino.raw,
                               block.index));
    }
    if (holds_bytes && options_.read_contents) to_verify.push_back(block.index);
  });
  if (!walked) {
    report(out_, fmt::format("inode {}: extents: {}", ino.raw, to_text(walked.error())));
    return {};
  }
  if (units != inode.units) {
    report(out_, fmt::format("inode {}: the record says {} units, its extents hold {}", ino.raw,
                             inode.units, units));
  }
  used_units_ += units;
  for (const std::uint64_t index : to_verify) {
    const Result<void> verified = core_.bytes->verify_block(ino, index);
    if (verified) continue;
    bad_blocks_.push_back({.ino = ino.raw, .index = index, .error = verified.error()});
  }
  return {};
}

Result<void> SpaceCheck::name_bad_blocks() {
  std::set<std::uint64_t> inos;
  for (const BadBlock& block : bad_blocks_) inos.insert(block.ino);
  const Paths paths = ARTFS_TRY(find_paths(core_, inos));
  for (const BadBlock& block : bad_blocks_) {
    report(out_, fmt::format("{}: block {}: {}", inode_text(paths, block.ino), block.index,
                             to_text(block.error)));
  }
  return {};
}

Result<void> SpaceCheck::finish() {
  ARTFS_TRY(name_bad_blocks());
  ARTFS_TRY(core_.bytes->for_each_free_run([&](data::UnitRun run) {
    runs_.push_back({run.first, run.count, 0});
  }));
  std::sort(runs_.begin(), runs_.end(),
            [](const Run& left, const Run& right) { return left.first < right.first; });
  const auto name = [](const Run& run) {
    return run.owner == 0 ? std::string("free space") : fmt::format("inode {}", run.owner);
  };
  std::uint64_t end = 0;
  const Run* previous = nullptr;
  for (const Run& run : runs_) {
    if (run.first < end) {
      report(out_, fmt::format("units {} to {} belong to {} and to {}", run.first, end - 1,
                               name(*previous), name(run)));
    } else if (run.first > end) {
      report(out_, fmt::format("units {} to {} are neither used nor free", end, run.first - 1));
    }
    end = std::max(end, run.first + run.count);
    previous = &run;
  }
  const std::uint64_t total = core_.bytes->units_total();
  if (end > total) {
    report(out_,
           fmt::format("unit {} lies behind the end of blocks.dat ({} units)", end - 1, total));
  } else if (end < total) {
    report(out_, fmt::format("units {} to {} are neither used nor free", end, total - 1));
  }
  const std::uint64_t counted = core_.bytes->space().units_used;
  if (counted != used_units_) {
    report(out_, fmt::format("the counter says {} units are used, the walk found {}", counted,
                             used_units_));
  }
  return {};
}

}  // namespace artfs::vol
