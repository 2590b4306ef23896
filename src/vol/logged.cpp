// SPDX-License-Identifier: Apache-2.0
#include "vol/logged.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "format/key.hpp"
#include "vol/file.hpp"
#include "vol/flusher.hpp"
#include "vol/inode.hpp"

namespace artfs::vol {
namespace {

using data::LogPlan;
using format::Inode;

// Figures: they order nothing.
constexpr auto relaxed = std::memory_order_relaxed;

bool fits(const Core& core, const LoggedRecords& logged, const LogPlan& plan) {
  return logged.bytes + plan.bytes <= inode_logged_bytes_max &&
         logged.blocks + plan.blocks < inode_logged_blocks_max &&
         core.logged.standing_bytes.load(relaxed) + plan.bytes <= volume_logged_bytes_max;
}

void fold_later(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex) {
  const bool much = state.logged.bytes >= inode_fold_bytes ||
                    state.logged.blocks >= inode_fold_blocks ||
                    core.logged.standing_bytes.load(relaxed) >= volume_fold_bytes;
  const bool soon = much && !state.buffer.flushing();  // most of it is on its way, then
  if (state.fold_queued && !soon) return;
  core.flusher->fold_later(state.ino, std::exchange(state.fold_queued, true), soon);
}

// A flush without the device, at once.
Result<void> write_inline(Core& core, InodeState& state) ARTFS_REQUIRES(state.mutex) {
  data::Flush flush = core.bytes->begin_flush(state.ino, state.contents, state.buffer);
  Result<void> done = core.bytes->write_out(flush);
  if (done) done = commit_flush(core, state, {.flush = &flush, .before = state.logged});
  if (!done) core.bytes->aborted(std::move(flush));
  return done;
}

void note_logged(Core& core, InodeState& state, const LogPlan& plan) ARTFS_REQUIRES(state.mutex) {
  core.bytes->logged(state.buffer);
  state.logged.next += plan.records.size();
  state.logged.bytes += plan.bytes;
  state.logged.blocks += plan.blocks + 1;
  core.logged.standing_bytes.fetch_add(plan.bytes, relaxed);
  core.logged.writes.fetch_add(1, relaxed);
  core.logged.bytes.fetch_add(plan.bytes, relaxed);
  fold_later(core, state);
}

}  // namespace

Result<Logging> log_pending(Core& core, InodeState& state) {
  if (!state.dirty()) return Logging::durable;
  if (state.gone || state.reclaiming || state.orphan) return Logging::must_flush;
  if (core.bytes->stays_inline(state.contents, state.buffer)) {
    ARTFS_TRY(write_inline(core, state));
    return Logging::durable;
  }
  const LogPlan plan = core.bytes->plan_log(state.contents, state.buffer);
  if (plan.kind == LogPlan::Kind::unfit) return Logging::must_flush;
  const bool is_new = plan.kind == LogPlan::Kind::fits;
  if (is_new && !fits(core, state.logged, plan)) return Logging::must_flush;
  if (!is_new && !state.pending.any()) return Logging::durable;
  Inode inode = ARTFS_TRY(load_inode(core, state.ino));
  Txn txn;
  for (std::size_t i = 0; i < plan.records.size(); ++i) {
    txn.put(core.tree, format::logged_key(state.ino, state.logged.next + i), plan.records[i]);
  }
  if (is_new) inode.flags |= format::inode_has_logged;
  apply_pending(inode, state.pending);
  put_inode(core, txn, state.ino, inode);
  ARTFS_TRY(core.store->commit(txn.take_reserve()));
  state.pending = {};
  if (is_new) note_logged(core, state, plan);
  return Logging::durable;
}

LoggedRecords fold_logged(Core& core, const InodeState& state, const Fold& fold, Txn& txn,
                          Inode& inode) {
  LoggedRecords now = state.logged;
  const LoggedRecords& before = fold.before;
  if (!fold.flush.is_deferred()) {
    for (std::uint64_t number = before.first; number < before.next; ++number) {
      txn.erase(core.tree, format::logged_key(state.ino, number));
    }
    now.first = before.next;
    now.bytes -= before.bytes;
    now.blocks -= before.blocks;
    now.removals.reset();
    if (!now.any()) inode.flags &= ~format::inode_has_logged;
    return now;
  }
  if (!now.any()) return now;
  const std::vector<std::string> records = core.bytes->removals(fold.flush);
  if (records.empty()) return now;
  // Those of a deferred flush before this one say less: these take their place. Nothing was logged since.
  const std::uint64_t first = now.removals.value_or(now.next);
  for (std::uint64_t number = first; number < now.next; ++number) {
    txn.erase(core.tree, format::logged_key(state.ino, number));
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    txn.put(core.tree, format::logged_key(state.ino, first + i), records[i]);
  }
  now.removals = first;
  now.next = first + records.size();
  return now;
}

void settle_logged(Core& core, InodeState& state, const LoggedRecords& now) {
  core.logged.standing_bytes.fetch_sub(state.logged.bytes - now.bytes, relaxed);
  if (now.first != state.logged.first) core.logged.folds.fetch_add(1, relaxed);
  state.logged = now;
}

void forget_logged(Core& core, InodeState& state) {
  settle_logged(core, state, {});
}

Result<void> erase_logged(Core& core, Txn& txn, Ino ino, const Inode& inode) {
  if ((inode.flags & format::inode_has_logged) == 0) return {};
  const format::Key prefix = format::logged_prefix(ino);
  Scan scan = core.tree.scan({.prefix = prefix, .keys_only = true});
  while (ARTFS_TRY(scan.next())) txn.erase(core.tree, scan.entry().key);
  return {};
}

namespace {

// The records of one inode after the other, as a scan of the class brings them.
class Restorer {
 public:
  explicit Restorer(Core& core) noexcept : core_(core) {}

