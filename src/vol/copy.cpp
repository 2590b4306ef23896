// SPDX-License-Identifier: Apache-2.0
#include "vol/copy.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "vol/atime.hpp"
#include "vol/attr.hpp"
#include "vol/file.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"
#include "vol/protect.hpp"

namespace artfs::vol {
namespace {

constexpr std::uint64_t chunk_bytes = mib;
// Files that are written to all the time are not waited for.
constexpr int share_attempts_max = 4;
constexpr std::uint64_t bytes_waited_for_min = mib;

bool overlaps(const CopyRange& range) {
  return range.from == range.to && std::max(range.from_offset, range.to_offset) -
                                           std::min(range.from_offset, range.to_offset) <
                                       range.length;
}

// The states of both files, locked in the one order that all copies take.
class BothLocked {
 public:
  BothLocked(InodeState& from, InodeState& to) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
    const bool from_first = &from.mutex < &to.mutex;
    first_.emplace(from_first ? from.mutex : to.mutex);
    if (&from != &to) second_.emplace(from_first ? to.mutex : from.mutex, base::same_rank);
  }

  BothLocked(const BothLocked&) = delete;
  BothLocked& operator=(const BothLocked&) = delete;

  // The second goes first.
  ~BothLocked() ARTFS_NO_THREAD_SAFETY_ANALYSIS { second_.reset(); }

 private:
  std::optional<base::MutexLock> first_;
  std::optional<base::MutexLock> second_;
};

class Copy {
 public:
  Copy(Core& core, const CopyRange& range)
      : core_(core),
        range_(range),
        block_bytes_(core.settings.block_bytes),
        from_(core.open.acquire(range.from)),
        to_(core.open.acquire(range.to)) {}

  Result<std::uint64_t> run() {
    Result<std::uint64_t> step;
    while (done_ < range_.length && copied_ < bytes_copied_max) {
      step = this->step();
      if (!step || *step == 0) break;
      done_ += *step;
    }
    if (!step && done_ == 0) return step;
    return done_;
  }

 private:
  std::uint64_t source() const { return range_.from_offset + done_; }

  std::uint64_t target() const { return range_.to_offset + done_; }

  std::uint64_t left() const { return range_.length - done_; }

  // 0: the source ends here.
  Result<std::uint64_t> step() {
    const bool congruent = source() % block_bytes_ == target() % block_bytes_;
    if (!congruent) return copy_bytes(std::min(left(), chunk_bytes));
    const std::uint64_t into = source() % block_bytes_;
    if (into != 0) return copy_bytes(std::min(left(), block_bytes_ - into));
    const std::uint64_t shared = ARTFS_TRY(share());
    if (shared > 0) return shared;
    return copy_bytes(std::min(left(), block_bytes_));
  }

  Result<std::uint64_t> copy_bytes(std::uint64_t length) {
    const data::FileBytes::Seek where{.offset = source()};
    const Result<std::uint64_t> data = seek(core_, range_.from, where);
    if (!data && data.error().code != Errc::no_more_data) return data;
    const std::uint64_t hole = data ? std::min(*data - source(), length) : length;
    if (hole > 0) return copy_hole(hole);
    const std::uint64_t data_end =
        ARTFS_TRY(seek(core_, range_.from, {.offset = source(), .hole = true}));
    buffer_.resize(std::min(length, data_end - source()));
    const std::size_t count = ARTFS_TRY(read(core_, range_.from, source(), buffer_, false));
    if (count == 0) return std::uint64_t{0};
    const std::span<const std::byte> bytes = std::span(buffer_).first(count);
    ARTFS_TRY(write(core_, range_.to, target(), bytes, {}));
    copied_ += count;
    return count;
  }

  Result<std::uint64_t> copy_hole(std::uint64_t length) {
    const std::uint64_t size = ARTFS_TRY(size_of(core_, range_.from));
    const std::uint64_t count = std::min(length, size - std::min(size, source()));
    if (count == 0) return count;
    ARTFS_TRY(make_hole(core_, range_.to, {.offset = target(), .length = count}));
    return count;
  }

