// SPDX-License-Identifier: Apache-2.0
// StoreImpl: one open store: what joins the trees, the frame cache, the log and the checkpointer.
//
// Contract:   the layers above use Store and Tree; what only they need besides stands first here: the
//             store's directory, the hook before each log sync, stopping the store after a failure of
//             their own device writes.
// Threading:  any thread, unless a call says otherwise.
// Errors:     as include/artfs/store.hpp.
// Invariants: W2D, I2, I3 (see frame/cache.hpp and wal/log.hpp) meet here.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "artfs/store.hpp"

#include "art/count.hpp"
#include "base/mutex.hpp"
#include "engine/applier.hpp"
#include "engine/change.hpp"
#include "engine/checkpoint/planner.hpp"
#include "engine/checkpoint/writer.hpp"
#include "engine/hook.hpp"
#include "engine/maintenance.hpp"
#include "engine/misses.hpp"
#include "engine/superblock.hpp"
#include "engine/tree_table.hpp"
#include "io/blob_store.hpp"
#include "io/device.hpp"
#include "sync/gate.hpp"
#include "wal/log.hpp"

namespace artfs::engine {

using StoreUuid = std::array<std::byte, 16>;

class StoreImpl {
 public:
  // The store's directory: for blocks.dat. Lives as long as the store; in memory mode a directory in
  // memory. A read-only store's files must be opened read-only.
  [[nodiscard]] io::Directory& directory() noexcept { return *directory_; }

  [[nodiscard]] const StoreUuid& uuid() const noexcept { return superblock_.uuid; }

  // With the content key.
  [[nodiscard]] const Superblock& superblock() const noexcept { return superblock_; }

  [[nodiscard]] bool is_read_only() const noexcept { return options_.read_only; }

  [[nodiscard]] const StoreOptions& options() const noexcept { return options_; }

  // For the tools that look inside: fsck, scrub, dump.
  [[nodiscard]] frame::Cache& cache() noexcept { return *cache_; }

  [[nodiscard]] io::BlobStore& blobs() noexcept { return *blobs_; }

  [[nodiscard]] TreeTable& trees() noexcept { return trees_; }

  // `hook` runs, without locks, before each device sync of the log (commit interval, sync_to,
  // checkpoint), on the thread that syncs: it makes durable what log records refer to. When it fails
  // the log stops. An empty function removes it; on return no call of the old hook is running. In
  // memory mode there is no log: only Store::sync() calls it.
  void set_before_log_sync(std::function<Result<void>()> hook);

  // Fail-stop (DESIGN 10): reads go on, every change returns store_stopped. The first reason stays.
  void stop(Error reason) noexcept;

  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  // Opening. `directory` is owned by the store from then on, and locked.
  struct OpenArgs {
    std::string path;  // for people
    StoreOptions options;
    bool skip_replay = false;  // with read_only: the state of the last checkpoint, for fsck
  };

  [[nodiscard]] static Result<void> create(io::Directory& directory, const CreateOptions& options);
  [[nodiscard]] static Result<std::unique_ptr<StoreImpl>> open(
      std::unique_ptr<io::Directory> directory, const OpenArgs& args);
  [[nodiscard]] static Result<std::unique_ptr<StoreImpl>> open_in_memory(
      const StoreOptions& options);
  [[nodiscard]] Result<void> close();

  // A store that is not open yet: for open() alone.
  StoreImpl(std::unique_ptr<io::Directory> directory, const OpenArgs& args);
  StoreImpl(const StoreImpl&) = delete;
  StoreImpl& operator=(const StoreImpl&) = delete;
  ~StoreImpl();

