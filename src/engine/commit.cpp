// SPDX-License-Identifier: Apache-2.0
// How a change happens: sizes, admission and log space first, all without locks. Then, under a lease of the
// commit gate: guards and plan over looks, frames latched together and compared with what was seen, log,
// apply. What is missing on the way is fetched with everything released, and the change starts over; so it
// does when others were faster, and after some such rounds with the gate exclusive, where nobody is.
// After the append nothing can fail.
#include "base/assert.hpp"
#include "engine/store_impl.hpp"
#include "wal/record.hpp"

namespace artfs::engine {

namespace {

constexpr unsigned relief_max = 8;
// Rounds lost to other writers before one is run alone. Alone costs everybody a stop; losing so often in
// a row takes more writers of one frame than there are processors.
constexpr unsigned restarts_max = 16;

// The plan of the change in progress; a thread has one at a time. It keeps its memory.
Applier::Plan& scratch_plan() {
  thread_local Applier::Plan plan;
  return plan;
}

}  // namespace

// What one change has gathered over its attempts.
struct StoreImpl::Attempt {
  explicit Attempt(frame::Cache& cache) noexcept : misses(cache), plan(scratch_plan()) {}

  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  ~Attempt() { plan.clear(); }

  Misses misses;
  Applier::Plan& plan;
  frame::FrameReserve frames;
  wal::Log::Reserve log_space;
  std::size_t frames_needed = 0;  // Step::reserve
  Error missing{};                // Step::load: the frame
  wal::Appended done{};           // Step::done; zero when there was nothing to log
};

Result<void> StoreImpl::check_writable() const {
  if (options_.read_only) return fail(Errc::store_read_only);
  if (stopped() || closed_.load(std::memory_order_relaxed)) return fail(Errc::store_stopped);
  return {};
}

Result<Version> StoreImpl::execute(Change& change) {
  ARTFS_TRY(check_writable());
  ARTFS_TRY(admit());
  ARTFS_TRY(back_dirt());
  Attempt attempt(*cache_);
  const std::size_t payload_bytes = change.operations_bytes_max();
  if (log_ != nullptr && payload_bytes > 0) {
    attempt.log_space = ARTFS_TRY(reserve_log(payload_bytes));
  }
  unsigned reliefs = 0;
  unsigned restarts = 0;
  for (;;) {
    const bool is_alone = change.is_alone() || restarts >= restarts_max;
    const Step step =
        ARTFS_TRY(is_alone ? try_alone(change, attempt) : try_shared(change, attempt));
    if (step == Step::done) break;
    if (step == Step::restart) {
      ++restarts;
      continue;
    }
    if (step == Step::wait) {
      ARTFS_TRY(check_writable());
      ARTFS_TRY(planner_->wait_for_attempt());
      continue;
    }
    if (step == Step::reserve) {
      if (!change.takes_reserve()) ARTFS_TRY(leave_frames(attempt.frames_needed));
      attempt.frames = ARTFS_TRY(cache_->reserve(attempt.frames_needed));
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

Result<StoreImpl::Step> StoreImpl::try_shared(Change& change, Attempt& attempt) {
  const sync::GateLease lease(gate_);
  return try_once(change, attempt);
}

Result<StoreImpl::Step> StoreImpl::try_alone(Change& change, Attempt& attempt) {
  const sync::GateExclusive alone(gate_);
  return try_once(change, attempt);
}

// Inside the gate. Leaves nothing latched or pinned.
Result<StoreImpl::Step> StoreImpl::try_once(Change& change, Attempt& attempt) {
  Result<Step> step = change_frames(change, attempt);
  const bool must_wait = attempt.plan.must_wait;
  attempt.plan.restart();
  if (step) return step;
  if (must_wait) return Step::wait;
  const Error error = step.error();
  if (error.code == Errc::contended) return Step::restart;
  if (error.code != Errc::frame_not_resident) return fail(error);
  attempt.missing = error;
  return Step::load;
}

Result<StoreImpl::Step> StoreImpl::change_frames(Change& change, Attempt& attempt) {
  Applier::Plan& plan = attempt.plan;
  const std::string_view operations = ARTFS_TRY(change.resolve(*applier_, plan.writes));
  ARTFS_TRY(applier_->plan(operations, plan));
  attempt.frames_needed = plan.frames_needed();
  if (attempt.frames_needed > attempt.frames.left()) return Step::reserve;
  ARTFS_TRY(plan.writes.latch());
  attempt.frames_needed = plan.frames_needed();
  if (attempt.frames_needed > attempt.frames.left()) return Step::reserve;
  if (!operations.empty()) ARTFS_TRY(log_and_apply(operations, attempt));
  for (const art::Shrunken& shrunken : plan.writes.shrunken()) maintenance_->offer(shrunken);
  return Step::done;
}

// The plan is latched.
Result<void> StoreImpl::log_and_apply(std::string_view operations, Attempt& attempt) {
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
  applier_->apply(operations, attempt.done.lsn, attempt.plan, attempt.frames);
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
  if (txn.takes_reserve_) change.take_reserve();
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
    const sync::GateLease lease(gate_);
    ARTFS_TRY(applier_->plan(operations, attempt.plan));
    ARTFS_TRY(attempt.plan.writes.latch());
    ARTFS_TRY(log_and_apply(operations, attempt));
    attempt.plan.clear();
  }
  if (options_.durability == Durability::strict) ARTFS_TRY(finish_change(attempt.done));
  return id;
}

}  // namespace artfs::engine
