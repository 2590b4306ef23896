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
    units += block.place.count + block.patch_places.size();
    ++out_.blocks;
    for (const data::UnitRun& place : block.patch_places) {
      runs_.push_back({.block = {.place = place}, .owner = ino.raw});
    }
    const bool is_written = !block.unwritten && block.stored_bytes != 0;
    if (block.place.count != 0)
      runs_.push_back({.block = {.hash = block.hash,
                                 .place = block.place,
                                 .stored_bytes = block.unwritten ? 0 : block.stored_bytes},
                       .owner = ino.raw});
    const bool holds_bytes = is_written || block.patches != 0;
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

void SpaceCheck::check_entry(const data::StoredBlock& block, std::uint64_t references) {
  figures_.add(references, block.place.count);
  const auto [first, last] =
      std::equal_range(runs_.begin(), runs_.end(), Run{.block = block}, Run::is_before);
  std::uint64_t found = 0;
  for (auto run = first; run != last; ++run) {
    if (run->block != block) continue;
    ++found;
    run->counted = true;
  }
  if (found == references) return;
  report(out_, fmt::format("the block at unit {}: {} references are recorded, {} extents name it",
                           block.place.first, references, found));
}

// The index must agree with the extents: every reference counted, none without an extent.
Result<void> SpaceCheck::check_references() {
  ARTFS_TRY(
      core_.bytes->for_each_entry([this](const data::StoredBlock& block, std::uint64_t references) {
        check_entry(block, references);
      }));
  const Run* previous = nullptr;
  for (const Run& run : runs_) {
    if (run.counted || run.owner == 0 || run.block.stored_bytes == 0) continue;
    if (previous != nullptr && previous->block == run.block) {
      report(out_, fmt::format("the block at unit {} is named by inode {} and by inode {}, and "
                               "recorded as named once",
                               run.block.place.first, previous->owner, run.owner));
    }
    previous = &run;
  }
  const data::SpaceFigures figures = core_.bytes->space();
  check_counter("units are used", figures.units_used, used_units_);
  check_counter("units are saved by sharing", figures.units_saved, figures_.saved_units);
  check_counter("blocks are indexed", figures.blocks_indexed, figures_.entries);
  check_counter("blocks are shared", figures.blocks_shared, figures_.shared);
  return {};
}

void SpaceCheck::check_counter(std::string_view what, std::uint64_t counted, std::uint64_t walked) {
  if (counted == walked) return;
  report(out_, fmt::format("the counter says {} {}, the walk found {}", counted, what, walked));
}

// Units belong to one block, or are free, and none is left out.
void SpaceCheck::check_units() {
  const auto name = [](const Run& run) {
    return run.owner == 0 ? std::string("free space") : fmt::format("inode {}", run.owner);
  };
  std::uint64_t end = 0;
  const Run* previous = nullptr;
  for (const Run& run : runs_) {
    const data::UnitRun& place = run.block.place;
    const bool is_written = run.owner != 0 && run.block.stored_bytes != 0;
    if (is_written && previous != nullptr && run.block == previous->block) continue;
    if (place.first < end) {
      report(out_, fmt::format("units {} to {} belong to {} and to {}", place.first, end - 1,
                               name(*previous), name(run)));
    } else if (place.first > end) {
      report(out_, fmt::format("units {} to {} are neither used nor free", end, place.first - 1));
    }
    if (run.owner != 0) used_units_ += place.count;
    end = std::max(end, place.first + place.count);
    previous = &run;
  }
  const std::uint64_t total = core_.bytes->units_total();
  if (end > total) {
    report(out_,
           fmt::format("unit {} lies behind the end of blocks.dat ({} units)", end - 1, total));
  } else if (end < total) {
    report(out_, fmt::format("units {} to {} are neither used nor free", end, total - 1));
  }
}

Result<void> SpaceCheck::finish() {
  ARTFS_TRY(name_bad_blocks());
  ARTFS_TRY(core_.bytes->for_each_free_run(
      [&](data::UnitRun run) { runs_.push_back({.block = {.place = run}}); }));
  std::sort(runs_.begin(), runs_.end(), Run::is_before);
  check_units();
  return check_references();
}

}  // namespace artfs::vol