  Result<void> add(const ScanEntry& entry) {
    const auto key = format::parse_key(entry.key);
    if (!key) return fail(Errc::record_corrupt);
    if (key->ino != ino_) begin(key->ino);
    if (!state_ || core_.unreadable.contains(ino_.raw)) return {};
    const base::MutexLock lock(state_->mutex);
    const Result<void> applied = apply(key->number, entry.value);
    if (applied || applied.error().code != Errc::record_corrupt) return applied;
    give_up(*state_);
    return {};
  }

  [[nodiscard]] std::size_t files() const noexcept { return files_; }

 private:
  // Orphans keep their records until they are reclaimed; records of nothing are for fsck.
  void begin(Ino ino) {
    ino_ = ino;
    state_ = {};
    const Result<Inode> inode = load_inode(core_, ino);
    if (!inode || !inode->is_regular()) {
      base::log_error("inode {}: has logged writes, but is no file: see artfs fsck", ino.raw);
      return;
    }
    if (inode->nlink == 0) return;
    state_ = core_.open.acquire(ino);
    const base::MutexLock lock(state_->mutex);
    adopt_inode(*state_, *inode);
    ++files_;
  }

  Result<void> apply(std::uint64_t number, std::string_view value) ARTFS_NO_THREAD_SAFETY_ANALYSIS {
    InodeState& state = *state_;
    const format::LoggedWrite write = ARTFS_TRY(format::decode_logged(ino_, value));
    ARTFS_TRY(core_.bytes->restore(ino_, state.contents, state.buffer, write));
    LoggedRecords& logged = state.logged;
    if (!logged.any()) logged.first = number;
    logged.next = number + 1;
    logged.blocks += 1 + write.spans.size();
    std::uint64_t bytes = 0;
    for (const format::LoggedSpan& span : write.spans) bytes += span.bytes.size();
    logged.bytes += bytes;
    core_.logged.standing_bytes.fetch_add(bytes, relaxed);
    if (!core_.read_only()) fold_later(core_, state);
    return {};
  }

  void give_up(InodeState& state) ARTFS_REQUIRES(state.mutex) {
    base::log_error("inode {}: a logged write is damaged, the file cannot be read: see artfs fsck",
                    ino_.raw);
    core_.unreadable.insert(ino_.raw);
    forget_logged(core_, state);
    state.buffer.discard();
    state.loaded = false;
  }

  Core& core_;
  Ino ino_;
  OpenInodes::Ref state_;
  std::size_t files_ = 0;
};

}  // namespace

Result<void> restore_logged(Core& core) {
  Restorer restorer(core);
  Scan scan = core.tree.scan({.prefix = format::logged_class});
  while (ARTFS_TRY(scan.next())) ARTFS_TRY(restorer.add(scan.entry()));
  if (restorer.files() != 0) {
    base::log_info("{} files with logged writes restored", restorer.files());
  }
  return {};
}

}  // namespace artfs::vol
