// SPDX-License-Identifier: Apache-2.0
// Store and the life of a StoreImpl; how it opens is in recover.cpp.
#include "artfs/store.hpp"

#include "base/log.hpp"
#include "engine/store_impl.hpp"
#include "engine/verify.hpp"

namespace artfs::engine {

StoreImpl::StoreImpl(std::unique_ptr<io::Directory> directory, const OpenArgs& args)
    : directory_(std::move(directory)), path_(args.path), options_(args.options) {}

StoreImpl::~StoreImpl() {
  const Result<void> closed = close();
  if (!closed) base::log_error("closing {}: {}", path_, to_text(closed.error()));
}

Result<void> StoreImpl::close() {
  if (closed_.exchange(true)) return {};
  if (maintenance_ != nullptr) maintenance_->stop();
  Result<void> result;
  if (planner_ != nullptr) {
    // Without space for a checkpoint the log still holds everything.
    const Result<void> written = stopped() ? Result<void>{} : planner_->checkpoint();
    if (!written) {
      base::log_warning("{}: closed without a checkpoint: {}", path_, to_text(written.error()));
    }
    planner_->stop();
  }
  if (log_ != nullptr && !options_.read_only) {
    result = log_->close();
    if (stopped()) result = fail(Errc::store_stopped);
  }
  lock_.reset();
  return result;
}

void StoreImpl::set_before_log_sync(std::function<Result<void>()> hook) {
  before_log_sync_.set(std::move(hook));
}

void StoreImpl::stop(Error reason) noexcept {
  {
    const base::MutexLock lock(stop_mutex_);
    if (stopped_.load(std::memory_order_relaxed)) return;
    stop_reason_ = reason;
    stopped_.store(true, std::memory_order_release);
  }
  base::log_error("{}: stopped, reads go on, changes are refused: {}", path_, to_text(reason));
}

Result<void> StoreImpl::run_checkpoint() {
  if (stopped()) return fail(Errc::store_stopped);
  Result<void> result = checkpoint_writer_->run();
  if (result) return result;
  if (result.error().code == Errc::no_space) {
    base::log_warning("{}: a checkpoint waits for space: {}", path_, to_text(result.error()));
  } else {
    stop(result.error());
  }
  return result;
}

Result<void> StoreImpl::checkpoint() {
  if (options_.read_only) return fail(Errc::store_read_only);
  if (planner_ == nullptr) return {};
  return planner_->checkpoint();
}

Result<void> StoreImpl::sync() {
  if (options_.read_only) return {};
  if (log_ == nullptr) return before_log_sync_.run();
  return sync_to(Version{log_->end().raw - 1});
}

Result<void> StoreImpl::sync_to(Version version) {
  if (is_durable(version)) return {};
  if (stopped()) return fail(Errc::store_stopped);
  Result<void> synced = log_->sync_to(Lsn{version.raw + 1});
  if (!synced) stop(synced.error());
  return synced;
}

// A record is durable with its last byte; the durable end is always a boundary between records.
bool StoreImpl::is_durable(Version version) const noexcept {
  return log_ == nullptr || options_.read_only || log_->durable() > version;
}

Result<TreeId> StoreImpl::open_tree(std::string_view name) const {
  const TreeState* tree = trees_.find(name);
  if (tree == nullptr) return fail(Errc::tree_not_found);
  return tree->id;
}

std::vector<std::string> StoreImpl::tree_names() const {
  std::vector<std::string> names;
  for (const TreeState* tree : trees_.all()) names.push_back(tree->name);
  return names;
}

StoreStats StoreImpl::stats() const {
  StoreStats stats;
  stats.uuid = uuid_to_text(superblock_.uuid);
  stats.label = superblock_.label;
  stats.path = path_;
  stats.direct_io = blobs_->is_direct();
  stats.io = log_ == nullptr ? "memory" : blobs_->is_queued() ? "io_uring" : "pread";
  stats.read_only = options_.read_only;
  stats.stopped = stopped();
  if (stats.stopped) {
    const base::MutexLock lock(stop_mutex_);
    stats.stop_reason = stop_reason_;
  }
  stats.trees = trees_.size();
  stats.data_file_bytes = blobs_->size_bytes();
  stats.replayed_records = replayed_records_;
  stats.cache = cache_->stats();
  if (log_ != nullptr) stats.log = log_->stats();
  if (maintenance_ != nullptr) stats.maintenance = maintenance_->stats();
  if (checkpoint_writer_ != nullptr) {
    stats.checkpoint = checkpoint_writer_->stats();
    stats.frames_allocated = checkpoint_writer_->frames();
    stats.log.cut_lsn = checkpoint_writer_->cut().raw;
    stats.admission.delays = delays_.load(std::memory_order_relaxed);
    stats.admission.delayed_ns = delayed_ns_.load(std::memory_order_relaxed);
    stats.admission.stops = stops_.load(std::memory_order_relaxed);
  }
  return stats;
}

void StoreImpl::verify_into(VerifyReport& report) {
  verify_frames({.cache = *cache_,
                 .blobs = *blobs_,
                 .uuid = superblock_.uuid,
                 .trees = trees_,
                 .gate = gate_},
                report);
}

}  // namespace artfs::engine

namespace artfs {

Result<void> Store::create(const std::string& path, const CreateOptions& options) {
  const auto directory = ARTFS_TRY(io::create_posix_directory(path));
  return engine::StoreImpl::create(*directory, options);
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const StoreOptions& options) {
  auto directory = ARTFS_TRY(io::open_posix_directory(path));
  auto impl = ARTFS_TRY(engine::StoreImpl::open(
      std::move(directory), {.path = path, .options = options, .skip_replay = false}));
  return std::make_unique<Store>(std::move(impl));
}

Result<std::unique_ptr<Store>> Store::open_in_memory(const StoreOptions& options) {
  auto impl = ARTFS_TRY(engine::StoreImpl::open_in_memory(options));
  return std::make_unique<Store>(std::move(impl));
}

Store::Store(std::unique_ptr<engine::StoreImpl> impl) noexcept : impl_(std::move(impl)) {}

Store::~Store() = default;

Result<void> Store::close() {
  return impl_->close();
}

Result<Tree> Store::create_tree(std::string_view name) {
  const TreeId id = ARTFS_TRY(impl_->create_tree(name));
  return Tree(*impl_, id);
}

Result<Tree> Store::open_tree(std::string_view name) const {
  const TreeId id = ARTFS_TRY(impl_->open_tree(name));
  return Tree(*impl_, id);
}

std::vector<std::string> Store::tree_names() const {
  return impl_->tree_names();
}

Result<Version> Store::commit(const Txn& txn) {
  return impl_->commit(txn);
}

Result<void> Store::sync() {
  return impl_->sync();
}

Result<void> Store::sync_to(Version version) {
  return impl_->sync_to(version);
}

bool Store::is_durable(Version version) const noexcept {
  return impl_->is_durable(version);
}

Result<void> Store::checkpoint() {
  return impl_->checkpoint();
}

StoreStats Store::stats() const {
  return impl_->stats();
}

Result<VerifyReport> Store::verify() {
  VerifyReport report;
  impl_->verify_into(report);
  return report;
}

}  // namespace artfs
