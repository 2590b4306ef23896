// SPDX-License-Identifier: Apache-2.0
#include "data/block_file.hpp"

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "data/block_batch.hpp"
#include "data/contents.hpp"
#include "data/patch_batch.hpp"
#include "engine/store_impl.hpp"
#include "format/content.hpp"

namespace artfs::data {

BlockFile::BlockFile(Store& store, const BlockFileOptions& options)
    : store_(store),
      options_(options),
      pool_({.blocks = options.cache_bytes / options.block_bytes,
             .block_bytes = options.block_bytes,
             .policy = options.cache_policy}) {}

Result<void> BlockFile::open(std::uint64_t units) {
  io::Directory& directory = store_.impl().directory();
  if (!ARTFS_TRY(directory.exists(format::blocks_file_name))) {
    if (units != 0) {
      base::log_error("blocks.dat is missing; contents of files above the inline limit are lost");
    }
    return {};
  }
  owned_ = ARTFS_TRY(directory.open(
      format::blocks_file_name,
      {.read_only = options_.read_only, .queued = store_.impl().options().io_uring}));
  file_.store(owned_.get(), std::memory_order_release);  // pairs with file()
  const std::uint64_t size = ARTFS_TRY(owned_->size());
  if (size < units * unit_bytes) {
    base::log_error(
        "blocks.dat has {} bytes, {} are recorded; blocks behind its end are unreadable", size,
        units * unit_bytes);
  }
  return {};
}

Result<io::File*> BlockFile::file() {
  io::File* const file = file_.load(std::memory_order_acquire);  // pairs with open(), grow()
  if (file == nullptr) return fail(Errc::io_failed);
  return file;
}

Error BlockFile::stop(Error reason) noexcept {
  if (!stopped_.exchange(true)) {
    base::log_error("blocks.dat failed ({}): the store accepts no more changes", to_text(reason));
    store_.impl().stop(reason);
  }
  return reason;
}

bool BlockFile::stopped() const noexcept {
  return stopped_.load() || store_.impl().stopped();
}

base::Hash128 BlockFile::hash(std::span<const std::byte> stored) const noexcept {
  return base::xxh3_128(stored, options_.hash_seed);
}

Result<void> BlockFile::read(Ino ino, const ReadPlan& plan) {
  if (plan.pieces.empty() && plan.patches.empty()) return {};
  io::File* const file = ARTFS_TRY(this->file());
  if (!plan.pieces.empty()) {
    const BlockBatch::Source source{
        .file = *file, .pool = pool_, .hash_seed = options_.hash_seed, .ino = ino};
    ARTFS_TRY(BlockBatch(source, plan.pieces).run());
  }
  if (plan.patches.empty()) return {};
  return PatchBatch(*file, options_.hash_seed, plan.patches).run();
}

Result<void> BlockFile::verify_base(io::File& file, const Block& block) {
  std::vector<std::byte> stored(block.stored_bytes);
  const std::size_t got = ARTFS_TRY(file.read_at(block.place.first * unit_bytes, stored));
  if (got != stored.size() || hash(stored) != block.hash) {
    return fail(Errc::block_corrupt, block.place.first);
  }
  return {};
}

Result<void> BlockFile::verify(const Block& block) {
  if (!block.has_bytes()) return {};
  io::File* const file = ARTFS_TRY(this->file());
  if (block.is_written()) ARTFS_TRY(verify_base(*file, block));
  std::vector<std::byte> units(block.patches.size() * unit_bytes);
  std::vector<PatchPiece> pieces;
  for (const Patch& patch : block.patches) {
    const std::span<std::byte> out =
        std::span(units).subspan(pieces.size() * unit_bytes, unit_bytes);
    pieces.push_back({.patch = patch, .out = out});
  }
  return PatchBatch(*file, options_.hash_seed, pieces).run();
}

bool BlockFile::equals(const StoredBlock& block, std::span<const std::byte> bytes) {
  if (block.stored_bytes != bytes.size()) return false;
  const Result<io::File*> file = this->file();
  if (!file) return false;
  std::vector<std::byte> stored(bytes.size());
  const Result<std::size_t> count = (*file)->read_at(block.place.first * unit_bytes, stored);
  return count && *count == stored.size() &&
         std::memcmp(stored.data(), bytes.data(), bytes.size()) == 0;
}

Result<std::uint64_t> BlockFile::write(std::uint64_t unit,
                                       std::span<const std::span<const std::byte>> buffers) {
  if (stopped()) return fail(Errc::store_stopped);
  io::File* const file = ARTFS_TRY(this->file());
  const Result<void> written = file->write_at(unit * unit_bytes, buffers);
  if (!written) {
    // The space is backed, so even no_space (a copying filesystem below us) loses nothing yet: no
    // transaction names these units.
    if (written.error().code == Errc::no_space) return fail(Errc::no_space);
    return fail(stop(written.error()));
  }
  const base::MutexLock lock(mutex_);
  return ++writes_done_;
}

bool BlockFile::is_synced(std::uint64_t ticket) {
  const base::MutexLock lock(mutex_);
  return ticket <= writes_synced_;
}

Result<void> BlockFile::sync() {
  base::MutexLock lock(mutex_);
  const std::uint64_t wanted = writes_done_;
  for (;;) {
    if (stopped()) return fail(Errc::store_stopped);
    if (writes_synced_ >= wanted) return {};
    if (syncing_) {
      synced_cond_.wait(lock);
      continue;
    }
    syncing_ = true;
    const std::uint64_t covers = writes_done_;
    lock.unlock();
    io::File* const file = file_.load(std::memory_order_acquire);  // pairs with open(), grow()
    const Result<void> synced = file->sync_data();
    if (!synced) stop(synced.error());  // never retried: what the device holds is unknown now
    lock.lock();
    syncing_ = false;
    if (synced) writes_synced_ = std::max(writes_synced_, covers);
    synced_cond_.notify_all();
    if (!synced) return synced;
  }
}

Result<void> BlockFile::grow(UnitRun run) {
  if (stopped()) return fail(Errc::store_stopped);
  if (file_.load(std::memory_order_acquire) == nullptr) {  // pairs with the store below
    io::Directory& directory = store_.impl().directory();
    owned_ = ARTFS_TRY(directory.open(
        format::blocks_file_name, {.create = true, .queued = store_.impl().options().io_uring}));
    ARTFS_TRY(directory.sync());
    file_.store(owned_.get(), std::memory_order_release);  // pairs with file()
  }
  io::File* const file = file_.load(std::memory_order_acquire);  // our own store
  ARTFS_TRY(file->allocate(run.first * unit_bytes, run.count * unit_bytes));
  const Result<void> synced = file->sync_data();
  if (!synced) return fail(stop(synced.error()));
  return {};
}

}  // namespace artfs::data
