// SPDX-License-Identifier: Apache-2.0
// How a store is made and opened: superblock, lock, manifest, redo of a committed checkpoint, frames,
// trees, replay of the log, checkpointer. Each step rests on those before it alone.
#include <algorithm>

#include "base/log.hpp"
#include "engine/checkpoint/home.hpp"
#include "engine/overlay_store.hpp"
#include "engine/replay.hpp"
#include "engine/store_impl.hpp"
#include "io/file_store.hpp"
#include "io/memory_directory.hpp"
#include "io/memory_store.hpp"

namespace artfs::engine {

namespace {

constexpr std::string_view frames_name = "frames.dat";
constexpr std::string_view contents_name = "blocks.dat";
constexpr std::string_view log_prefix = "log-";
constexpr std::string_view lock_name = "lock";
constexpr Lsn first_lsn{0};

Result<void> sync_contents(io::Directory& directory) {
  const bool present = ARTFS_TRY(directory.exists(contents_name));
  if (!present) return {};
  const std::unique_ptr<io::File> file = ARTFS_TRY(directory.open(contents_name, {}));
  return file->sync_data();
}

// A killed process may have left the log, and what it refers to, in the page cache only.
Result<void> sync_log_files(io::Directory& directory) {
  const std::vector<std::string> names = ARTFS_TRY(directory.list());
  for (const std::string& name : names) {
    if (!std::string_view(name).starts_with(log_prefix)) continue;
    const std::unique_ptr<io::File> file = ARTFS_TRY(directory.open(name, {}));
    ARTFS_TRY(file->sync_data());
  }
  return sync_contents(directory);
}

// The last step of a checkpoint, into an overlay: what replay changed in a read-only store.
Result<void> write_to_overlay(frame::Cache& cache, io::BlobStore& overlay) {
  frame::FrozenSet frozen = cache.freeze();
  checkpoint::HomeWriter home(overlay);
  for (frame::FrozenFrame& frame : frozen.frames) {
    const std::span<std::byte> place = ARTFS_TRY(home.add(frame.slot, frame.pages));
    cache.capture(frame, place);
  }
  ARTFS_TRY(home.flush());
  cache.release(std::move(frozen));
  return {};
}

}  // namespace

// One use: open a store step by step. A failure leaves a store that was never handed out.
class Opener {
 public:
  Opener(std::unique_ptr<io::Directory> directory, const StoreImpl::OpenArgs& args)
      : store_(std::make_unique<StoreImpl>(std::move(directory), args)), args_(args) {}

  [[nodiscard]] Result<std::unique_ptr<StoreImpl>> open() {
    ARTFS_TRY(check(args_.options));
    ARTFS_TRY(identify());
    ARTFS_TRY(open_frames());
    ARTFS_TRY(redo());
    restore();
    if (!args_.options.read_only) ARTFS_TRY(prepare_checkpoints());
    if (!args_.skip_replay) ARTFS_TRY(replay());
    if (!args_.options.read_only) {
      start_checkpoints();
      store_->start_maintenance();
    }
    return std::move(store_);
  }

  [[nodiscard]] Result<std::unique_ptr<StoreImpl>> open_in_memory() {
    ARTFS_TRY(check(args_.options));
    store_->superblock_ = new_superblock("");
    store_->blobs_ = std::make_unique<io::MemoryStore>();
    make_cache(true);
    if (!args_.options.read_only) store_->start_maintenance();
    return std::move(store_);
  }

 private:
  [[nodiscard]] bool read_only() const noexcept { return args_.options.read_only; }

  [[nodiscard]] io::Directory& directory() const noexcept { return *store_->directory_; }

  // The lock comes second: a directory that is no store is left as it is.
  [[nodiscard]] Result<void> identify() {
    store_->superblock_ = ARTFS_TRY(read_superblock(directory(), read_only()));
    store_->lock_ = ARTFS_TRY(directory().lock(lock_name, read_only(), args_.options.lock_wait));
    if (store_->superblock_.one_copy_damaged) {
      base::log_warning("{}: one of the two superblock copies is damaged", args_.path);
      if (!read_only()) ARTFS_TRY(repair_superblock(directory(), store_->superblock_));
    }
    store_->manifest_ =
        ARTFS_TRY(Manifest::open(directory(), store_->superblock_.uuid, read_only()));
    return {};
  }

