// SPDX-License-Identifier: Apache-2.0
// How a change happens: sizes, admission, log space and frames first, all without locks; then latches
// in order of tree, guards, plan, gate, log, apply. What is missing on the way is fetched with every
// lock released, and the change starts over. After the append nothing can fail.
#include <optional>

#include "base/assert.hpp"
#include "engine/store_impl.hpp"
#include "wal/record.hpp"

namespace artfs::engine {

namespace {

constexpr unsigned relief_max = 8;

// The exclusive latches of a change's trees, taken in order of tree id.
class TreeLatches {
 public:
  explicit TreeLatches(std::span<TreeState* const> trees) {
    if (trees.empty()) return;
    first_.emplace(trees.front()->latch, order_of(*trees.front()));
    if (trees.size() == 1) return;
    rest_.reserve(trees.size() - 1);
    for (TreeState* tree : trees.subspan(1)) rest_.emplace_back(tree->latch, order_of(*tree));
  }

 private:
  static base::SameRank order_of(const TreeState& tree) noexcept { return {tree.id.raw}; }

  std::optional<sync::ExclusiveGuard> first_;
  std::vector<sync::ExclusiveGuard> rest_;
};

}  // namespace

// What one change has gathered over its attempts.
struct StoreImpl::Attempt {
  explicit Attempt(frame::Cache& cache) noexcept : misses(cache) {}

  Misses misses;
  Applier::Plan plan;
  frame::FrameReserve frames;
  wal::Log::Reserve log_space;
  Error missing{};       // Step::load: the frame
  wal::Appended done{};  // Step::done; zero when there was nothing to log
};

Result<void> StoreImpl::check_writable() const {
  if (options_.read_only) return fail(Errc::store_read_only);
  if (stopped() || closed_.load(std::memory_order_relaxed)) return fail(Errc::store_stopped);
  return {};
}

Result<Version> StoreImpl::execute(Change& change) {
  ARTFS_TRY(check_writable());
  ARTFS_TRY(admit());
  Attempt attempt(*cache_);
  const std::size_t payload_bytes = change.operations_bytes_max();
  if (log_ != nullptr && payload_bytes > 0) {
    attempt.log_space = ARTFS_TRY(reserve_log(payload_bytes));
  }
  unsigned reliefs = 0;
  for (;;) {
    const Step step = ARTFS_TRY(try_once(change, attempt));
    if (step == Step::done) break;
    // A restart may find the world changed: the plan of the last attempt is void.
    const std::size_t frames_needed = attempt.plan.frames_needed();
    attempt.plan.clear();
    if (step == Step::reserve) {
      attempt.frames = ARTFS_TRY(cache_->reserve(frames_needed));
      continue;
    }
    const Result<void> loaded = attempt.misses.load(FrameId{attempt.missing.detail});
    if (loaded) continue;
    if (loaded.error().code != Errc::cache_exhausted || ++reliefs > relief_max) {
      return fail(loaded.error());
    }
    attempt.misses.drop();
    ARTFS_TRY(relieve());
  }
  if (attempt.done.lsn.raw == 0) return latest_version();
  if (options_.durability == Durability::strict) ARTFS_TRY(finish_change(attempt.done));
  return attempt.done.lsn;
}

Result<StoreImpl::Step> StoreImpl::try_once(Change& change, Attempt& attempt) {
  const TreeLatches latches(change.trees());
  const Result<std::string_view> operations = change.resolve(*applier_);
  Result<void> planned;
  if (operations) {
    planned = applier_->plan(*operations, attempt.plan);
  } else {
    planned = fail(operations.error());
  }
  if (!planned) {
    if (planned.error().code != Errc::frame_not_resident) return fail(planned.error());
    attempt.missing = planned.error();
    return Step::load;
  }
  if (attempt.plan.frames_needed() > attempt.frames.left()) return Step::reserve;
  if (!operations->empty()) ARTFS_TRY(log_and_apply(*operations, attempt));
  attempt.plan.clear();
  return Step::done;
}

// Latches of all trees named are held exclusively; the plan stands.
Result<void> StoreImpl::log_and_apply(std::string_view operations, Attempt& attempt) {
  const sync::GateLease lease(gate_);
  if (log_ == nullptr) {
    attempt.done.lsn = Lsn{memory_lsn_.fetch_add(1, std::memory_order_relaxed)};
  } else {
    const std::span<const char> payload(operations);
    const Result<wal::Appended> appended =
        log_->append(std::move(attempt.log_space), std::as_bytes(payload));
    if (!appended) {
      stop(appended.error());
      return fail(appended.error());
    }
    attempt.done = *appended;
  }
  applier_->apply(operations, attempt.done.lsn, attempt.frames);
  return {};
}

// The version whose durability implies that of everything committed before the call.
Version StoreImpl::latest_version() const noexcept {
  if (log_ == nullptr) return Version{memory_lsn_.load(std::memory_order_relaxed)};
  return Version{log_->end().raw - 1};
}

Result<void> StoreImpl::finish_change(const wal::Appended& done) {
  if (log_ == nullptr) return {};
  Result<void> synced = log_->sync_to(done.end);
  if (!synced) stop(synced.error());
  return synced;
}

Result<Version> StoreImpl::commit(const Txn& txn) {
  if (txn.invalid_) return fail(*txn.invalid_);
  ListChange change;
  ARTFS_TRY(change.init(trees_, txn.guards_, txn.operations_));
  return execute(change);
}

Result<TreeId> StoreImpl::create_tree(std::string_view name) {
  constexpr std::size_t name_bytes_max = 255;
  if (name.empty() || name.size() > name_bytes_max) return fail(Errc::tree_name_invalid);
  ARTFS_TRY(check_writable());
  ARTFS_TRY(admit());
  Attempt attempt(*cache_);
  const wal::Op shape{.kind = wal::OpKind::create_tree, .key = name};
  if (log_ != nullptr) attempt.log_space = ARTFS_TRY(reserve_log(wal::encoded_bytes(shape)));
  attempt.frames = ARTFS_TRY(cache_->reserve(1));
  TreeId id;
  {
    const base::MutexLock lock(trees_mutex_);
    if (trees_.find(name) != nullptr) return fail(Errc::tree_exists);
    if (trees_.full()) return fail(Errc::no_space, trees_max);
    id = trees_.next_id();
    std::string operations;
    wal::append_op(operations, {.kind = wal::OpKind::create_tree, .tree = id, .key = name});
    ARTFS_TRY(applier_->plan(operations, attempt.plan));
    ARTFS_TRY(log_and_apply(operations, attempt));
  }
  if (options_.durability == Durability::strict) ARTFS_TRY(finish_change(attempt.done));
  return id;
}

}  // namespace artfs::engine