  // Whole blocks by reference; 0: not here, or not worth waiting for. A short range of a file that is still
  // being written is copied instead: with dedup its blocks are shared when they are written out.
  Result<std::uint64_t> share() {
    for (int attempt = 0; attempt < share_attempts_max; ++attempt) {
      bool pending = false;
      const std::uint64_t shared = ARTFS_TRY(try_share(pending));
      if (!pending) return shared;
      if (left() < bytes_waited_for_min) return std::uint64_t{0};
      ARTFS_TRY(core_.flusher->flush_one(range_.from));
      ARTFS_TRY(core_.flusher->flush_one(range_.to));
    }
    return std::uint64_t{0};
  }

  Result<std::uint64_t> try_share(bool& pending) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
    const InodeLocks::Guard guard(core_.locks, {range_.to});
    const BothLocked locked(*from_, *to_);
    ARTFS_TRY(load_contents(core_, *from_));
    ARTFS_TRY(load_contents(core_, *to_));
    if (from_->reclaiming || to_->reclaiming) return fail(Errc::inode_not_found, range_.to.raw);
    ARTFS_TRY(may_touch(to_->flags, Touches::contents));
    pending = !from_->buffer.empty() || !to_->buffer.empty();
    if (pending) return std::uint64_t{0};
    const std::uint64_t source_size = from_->contents.size;
    if (from_->contents.is_inline || source_size <= source()) return std::uint64_t{0};
    const std::uint64_t bytes = std::min(left(), source_size - source());
    std::uint64_t blocks = bytes / block_bytes_;
    std::uint64_t end = target() + blocks * block_bytes_;
    // A last block that is cut short goes along when nothing of the target stands behind it.
    if (source() + bytes == source_size && target() + bytes >= to_->contents.size &&
        bytes % block_bytes_ != 0) {
      ++blocks;
      end = target() + bytes;
    }
    const bool inline_stays = to_->contents.is_inline && to_->contents.size > 0 && target() != 0;
    if (blocks == 0 || inline_stays) return std::uint64_t{0};
    const data::FileBytes::Clone clone{.source = range_.from,
                                       .target = range_.to,
                                       .source_block = source() / block_bytes_,
                                       .target_block = target() / block_bytes_,
                                       .count = blocks,
                                       .target_size = end};
    const std::uint64_t cloned = ARTFS_TRY(commit(clone));
    return std::min(cloned * block_bytes_, end - target());
  }

  // Stripe of the target and both states held; until the commit nothing in memory changes.
  Result<std::uint64_t> commit(const data::FileBytes::Clone& clone)
      ARTFS_NO_THREAD_SAFETY_ANALYSIS {
    format::Inode inode = ARTFS_TRY(load_inode(core_, range_.to));
    data::Contents contents = to_->contents;
    data::Change change;
    const std::uint64_t cloned =
        ARTFS_TRY(core_.bytes->clone(clone, contents, to_->buffer, change));
    if (cloned == 0) return cloned;
    set_contents(inode, contents);
    if (to_->pending.atime) inode.atime = *to_->pending.atime;
    inode.mtime = inode.ctime = now();
    put_inode(core_, change.txn, range_.to, inode);
    ARTFS_TRY(core_.bytes->commit(change));
    to_->contents = std::move(contents);
    to_->pending = {};
    to_->atime_due = true;
    note_read(core_, *from_);
    return cloned;
  }

  Core& core_;
  const CopyRange range_;
  const std::uint64_t block_bytes_;
  const OpenInodes::Ref from_;
  const OpenInodes::Ref to_;
  std::uint64_t done_ = 0;
  std::uint64_t copied_ = 0;  // of done_, byte by byte
  std::vector<std::byte> buffer_;
};

}  // namespace

Result<std::uint64_t> copy_range(Core& core, const CopyRange& range, const Caller& caller) {
  if (core.read_only()) return fail(Errc::store_read_only);
  const std::uint64_t size = ARTFS_TRY(size_of(core, range.from));
  ARTFS_TRY(size_of(core, range.to));  // both are regular files
  CopyRange clipped = range;
  clipped.length = std::min(range.length, size - std::min(size, range.from_offset));
  if (overlaps(clipped)) return fail(Errc::invalid_argument);
  if (clipped.length == 0) return std::uint64_t{0};
  if (range.to_offset > format::file_size_max ||
      clipped.length > format::file_size_max - range.to_offset) {
    return fail(Errc::file_too_big, range.to_offset);
  }
  ARTFS_TRY(shed_privileges(core, range.to, caller));
  const std::uint64_t done = ARTFS_TRY(Copy(core, clipped).run());
  ARTFS_TRY(write_through(core, range.to));
  return done;
}

}  // namespace artfs::vol