  [[nodiscard]] Result<void> open_frames() {
    std::unique_ptr<io::BlobStore> file =
        ARTFS_TRY(io::FileStore::open(directory(), frames_name,
                                      {.create = false,
                                       .direct = args_.options.direct_io,
                                       .read_only = read_only(),
                                       .queued = args_.options.io_uring}));
    if (read_only()) file = std::make_unique<OverlayStore>(std::move(file));
    store_->blobs_ = std::move(file);
    return {};
  }

  // A checkpoint whose commit record is on disk happened; its home writes may not have.
  [[nodiscard]] Result<void> redo() {
    state_ = store_->manifest_->state();
    const auto log = ARTFS_TRY(checkpoint::LogReader::find(directory(), store_->superblock_.uuid,
                                                           state_.generation + 1, read_only()));
    if (log == nullptr) {
      restore_slots();
      return {};
    }
    ARTFS_TRY(state_.apply(log->delta()));
    restore_slots();
    checkpoint::HomeWriter home(*store_->blobs_);
    const auto put_home = [&](const checkpoint::FramePages& frame) -> Result<void> {
      const std::span<std::byte> place = ARTFS_TRY(home.add(frame.slot, frame.pages));
      std::copy(frame.images.begin(), frame.images.end(), place.begin());
      return {};
    };
    ARTFS_TRY(log->for_each(put_home));
    ARTFS_TRY(home.flush());
    ARTFS_TRY(store_->blobs_->sync());
    if (read_only()) return {};
    base::log_info("{}: finished checkpoint {} of an earlier run", args_.path, state_.generation);
    return store_->manifest_->append(log->delta());
  }

  void restore_slots() {
    std::vector<io::SlotId> slots;
    slots.reserve(state_.frames.size());
    for (const auto& [id, slot] : state_.frames) slots.push_back(slot);
    store_->blobs_->restore(slots);
  }

  void restore() {
    make_cache(false);
    const std::vector<frame::FrameLocation> locations = state_.locations();
    store_->cache_->restore(locations, state_.next_frame_id);
    for (const auto& [id, saved] : state_.trees) {
      TreeState& tree = store_->trees_.add(id, saved.name, saved.root);
      tree.has_older_keys = true;
      for (std::size_t index = 0; index < tree_counters_max; ++index) {
        tree.counters[index].store(saved.counters[index], std::memory_order_relaxed);
      }
    }
  }

  void make_cache(bool volatile_frames) {
    StoreImpl* store = store_.get();
    frame::CacheOptions options;
    options.budget_bytes = args_.options.cache_bytes;
    options.on_pressure = [store] {
      if (store->planner_ == nullptr) return false;  // during replay, which then checkpoints itself
      store->planner_->kick();
      return true;
    };
    options.volatile_frames = volatile_frames;
    store->cache_ =
        std::make_unique<frame::Cache>(*store->blobs_, store->superblock_.uuid, std::move(options));
    store->applier_ = std::make_unique<Applier>(store->trees_, *store->cache_);
  }

  [[nodiscard]] Result<void> prepare_checkpoints() {
    store_->checkpoint_log_ = ARTFS_TRY(checkpoint::LogWriter::open(
        directory(), store_->superblock_.uuid, args_.options.direct_io));
    store_->checkpoint_writer_ = std::make_unique<checkpoint::Writer>(
        checkpoint::Writer::Parts{.cache = *store_->cache_,
                                  .blobs = *store_->blobs_,
                                  .log = *store_->checkpoint_log_,
                                  .manifest = *store_->manifest_,
                                  .trees = store_->trees_,
                                  .gate = store_->gate_,
                                  .pace = store_->pace_});
    store_->checkpoint_writer_->publish_state();
    return {};
  }

