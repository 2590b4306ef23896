// SPDX-License-Identifier: Apache-2.0
// FileBytes: the bytes of all files of a volume: inline, buffered, and in blocks.dat.
//
// Contract:   the volume keeps Contents (committed) and a Buffer (accepted) per inode and passes both.
//             Writing out takes five steps, so that many inodes share one device sync:
//               1 begin_flush   inode locked    moves what is pending into the in-flight layer; memory only
//               2 write_out     no lock needed  completes, hashes and writes the blocks to fresh space
//               3 sync_data     no lock needed  one fdatasync for every write_out before it
//               4 finish_flush  inode locked    the new Contents, extents and space go into a Change;
//                                               the volume adds the inode record; commit(Change)
//               5 committed / aborted           same lock still held; every Flush ends in one of the two
//             Between 1 and 5 the inode may be written, truncated and read. One flush per inode at a
//             time. One flush may not take everything (bounded transactions): repeat until !dirty().
// Threading:  thread-safe. Calls with a Buffer: under its inode's lock, shared for read, exclusive else.
//             commit, write_out, sync_data, write and fallocate may block on the device.
// Errors:     no_space from write, truncate, fallocate (nothing changed; flushing other files and
//             Store::sync may help); file_too_big; block_corrupt (detail: block index) when stored
//             bytes do not match their hash; store_stopped after a failed write or sync of
//             blocks.dat; and the Store errors.
// Invariants: W-DATA: a block's bytes are synced before a transaction that names them is logged.
//             FRESH: a unit that any durable state names is never overwritten (space that fallocate put
//             aside reads as zeros until a transaction says that it is written). A patch replaced
//             goes to a fresh unit.
//             TAIL: bytes of a stored block lie below the committed size; what stands in an extent
//             behind it is void and is removed before the size passes it.
//             REFS: a written block is named by exactly as many extents as the block index says (one
//             without an entry); both change in one transaction. Only equal bytes share a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artfs/options.hpp"
#include "artfs/stats.hpp"
#include "artfs/store.hpp"

#include "data/buffer.hpp"
#include "data/change.hpp"
#include "data/contents.hpp"
#include "data/logged.hpp"
#include "data/read_plan.hpp"
#include "format/logged.hpp"

namespace artfs::data {

class FileBytesImpl;
struct FlushState;

// Fixed at mkfs; the volume remembers it.
struct Layout {
  std::uint32_t block_bytes = 64 * static_cast<std::uint32_t>(kib);  // power of two, 4 KiB to 1 MiB
  std::uint32_t inline_bytes_max = 2048;                             // 0 to 4096
  bool dedup = true;  // equal blocks are stored once; copies by reference share blocks in any case
};

struct Environment {
  Store* store = nullptr;  // its directory holds blocks.dat
  Tree volume;             // extents: "e/" keys
  Tree space;              // free runs and counters
  // References of blocks. Absent: a volume of version 1 that is only read; no block is shared then.
  std::optional<Tree> blocks;
};

struct DataOptions {
  std::uint64_t write_buffer_bytes = 64 * mib;
  std::uint64_t block_cache_bytes = 32 * mib;  // verified blocks kept for partial reads
  BlockCachePolicy block_cache_policy = BlockCachePolicy::multi_lru;
  // blocks.dat grows by a quarter of its size, at least this much and at most 1 GiB: few pauses in a
  // large store, little waste in a small one.
  std::uint64_t growth_step_bytes = 8 * mib;
  // blocks.dat leaves a sixteenth of what the device can give, at most this much, to log and
  // metadata.
  std::uint64_t headroom_bytes_max = 256 * mib;
  bool read_only = false;
};

struct SpaceFigures {
  std::uint64_t units_used = 0;      // transactional: the sum over all inodes is this + units_saved
  std::uint64_t units_free = 0;      // in blocks.dat or by growing it, promised units not included
  std::uint64_t units_reserved = 0;  // promised to accepted writes
  std::uint64_t units_saved = 0;     // what references beyond each block's first one would take
  std::uint64_t blocks_indexed = 0;  // blocks with an entry (with dedup: all that are written)
  std::uint64_t blocks_shared = 0;   // blocks with two references and more
};

// A flush between its steps. Dropped without committed(): as aborted(), which needs the inode's lock.
class Flush {
 public:
  Flush() noexcept;
  explicit Flush(std::unique_ptr<FlushState> state) noexcept;
  Flush(Flush&&) noexcept;
  Flush& operator=(Flush&&) noexcept;
  ~Flush();

