// SPDX-License-Identifier: Apache-2.0
// Copies by reference: blocks of one file become blocks of another.
#include <algorithm>

#include "base/assert.hpp"
#include "data/file_bytes_impl.hpp"

namespace artfs::data {

namespace {

// The transaction of a step: at worst 200 bytes per block, of 4 MiB.
constexpr std::uint64_t blocks_per_clone_max = 8192;
constexpr std::size_t runs_per_clone_max = 2048;

// Blocks of the target, as the transaction will have them.
class Target {
 public:
  Target(Tree volume, Ino ino, Contents& contents, Change& change) noexcept
      : volume_(volume),
        ino_(ino),
        contents_(contents),
        change_(change),
        is_empty_(contents.units == 0),
        edits_(volume, ino) {}

  [[nodiscard]] bool is_full() const noexcept {
    return changed_ >= blocks_per_clone_max || edits_.runs_count() >= runs_per_clone_max;
  }

  Result<void> set(std::uint64_t index, const Block& block) {
    // No record is read that cannot exist.
    if (is_empty_) edits_.put_run(run_of(index), Run{});
    const Block old = *ARTFS_TRY(edits_.get(index));
    if (old.is_empty() && block.is_empty()) return {};
    lose(old);
    if (block.has_base()) {
      change_.gained.push_back(stored_block(block));
      contents_.units += block.place.count;
    }
    edits_.set(index, block);
    ++changed_;
    return {};
  }

  // Makes holes of [first, end); returns how far it came.
  Result<std::uint64_t> clear(std::uint64_t first, std::uint64_t end, bool written_only) {
    if (is_empty_) return end;
    ExtentScan scan(volume_, ino_, first);
    while (ARTFS_TRY(scan.next())) {
      for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
        const std::uint64_t index = scan.first() + i;
        const Block& block = scan.run()[i];
        if (index >= end) return end;
        if (index < first || block.is_empty() || (written_only && !block.has_bytes())) continue;
        if (is_full()) return index;
        ARTFS_TRY(set(index, Block{}));
      }
    }
    return end;
  }

  void write() { edits_.write_to(change_.txn); }

 private:
  void lose(const Block& block) {
    contents_.units -= block.units();
    for (const UnitRun& place : block.patch_places()) change_.freed.push_back(place);
    if (!block.has_base()) return;
    if (block.unwritten) {
      change_.freed.push_back(block.place);
    } else {
      change_.lost.push_back(stored_block(block));
    }
  }

  Tree volume_;
  Ino ino_;
  Contents& contents_;
  Change& change_;
  const bool is_empty_;
  RunEditor edits_;
  std::uint64_t changed_ = 0;
};

// Names the source's blocks from `at` to `end` at the same distance in the target; how far it came.
Result<std::uint64_t> name_blocks(Tree volume, const FileBytes::Clone& clone, Target& target) {
  const std::uint64_t end = clone.source_block + clone.count;
  const auto to = [&clone](std::uint64_t index) {
    return index - clone.source_block + clone.target_block;
  };
  std::uint64_t at = clone.source_block;
  ExtentScan scan(volume, clone.source, at);
  while (at < end) {
    const bool has_run = ARTFS_TRY(scan.next());
    const std::uint64_t gap_end = has_run ? std::clamp(scan.first(), at, end) : end;
    const std::uint64_t cleared = ARTFS_TRY(target.clear(to(at), to(gap_end), false));
    at += cleared - to(at);
    if (at < gap_end || !has_run) return at;
    for (; at < std::min(end, scan.first() + format::blocks_per_run); ++at) {
      const Block& block = scan.run()[at - scan.first()];
      // Patches have no references: such a block is copied as bytes.
      if (target.is_full() || !block.patches.empty()) return at;
      // Space put aside is the source's own; it reads as a hole does.
      ARTFS_TRY(target.set(to(at), block.unwritten ? Block{} : block));
    }
  }
  return at;
}

}  // namespace

Result<std::uint64_t> FileBytesImpl::clone(const FileBytes::Clone& clone, Contents& contents,
                                           const Buffer& buffer, Change& change) {
  ARTFS_ASSERT(buffer.empty());
  ARTFS_ASSERT(!contents.is_inline || contents.size == 0 || clone.target_block == 0);
  Target target(volume_, clone.target, contents, change);
  if (clone.target_size > contents.size && !buffer.tail_is_clean_) {  // TAIL
    const std::uint64_t behind = (contents.size + layout_.block_bytes - 1) / layout_.block_bytes;
    constexpr std::uint64_t everything = ~std::uint64_t{0};
    if (ARTFS_TRY(target.clear(behind, everything, true)) != everything) return std::uint64_t{0};
  }
  const std::uint64_t reached = ARTFS_TRY(name_blocks(volume_, clone, target));
  const std::uint64_t done = reached - clone.source_block;
  target.write();
  contents.is_inline = false;
  contents.inline_bytes.clear();
  const std::uint64_t end =
      std::min(clone.target_size, (clone.target_block + done) * layout_.block_bytes);
  contents.size = std::max(contents.size, end);
  return done;
}

}  // namespace artfs::data