  // W2D: during replay the records read are made durable before frames that hold them are written.
  [[nodiscard]] Result<void> checkpoint_at(Lsn cut) {
    if (read_only()) return write_to_overlay(*store_->cache_, *store_->blobs_);
    if (!log_synced_) ARTFS_TRY(sync_log_files(directory()));
    log_synced_ = true;
    return store_->checkpoint_writer_->run_at(cut);
  }

  [[nodiscard]] Result<void> replay() {
    Replayer replayer(*store_->applier_, *store_->cache_,
                      [this](Lsn cut) { return checkpoint_at(cut); });
    replayer.report_to(args_.path);
    StoreImpl* store = store_.get();
    wal::LogOptions options;
    options.commit_interval = args_.options.commit_interval;
    options.read_only = read_only();
    options.before_sync = [store] { return store->before_log_sync_.run(); };
    // Until the layer above sets its own: what replayed records refer to.
    store->set_before_log_sync([store] { return sync_contents(*store->directory_); });
    store->log_ =
        ARTFS_TRY(wal::Log::open(directory(), store->superblock_.uuid, state_.cut, options,
                                 [&replayer](Lsn lsn, Lsn end, std::span<const std::byte> payload) {
                                   return replayer.apply(lsn, end, payload);
                                 }));
    store->replayed_records_ = replayer.records();
    if (replayer.records() > 0) {
      base::log_info("{}: replayed {} log records", args_.path, replayer.records());
    }
    if (read_only()) return write_to_overlay(*store->cache_, *store->blobs_);
    // Segments that an earlier run left below the cut.
    return store->log_->cut(store_->checkpoint_writer_->cut());
  }

  void start_checkpoints() {
    StoreImpl* store = store_.get();
    store->checkpoint_writer_->attach(*store->log_);
    store->opened_at_ = store->log_->end();
    store->planner_ = std::make_unique<checkpoint::Planner>(
        store->pace_,
        checkpoint::Planner::Work{.run = [store] { return store->run_checkpoint(); },
                                  .due = [store] { return store->checkpoint_writer_->due(); },
                                  .interval = args_.options.checkpoint_interval});
    // A long replay would be as long the next time; and on a device that is nearly full the next life may
    // find no room for its segment unless this one gives some back.
    const Result<std::uint64_t> free = directory().free_bytes();
    const bool is_short = store->replayed_records_ > 0 && free && *free < wal::log_bytes_max;
    if (is_short || store->log_->bytes_since_cut() >= args_.options.checkpoint_log_bytes) {
      store->planner_->kick();
    }
  }

  std::unique_ptr<StoreImpl> store_;
  const StoreImpl::OpenArgs& args_;
  ManifestState state_;
  bool log_synced_ = false;
};

Result<void> StoreImpl::create(io::Directory& directory, const CreateOptions& options) {
  constexpr std::size_t label_bytes_max = 63;
  if (options.label.size() > label_bytes_max) {
    return fail(Errc::option_invalid, static_cast<std::uint64_t>(OptionName::label));
  }
  const Superblock superblock = new_superblock(options.label);
  ARTFS_TRY(wal::Log::create(directory, superblock.uuid, first_lsn));
  ManifestState initial;
  initial.cut = first_lsn;
  ARTFS_TRY(Manifest::create(directory, superblock.uuid, initial));
  ARTFS_TRY(io::FileStore::open(directory, frames_name,
                                {.create = true, .direct = false, .read_only = false}));
  // Last: a directory without a superblock is no store, so a crash before this leaves none.
  ARTFS_TRY(create_superblock(directory, superblock));
  return directory.sync();
}

Result<std::unique_ptr<StoreImpl>> StoreImpl::open(std::unique_ptr<io::Directory> directory,
                                                   const OpenArgs& args) {
  return Opener(std::move(directory), args).open();
}

Result<std::unique_ptr<StoreImpl>> StoreImpl::open_in_memory(const StoreOptions& options) {
  const OpenArgs args{.path = "(memory)", .options = options, .skip_replay = false};
  return Opener(std::make_unique<io::MemoryDirectory>(), args).open_in_memory();
}

}  // namespace artfs::engine