  // False: there was nothing to flush; the other steps must not be called.
  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

  // After write_out: blocks were written; sync_data must follow before finish_flush.
  [[nodiscard]] bool needs_sync() const noexcept;
  // After write_out: it only removes extents, and the change goes back into the buffer when that is committed.
  [[nodiscard]] bool is_deferred() const noexcept;

 private:
  friend class FileBytes;
  friend class FileBytesImpl;
  std::unique_ptr<FlushState> release() noexcept;
  std::unique_ptr<FlushState> state_;
};

// One block of a file as its extent names it, whatever is there.
struct BlockInfo {
  std::uint64_t index = 0;         // block number in the file
  UnitRun place{};                 // of its base; none when that is a hole
  std::uint32_t stored_bytes = 0;  // 0 when unwritten
  bool unwritten = false;          // allocated in advance, reads as zeros
  base::Hash128 hash{};            // of a written one
  std::uint64_t patches = 0;
  std::vector<UnitRun> patch_places{};  // of those that are not in the base's place
};

class FileBytes {
 public:
  // Once per volume: free space starts as an empty tree, and blocks.dat with the first growth.
  // tree_exists when the space tree is not empty.
  [[nodiscard]] static Result<void> format(Store& store, Tree space);
  // O(free runs); no block and no inode is read.
  [[nodiscard]] static Result<std::unique_ptr<FileBytes>> open(const Environment& environment,
                                                               const Layout& layout,
                                                               const DataOptions& options);
  explicit FileBytes(std::unique_ptr<FileBytesImpl> impl) noexcept;
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes();

  // Fewer bytes than asked only at the end of the file.
  [[nodiscard]] Result<std::size_t> read(Ino ino, const Contents& contents, const Buffer* buffer,
                                         std::uint64_t offset, std::span<std::byte> out);
  // The same in two steps, so that the device is waited for without the inode's lock: with it, what lies
  // in memory is copied and the rest noted; then read_blocks() without it. block_corrupt from the second
  // step may only mean that the blocks were freed meanwhile: read() under the lock tells.
  [[nodiscard]] Result<ReadPlan> plan_read(Ino ino, const Contents& contents, const Buffer* buffer,
                                           std::uint64_t offset, std::span<std::byte> out);
  [[nodiscard]] Result<void> read_blocks(Ino ino, const ReadPlan& plan);
  // All or nothing. Space is promised here; the size grows as needed.
  [[nodiscard]] Result<void> write(Ino ino, const Contents& contents, Buffer& buffer,
                                   std::uint64_t offset, std::span<const std::byte> data);
  [[nodiscard]] Result<void> truncate(Ino ino, const Contents& contents, Buffer& buffer,
                                      std::uint64_t size);

  struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool keep_size = false;
  };

  // Promises space for the holes of the range; a later flush records it. What is written already is
  // copied on write, so overwriting it may still need new space.
  [[nodiscard]] Result<void> fallocate(Ino ino, const Contents& contents, Buffer& buffer,
                                       const Range& range);

  // The range reads as zeros from now on: its whole blocks without, the rest as written bytes. punch
  // gives the space of whole blocks away and leaves the size alone; zero has space for the whole range
  // afterwards, so that writing there costs none.
  enum class Clear : std::uint8_t { punch, zero };

  [[nodiscard]] Result<void> clear(Ino ino, const Contents& contents, Buffer& buffer,
                                   const Range& range, Clear how);

  // The first byte at or behind `offset` that lies in a block with data, or in a hole; the end of the file
  // is one. What was allocated but never written is a hole. no_more_data when `offset` is not in the
  // file, or no data follows.
  struct Seek {
    std::uint64_t offset = 0;
    bool hole = false;
  };

  [[nodiscard]] Result<std::uint64_t> seek(Ino ino, const Contents& contents, const Buffer* buffer,
                                           const Seek& seek);