  // What Tree, Scan and Store are made of.
  [[nodiscard]] Result<Version> get_into(TreeId id, std::string_view key, std::string& value);
  [[nodiscard]] Result<bool> contains(TreeId id, std::string_view key);
  [[nodiscard]] Result<bool> prefix_empty(TreeId id, std::string_view prefix);
  [[nodiscard]] Result<std::string> longest_prefix(TreeId id, std::string_view key);
  // As art::scan, loading what it needs; stops early rather than load when it has some entries.
  [[nodiscard]] Result<void> scan(TreeId id, const art::ScanRequest& request, std::size_t items_max,
                                  art::ScanBatch& batch);

  // Every key that begins with `from` begins with `to` from then on (move.cpp).
  [[nodiscard]] Result<Version> rename_prefix(TreeId id, std::string_view from,
                                              std::string_view to);

  // Bulk loading (bulk.cpp). tree_not_empty, option_invalid.
  [[nodiscard]] Result<std::unique_ptr<LoadImpl>> begin_load(TreeId id, const LoadOptions& options);

  [[nodiscard]] Result<void> read(const std::function<Result<void>(ReadView&)>& body);

  // What lies below a prefix (count.cpp).
  struct TallySum {
    std::uint64_t keys = 0;         // in the frames read
    std::uint64_t frames = 0;       // read
    std::uint64_t frames_left = 0;  // known of, but not read: frames_max
    std::size_t key_bytes = 0;      // of the longest key, when lengths are wanted
  };

  [[nodiscard]] Result<TallySum> tally(TreeId id, std::string_view prefix, art::TallyOf of,
                                       std::uint64_t frames_max = ~std::uint64_t{0});

  [[nodiscard]] TreeState* find_tree(TreeId id) const noexcept { return trees_.find(id); }

  // Logs, applies and, in strict mode, syncs the change (commit.cpp).
  [[nodiscard]] Result<Version> execute(Change& change);
  [[nodiscard]] Result<Version> commit(const Txn& txn);

