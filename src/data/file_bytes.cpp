// SPDX-License-Identifier: Apache-2.0
#include "data/file_bytes.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "data/file_bytes_impl.hpp"
#include "data/flush_writer.hpp"
#include "engine/store_impl.hpp"
#include "format/content.hpp"

namespace artfs::data {

// --- Buffer -----------------------------------------------------------------------------------------

Buffer::Buffer() noexcept = default;

Buffer::~Buffer() {
  ARTFS_ASSERT(!in_flight_);
  discard();
}

std::uint64_t Buffer::size(const Contents& contents) const noexcept {
  if (active_) return active_->size;
  return in_flight_ ? in_flight_->size : contents.size;
}

std::uint64_t Buffer::dirty_bytes() const noexcept {
  return (active_ ? active_->held_bytes : 0) + (in_flight_ ? in_flight_->held_bytes : 0);
}

std::uint64_t Buffer::reserved_units() const noexcept {
  return (active_ ? active_->reserved_units : 0) + (in_flight_ ? in_flight_->reserved_units : 0);
}

// A promise says nothing of the block it will replace, hence the bound: a dense file does not grow while
// it is overwritten.
std::uint64_t Buffer::units(const Contents& contents) const noexcept {
  std::uint64_t units = contents.units;
  std::uint64_t dense = std::max(units, (size(contents) + unit_bytes - 1) / unit_bytes);
  for (const Layer* layer : {in_flight_.get(), active_.get()}) {
    if (layer == nullptr) continue;
    if (layer->cut == 0) units = 0;
    dense += layer->preallocate_units;
    dense -= std::min(dense, layer->voided_units);
    units -= std::min(units, layer->voided_units);
    units += layer->reserved_units;
  }
  return std::min(units, dense);
}

void Buffer::discard() noexcept {
  if (owner_ != nullptr) owner_->discard(*this);
}

// --- Flush ------------------------------------------------------------------------------------------

Flush::Flush() noexcept = default;

Flush::Flush(std::unique_ptr<FlushState> state) noexcept : state_(std::move(state)) {}

Flush::Flush(Flush&&) noexcept = default;

Flush& Flush::operator=(Flush&& other) noexcept {
  if (state_) state_->owner->aborted(*state_);
  state_ = std::move(other.state_);
  return *this;
}

Flush::~Flush() {
  if (state_) state_->owner->aborted(*state_);
}

std::unique_ptr<FlushState> Flush::release() noexcept {
  return std::move(state_);
}

bool Flush::needs_sync() const noexcept {
  return state_ && state_->write_ticket != 0;
}

bool Flush::is_deferred() const noexcept {
  return state_ && state_->deferred;
}

// --- FileBytes --------------------------------------------------------------------------------------

FileBytesImpl::FileBytesImpl(const Environment& environment, const Layout& layout,
                             const DataOptions& options, std::uint64_t hash_seed)
    : store_(*environment.store),
      volume_(environment.volume),
      layout_(layout),
      options_(options),
      block_units_(layout.block_bytes / unit_bytes),
      file_(store_, {.block_bytes = layout.block_bytes,
                     .cache_bytes = options.block_cache_bytes,
                     .cache_policy = options.block_cache_policy,
                     .hash_seed = hash_seed,
                     .read_only = options.read_only}),
      index_(environment.blocks, layout.dedup),
      space_(store_, environment.space, file_, index_,
             {.block_bytes = layout.block_bytes,
              .growth_step_bytes = options.growth_step_bytes,
              .headroom_bytes_max = options.headroom_bytes_max,
              .read_only = options.read_only}) {}

Result<void> FileBytesImpl::open() {
  ARTFS_TRY(file_.open(space_.total_units()));
  ARTFS_TRY(space_.load());
  // W-DATA: what a record names is on the device before it is logged, so a sync of the log needs no other.
  if (!options_.read_only) store_.impl().set_before_log_sync({});
  return {};
}

Result<void> FileBytesImpl::write_out(Flush& flush) {
  return FlushWriter(*this, *flush.state_).run();
}

FileBytes::FileBytes(std::unique_ptr<FileBytesImpl> impl) noexcept : impl_(std::move(impl)) {}

FileBytes::~FileBytes() = default;

Result<void> FileBytes::format(Store& store, Tree space) {
  if (store.impl().is_read_only()) return fail(Errc::store_read_only);
  return ARTFS_TRY(space.prefix_empty("")) ? Result<void>{} : fail(Errc::tree_exists);
}

Result<std::unique_ptr<FileBytes>> FileBytes::open(const Environment& environment,
                                                   const Layout& layout,
                                                   const DataOptions& options) {
  if (!std::has_single_bit(layout.block_bytes) || layout.block_bytes < format::block_bytes_min ||
      layout.block_bytes > format::block_bytes_max ||
      layout.inline_bytes_max > format::inline_bytes_limit) {
    return fail(Errc::invalid_argument);
  }
  const auto& key = environment.store->impl().superblock().content_key;
  auto impl = std::make_unique<FileBytesImpl>(environment, layout, options, base::xxh3_64(key));
  ARTFS_TRY(impl->open());
  return std::make_unique<FileBytes>(std::move(impl));
}

Result<std::size_t> FileBytes::read(Ino ino, const Contents& contents, const Buffer* buffer,
                                    std::uint64_t offset, std::span<std::byte> out) {
  return impl_->read(ino, contents, buffer, offset, out);
}

Result<ReadPlan> FileBytes::plan_read(Ino ino, const Contents& contents, const Buffer* buffer,
                                      std::uint64_t offset, std::span<std::byte> out) {
  return impl_->plan_read(ino, contents, buffer, offset, out);
}

Result<void> FileBytes::read_blocks(Ino ino, const ReadPlan& plan) {
  return impl_->file().read(ino, plan);
}

BlockCacheStats FileBytes::block_cache() const {
  return impl_->file().pool().stats();
}

Result<void> FileBytes::write(Ino ino, const Contents& contents, Buffer& buffer,
                              std::uint64_t offset, std::span<const std::byte> data) {
  return impl_->write(ino, contents, buffer, offset, data);
}

Result<void> FileBytes::truncate(Ino ino, const Contents& contents, Buffer& buffer,
                                 std::uint64_t size) {
  return impl_->truncate(ino, contents, buffer, size);
}

Result<void> FileBytes::fallocate(Ino ino, const Contents& contents, Buffer& buffer,
                                  const Range& range) {
  return impl_->fallocate(ino, contents, buffer, range);
}

Result<void> FileBytes::clear(Ino ino, const Contents& contents, Buffer& buffer, const Range& range,
                              Clear how) {
  return impl_->clear(ino, contents, buffer, range, how);
}

Result<std::uint64_t> FileBytes::seek(Ino ino, const Contents& contents, const Buffer* buffer,
                                      const Seek& seek) {
  return impl_->seek(ino, contents, buffer, seek);
}

Result<std::uint64_t> FileBytes::clone(const Clone& clone, Contents& contents, const Buffer& buffer,
                                       Change& change) {
  return impl_->clone(clone, contents, buffer, change);
}

Flush FileBytes::begin_flush(Ino ino, const Contents& contents, Buffer& buffer) {
  return impl_->begin_flush(ino, contents, buffer);
}

Result<void> FileBytes::write_out(Flush& flush) {
  return impl_->write_out(flush);
}

Result<void> FileBytes::sync_data() {
  return impl_->file().sync();
}

Result<void> FileBytes::finish_flush(Flush& flush, Contents& contents, Change& change) {
  return impl_->finish_flush(flush, contents, change);
}

void FileBytes::committed(Flush&& flush) noexcept {
  const std::unique_ptr<FlushState> state = flush.release();
  impl_->committed(*state);
}

void FileBytes::aborted(Flush&& flush) noexcept {
  const std::unique_ptr<FlushState> state = flush.release();
  impl_->aborted(*state);
}

LogPlan FileBytes::plan_log(const Contents& contents, const Buffer& buffer) const {
  return impl_->plan_log(contents, buffer);
}

void FileBytes::logged(Buffer& buffer) noexcept {
  impl_->logged(buffer);
}

bool FileBytes::stays_inline(const Contents& contents, const Buffer& buffer) const noexcept {
  return impl_->stays_inline(contents, buffer);
}

std::vector<std::string> FileBytes::removals(const Flush& flush) const {
  return impl_->removals(*flush.state_);
}

Result<void> FileBytes::restore(Ino ino, const Contents& contents, Buffer& buffer,
                                const format::LoggedWrite& write) {
  return impl_->restore(ino, contents, buffer, write);
}

Result<Version> FileBytes::commit(Change& change) {
  return impl_->space().commit(change);
}

Result<bool> FileBytes::reclaim(Ino ino, Contents& contents, Change& change,
                                std::size_t blocks_max) {
  return impl_->reclaim(ino, contents, change, blocks_max);
}

bool FileBytes::over_budget() const noexcept {
  return impl_->buffered_bytes() > impl_->options().write_buffer_bytes;
}

std::uint64_t FileBytes::buffered_bytes() const noexcept {
  return impl_->buffered_bytes();
}

SpaceFigures FileBytes::space() const {
  const SpaceUse use = impl_->space().use();
  const BlockFigures blocks = impl_->index().figures();
  return {.units_used = use.used,
          .units_free = use.free,
          .units_reserved = use.reserved,
          .units_saved = blocks.saved_units,
          .blocks_indexed = blocks.entries,
          .blocks_shared = blocks.shared};
}

Result<void> FileBytes::for_each_block(Ino ino,
                                       const std::function<void(const BlockInfo&)>& visit) {
  return impl_->for_each_block(ino, visit);
}

Result<void> FileBytes::verify_block(Ino ino, std::uint64_t index) {
  return impl_->verify_block(ino, index);
}

Result<void> FileBytes::for_each_free_run(const std::function<void(UnitRun)>& visit) {
  return impl_->space().for_each_run(visit);
}

Result<void> FileBytes::for_each_entry(
    const std::function<void(const StoredBlock&, std::uint64_t references)>& visit) {
  return impl_->index().for_each(visit);
}

std::uint64_t FileBytes::units_total() const {
  return impl_->space().total_units();
}

}  // namespace artfs::data