  // Whole blocks of one file that become blocks of another, or of the same file elsewhere.
  struct Clone {
    Ino source;
    Ino target;
    std::uint64_t source_block = 0;
    std::uint64_t target_block = 0;
    std::uint64_t count = 0;
    std::uint64_t target_size = 0;  // the target is at least that long when all are done
  };

  // Copies by reference, as many blocks as one transaction takes from the first on; holes and space put
  // aside become holes. Both files are locked until `change` is committed, nothing of either is pending,
  // `contents` and `buffer` are the target's. An inline target is empty, or its block 0 is replaced. A
  // block that ends behind target_size holds nothing there, and the target is not longer than that. A
  // patched block ends the copy.
  // Returns how many blocks were done; 0: copy bytes instead, and drop the change.
  [[nodiscard]] Result<std::uint64_t> clone(const Clone& clone, Contents& contents,
                                            const Buffer& buffer, Change& change);

  [[nodiscard]] Flush begin_flush(Ino ino, const Contents& contents, Buffer& buffer);
  [[nodiscard]] Result<void> write_out(Flush& flush);
  [[nodiscard]] Result<void> sync_data();
  // `contents`: in, what begin_flush saw (it cannot have changed); out, what the inode record must
  // say.
  [[nodiscard]] Result<void> finish_flush(Flush& flush, Contents& contents, Change& change);
  void committed(Flush&& flush) noexcept;
  // The changes return to the active layer, below what was written since. Also when a step failed.
  void aborted(Flush&& flush) noexcept;

  // Logged writes (data/logged.hpp), all under the inode's lock. A plan holds until the buffer changes next;
  // logged(): its records are committed.
  [[nodiscard]] LogPlan plan_log(const Contents& contents, const Buffer& buffer) const;
  void logged(Buffer& buffer) noexcept;
  // What is pending ends up in the inode record: its flush needs no device.
  [[nodiscard]] bool stays_inline(const Contents& contents, const Buffer& buffer) const noexcept;
  // What the transaction of a deferred flush must put behind the records that stand (LOGGED), if any.
  [[nodiscard]] std::vector<std::string> removals(const Flush& flush) const;
  // After a crash: the records of an inode, one after the other. Space is promised again as far as there is
  // any; also when nothing may be written.
  [[nodiscard]] Result<void> restore(Ino ino, const Contents& contents, Buffer& buffer,
                                     const format::LoggedWrite& write);

  // Every transaction with allocated or freed space goes through here (any other may).
  [[nodiscard]] Result<Version> commit(Change& change);

  // Frees blocks of a file that nobody can reach any more, at most about `blocks_max` per call, and
  // says so in `contents`; true: call again after committing. The Buffer must have been discarded.
  [[nodiscard]] Result<bool> reclaim(Ino ino, Contents& contents, Change& change,
                                     std::size_t blocks_max);

  // More is buffered than the budget allows: flush before accepting more.
  [[nodiscard]] bool over_budget() const noexcept;
  [[nodiscard]] std::uint64_t buffered_bytes() const noexcept;
  [[nodiscard]] BlockCacheStats block_cache() const;
  // O(1), but for one statfs of the device.
  [[nodiscard]] SpaceFigures space() const;

  // For checks. Blocks in ascending order, holes left out.
  [[nodiscard]] Result<void> for_each_block(Ino ino,
                                            const std::function<void(const BlockInfo&)>& visit);
  // Reads one block from the device (no cache) and compares its hash and those of its patches; a hole is
  // fine.
  [[nodiscard]] Result<void> verify_block(Ino ino, std::uint64_t index);
  // Free runs as the space tree records them, ascending.
  [[nodiscard]] Result<void> for_each_free_run(const std::function<void(UnitRun)>& visit);
  // Entries of the block index: blocks without one have one reference.
  [[nodiscard]] Result<void> for_each_entry(
      const std::function<void(const StoredBlock&, std::uint64_t references)>& visit);
  // Units of blocks.dat that exist according to the space tree.
  [[nodiscard]] std::uint64_t units_total() const;

 private:
  std::unique_ptr<FileBytesImpl> impl_;
};

}  // namespace artfs::data