  [[nodiscard]] Result<TreeId> create_tree(std::string_view name);
  [[nodiscard]] Result<TreeId> open_tree(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> tree_names() const;

  [[nodiscard]] Result<void> sync();
  [[nodiscard]] Result<void> sync_to(Version version);
  [[nodiscard]] bool is_durable(Version version) const noexcept;
  [[nodiscard]] Result<void> checkpoint();
  [[nodiscard]] StoreStats stats() const;

  // For tests: null when the store is read-only.
  [[nodiscard]] Maintenance* maintenance() noexcept { return maintenance_.get(); }

  // Whether a change that only adds, and may take that many frames, leaves those that changes which erase
  // may need. Also for who accepts now what is put into records later. no_space.
  [[nodiscard]] Result<void> leave_frames(std::size_t taken);

  // Adds to the report; what cannot be read is a line of it.
  void verify_into(VerifyReport& report);

 private:
  friend class Opener;        // recover.cpp
  friend class LoadImpl;      // bulk.cpp
  friend class ReadViewImpl;  // read_view.cpp

  struct Attempt;

  struct TallyLimits {
    art::TallyOf of = art::TallyOf::keys;
    std::uint64_t frames_max = 0;
  };

  template <typename Read>
  [[nodiscard]] Result<art::Tally> tally_one(const Read& read);
  [[nodiscard]] Result<TallySum> tally_round(const TreeState& tree, std::string_view prefix,
                                             const TallyLimits& limits);

  enum class Step : std::uint8_t { done, load, reserve, restart, wait };

  // How a resource that only a checkpoint frees fills up.
  struct Meter {
    std::atomic<std::uint64_t> seen{0};  // level when a writer last looked

    // The share of the room between `low` and `high` that was added since, weighted by the height.
    [[nodiscard]] double owed_share(std::uint64_t level, std::uint64_t low,
                                    std::uint64_t high) noexcept;
  };

  [[nodiscard]] Result<void> check_writable() const;
  // Waits, without locks, until dirty frames and the log leave room for a change.
  [[nodiscard]] Result<void> admit();
  // Waits, without locks, until the device has room for what a checkpoint will write: a full device stops
  // growth here and not the checkpoint, which is what frees log space. no_space.
  [[nodiscard]] Result<void> back_dirt();
  // Slows the writers whose changes added to what only a checkpoint frees (admission.cpp).
  void slow_down(std::uint64_t held_bytes, unsigned pressure);
  // Percent of what is bearable; `held_bytes`: what only a checkpoint frees.
  [[nodiscard]] unsigned memory_pressure(std::uint64_t held_bytes) const noexcept;
  [[nodiscard]] std::uint64_t log_bytes_since_cut() const noexcept;
  // Percent: how much the running checkpoint is needed.
  [[nodiscard]] unsigned checkpoint_pressure() const noexcept;
  [[nodiscard]] Result<wal::Log::Reserve> reserve_log(std::size_t payload_bytes);
  [[nodiscard]] Result<Step> try_shared(Change& change, Attempt& attempt);
  [[nodiscard]] Result<Step> try_alone(Change& change, Attempt& attempt);
  [[nodiscard]] Result<Step> try_once(Change& change, Attempt& attempt);
  [[nodiscard]] Result<Step> change_frames(Change& change, Attempt& attempt);
  [[nodiscard]] Result<void> log_and_apply(std::string_view operations, Attempt& attempt);
  // One step of the maintenance thread.
  [[nodiscard]] Result<art::Upkeep> tend(const art::Shrunken& shrunken);
  void start_maintenance();
  [[nodiscard]] Version latest_version() const noexcept;
  [[nodiscard]] Result<void> finish_change(const wal::Appended& done);
  [[nodiscard]] Result<void> relieve();
  // cold.cpp. `value` may be null. frame_not_resident: it takes whole frames.
  [[nodiscard]] Result<Version> get_cold(TreeState& tree, std::string_view key, std::string* value);
  [[nodiscard]] Result<void> run_checkpoint();
  template <typename Read>
  [[nodiscard]] auto undisturbed(const Read& read) -> decltype(read());
  // Repeats `read` until every frame it needs is resident and nobody disturbs it.
  template <typename Read>
  [[nodiscard]] auto with_frames(const Read& read) -> decltype(read());

  std::unique_ptr<io::Directory> directory_;
  const std::string path_;
  const StoreOptions options_;
  Superblock superblock_;
  std::unique_ptr<io::DirectoryLock> lock_;
  std::unique_ptr<io::BlobStore> blobs_;
  std::unique_ptr<frame::Cache> cache_;
  TreeTable trees_;
  base::Mutex trees_mutex_{base::Rank::tree_table};  // held to create a tree
  sync::Gate gate_{base::Rank::commit_gate};
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<Manifest> manifest_;
  std::unique_ptr<checkpoint::LogWriter> checkpoint_log_;
  checkpoint::Pace pace_{[this] { return checkpoint_pressure(); }};
  std::unique_ptr<checkpoint::Writer> checkpoint_writer_;
  Hook before_log_sync_;
  std::unique_ptr<wal::Log> log_;                 // none in memory mode
  std::unique_ptr<checkpoint::Planner> planner_;  // none in memory mode and when read-only
  std::unique_ptr<Maintenance> maintenance_;      // none when read-only
  std::atomic<std::uint64_t> memory_lsn_{1};      // versions in memory mode
  Meter held_meter_;
  Meter log_meter_;
  std::atomic<std::uint64_t> owed_delay_ns_{0};
  std::atomic<std::uint64_t> delays_{0};
  std::atomic<std::uint64_t> delayed_ns_{0};
  std::atomic<std::uint64_t> stops_{0};
  std::uint64_t replayed_records_ = 0;
  Lsn opened_at_;  // end of the log then
  std::atomic<bool> stopped_{false};
  mutable base::Mutex stop_mutex_{base::Rank::leaf};
  Error stop_reason_ ARTFS_GUARDED_BY(stop_mutex_){Errc::io_failed, 0};
  std::atomic<bool> closed_{false};
};

}  // namespace artfs::engine
