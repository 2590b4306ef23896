// SPDX-License-Identifier: Apache-2.0
// Store: named persistent radix trees over path-shaped keys; Tree, Txn, Scan.
//
// Contract:   keys are any bytes, 0 to 4096; values any bytes, 0 to 65536; order is bytewise. Every
//             change is one log record: whole or absent after a crash. A Tree is a cheap handle that
//             must not outlive its Store.
// Threading:  Store, Tree: any thread, any number. Txn, Scan: one thread at a time. Readers run in
//             parallel and never wait for a disk write; no call holds a lock across disk I/O.
// Cost:       point operations are O(key bytes); no allocation on a hit except the returned value.
// Errors:     as listed at each call, and for all: frame_corrupt (what the frame held is unreadable),
//             io_failed; for changes also store_read_only, store_stopped, no_space, log_full. A call
//             that fails changed nothing.
// Source:     Leis et al., "The Adaptive Radix Tree" (ICDE 2013); DESIGN 3 to 7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "artfs/export.h"
#include "artfs/options.hpp"
#include "artfs/result.hpp"
#include "artfs/stats.hpp"
#include "artfs/types.hpp"

namespace artfs {

namespace engine {
class StoreImpl;
class LoadImpl;
class ReadViewImpl;
class ScanImpl;
}  // namespace engine

// Version of a record: the LSN of the log record that wrote it. Monotone, also across restarts.
using Version = Lsn;

struct Record {
  std::string value;
  Version version;
};

// What a rename does when the target exists.
enum class RenameMode : std::uint8_t { no_replace, replace, exchange };

struct ScanOptions {
  std::string_view prefix = {};  // only keys that start with it
  // Only entries (keys or roll-ups) greater than it; empty: from the start.
  std::string_view start_after = {};
  // Roll up: one entry per distinct "prefix .. first delimiter after it".
  std::optional<char> delimiter = {};
  std::size_t limit = 0;   // entries at most; 0: no limit
  bool keys_only = false;  // leave ScanEntry::value empty
};

struct ScanEntry {
  std::string_view key;    // the whole key, or the rolled-up prefix including the delimiter
  std::string_view value;  // empty for a roll-up
  Version version;         // zero for a roll-up
  bool is_rollup = false;
};

using Entry = ScanEntry;

namespace detail {

// Why a range ended early. One that is dropped before anybody asked for it ends the process: a loop
// that silently saw half of the keys is how data gets lost.
class ARTFS_EXPORT RangeError {
 public:
  RangeError() noexcept = default;

  RangeError(RangeError&& other) noexcept
      : error_(std::exchange(other.error_, std::nullopt)), is_seen_(other.is_seen_) {}

  RangeError& operator=(RangeError&& other) noexcept {
    drop();
    error_ = std::exchange(other.error_, std::nullopt);
    is_seen_ = other.is_seen_;
    return *this;
  }

  ~RangeError() { drop(); }

  void set(Error error) noexcept {
    error_ = error;
    is_seen_ = false;
  }

  [[nodiscard]] Result<void> take() noexcept {
    is_seen_ = true;
    if (error_) return fail(*error_);
    return {};
  }

 private:
  void drop() const noexcept {
    if (error_ && !is_seen_) abort_with(*error_);
  }

  [[noreturn]] static void abort_with(Error error) noexcept;

  std::optional<Error> error_;
  bool is_seen_ = false;
};

}  // namespace detail

// A cursor, and a range of entries. Holds no lock between steps; re-seeks from its last key, so that a
// key present throughout is returned exactly once whatever happens beside it.
//
//   Scan scan = tree.scan({.prefix = "photos/"});
//   for (const Entry& entry : scan) show(entry.key, entry.value);
//   ARTFS_TRY(scan.status());
//
// A range that ended by an error must be asked for it before the Scan goes: else the process ends.
class ARTFS_EXPORT Scan {
 public:
  // An input iterator: one pass; its entry's views stay valid until it is stepped.
  class Iterator {
   public:
    using value_type = ScanEntry;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    Iterator() noexcept = default;

    explicit Iterator(Scan* scan) noexcept : scan_(scan) {}

    [[nodiscard]] const ScanEntry& operator*() const noexcept { return scan_->entry(); }

    [[nodiscard]] const ScanEntry* operator->() const noexcept { return &scan_->entry(); }

    Iterator& operator++() {
      if (!scan_->step()) scan_ = nullptr;
      return *this;
    }

    void operator++(int) { ++*this; }

    [[nodiscard]] friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return at.scan_ == nullptr;
    }

   private:
    Scan* scan_ = nullptr;
  };

  explicit Scan(std::unique_ptr<engine::ScanImpl> impl) noexcept;
  Scan(Scan&&) noexcept;
  Scan& operator=(Scan&&) noexcept;
  ~Scan();

  // Steps to the next entry; false at the end. The entry's views stay valid until the next call.
  [[nodiscard]] Result<bool> next();
  [[nodiscard]] const ScanEntry& entry() const noexcept;

  // The entries that are left, as a range.
  [[nodiscard]] Iterator begin() { return Iterator(step() ? this : nullptr); }

  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  // What ended the range: success at its end, or the error of the step that failed.
  [[nodiscard]] Result<void> status() noexcept { return error_.take(); }

 private:
  // next(), with its error kept for status().
  [[nodiscard]] bool step() {
    const Result<bool> stepped = next();
    if (!stepped) error_.set(stepped.error());
    return stepped.value_or(false);
  }

  std::unique_ptr<engine::ScanImpl> impl_;
  detail::RangeError error_;
};

struct LoadOptions {
  // How full frames get. 50 to 95: less leaves room for what is put in later, more is smaller and faster to
  // read as long as nothing is.
  unsigned fill_percent = 90;
};

struct LoadReport {
  std::uint64_t records = 0;
  std::uint64_t frames = 0;
  Version version;  // of every record
};

// Records that come in ascending order of key, into an empty tree: frames are written one after the other,
// full, without the log and without the cache. Nothing of it is visible before finish() returned; then all
// of it is, and durable. A crash before, an error, or destruction leave the tree empty. Changes to the tree
// meanwhile make finish() fail with tree_not_empty, and wait while it makes the load durable.
// One thread at a time. Memory: about 16 MiB.
class ARTFS_EXPORT SortedLoad {
 public:
  explicit SortedLoad(std::unique_ptr<engine::LoadImpl> impl) noexcept;
  SortedLoad(SortedLoad&&) noexcept;
  SortedLoad& operator=(SortedLoad&&) noexcept;
  ~SortedLoad();

  // keys_not_sorted (detail: the number of the record, from 1; also for a repeated key), key_too_long,
  // value_too_large, no_space. After an error only destruction makes sense.
  [[nodiscard]] Result<void> add(std::string_view key, std::string_view value);
  // Writes a checkpoint. tree_not_empty. On a full device it waits for space.
  [[nodiscard]] Result<LoadReport> finish();

 private:
  std::unique_ptr<engine::LoadImpl> impl_;
};

// `keys_min` were counted. The rest of `keys` assumes that the frames known but not read are filled like
// those read, and that nothing hangs below them: with 16 frames read and more than one level of frames
// below those, it is too low, by up to the number of frames a frame leads to (tens to hundreds).
struct CountEstimate {
  std::uint64_t keys = 0;
  std::uint64_t keys_min = 0;
  bool is_exact = false;
};

inline constexpr std::size_t tree_counters_max = 16;

class ARTFS_EXPORT Tree {
 public:
  Tree() = default;

  Tree(engine::StoreImpl& store, TreeId id) noexcept : store_(&store), id_(id) {}

  [[nodiscard]] TreeId id() const noexcept { return id_; }

  // key_not_found, key_too_long.
  [[nodiscard]] Result<Record> get(std::string_view key) const;
  // As get, into a buffer the caller reuses; returns the version.
  [[nodiscard]] Result<Version> get_into(std::string_view key, std::string& value) const;
  [[nodiscard]] Result<bool> contains(std::string_view key) const;

  // key_too_long, value_too_large.
  [[nodiscard]] Result<Version> put(std::string_view key, std::string_view value) const;
  // key_exists.
  [[nodiscard]] Result<Version> put_if_absent(std::string_view key, std::string_view value) const;
  // version_mismatch (also when the key is absent).
  [[nodiscard]] Result<Version> compare_and_put(std::string_view key, Version expected,
                                                std::string_view value) const;
  // key_not_found.
  [[nodiscard]] Result<Version> erase(std::string_view key) const;
  // key_not_found (from; also to, for exchange), key_exists (no_replace). from == to is a no-op that
  // still requires the key. Both records get the new version.
  [[nodiscard]] Result<Version> rename(std::string_view from, std::string_view to,
                                       RenameMode mode) const;

  // Every key that begins with `from` begins with `to` instead, versions unchanged; atomic, one small log
  // record. Costs the same for ten keys and for ten million (below 1 ms): subtrees are re-hung, not copied.
  // Only when keys get longer, and the tree has keys of an earlier run or some near 4096 bytes, what lies
  // below `from` is read once to see that none gets too long. key_not_found (nothing begins with `from`),
  // prefix_not_empty (something begins with `to`), invalid_argument (`to` is below `from`), key_too_long.
  [[nodiscard]] Result<Version> rename_prefix(std::string_view from, std::string_view to) const;

  // tree_not_empty, option_invalid (fill_percent).
  [[nodiscard]] Result<SortedLoad> begin_sorted_load(const LoadOptions& options = {}) const;

  // The same for a range of pairs, key first.
  template <typename Pairs>
  [[nodiscard]] Result<LoadReport> load_sorted(Pairs&& pairs,
                                               const LoadOptions& options = {}) const {
    SortedLoad load = ARTFS_TRY(begin_sorted_load(options));
    for (auto&& [key, value] : pairs) ARTFS_TRY(load.add(key, value));
    return load.finish();
  }

  // Keys that begin with the prefix. Reads each frame below it once (a frame holds some thousand keys),
  // mostly its header alone. Keys that come or go meanwhile may be counted or not.
  [[nodiscard]] Result<std::uint64_t> count(std::string_view prefix) const;
  // The same from at most `frames_max` frames, nearest to the root first: CountEstimate says what is known.
  [[nodiscard]] Result<CountEstimate> estimate_count(std::string_view prefix,
                                                     std::uint64_t frames_max = 16) const;

  [[nodiscard]] Scan scan(const ScanOptions& options = {}) const;

  // Calls `visit(const Entry&)` for each; it may return void, or a Result<void> whose error ends the scan.
  template <typename Visit>
  [[nodiscard]] Result<void> for_each(const ScanOptions& options, Visit&& visit) const {
    Scan entries = scan(options);
    for (;;) {
      if (!ARTFS_TRY(entries.next())) return {};
      if constexpr (std::is_void_v<std::invoke_result_t<Visit&, const ScanEntry&>>) {
        visit(entries.entry());
      } else {
        ARTFS_TRY(visit(entries.entry()));
      }
    }
  }

  // True when no key starts with the prefix. One descent.
  [[nodiscard]] Result<bool> prefix_empty(std::string_view prefix) const;
  // The longest stored key that is a prefix of `key` (the key itself included); key_not_found.
  [[nodiscard]] Result<std::string> longest_prefix(std::string_view key) const;

  // Transactional counters, 0 at creation; changed by Txn::add only. index < tree_counters_max.
  [[nodiscard]] std::int64_t counter(std::size_t index) const;

 private:
  engine::StoreImpl* store_ = nullptr;
  TreeId id_;
};

// A list of guards and changes that happen together or not at all. Guards are checked against the
// state before the transaction; changes apply in the order given. Reusable after clear().
class ARTFS_EXPORT Txn {
 public:
  Txn& assert_absent(Tree tree, std::string_view key);                    // else key_exists
  Txn& assert_version(Tree tree, std::string_view key, Version version);  // else version_mismatch
  Txn& assert_prefix_empty(Tree tree, std::string_view prefix);           // else prefix_not_empty

  Txn& put(Tree tree, std::string_view key, std::string_view value);
  Txn& erase(Tree tree, std::string_view key);  // of an absent key: no change
  Txn& add(Tree tree, std::size_t counter_index, std::int64_t delta);

  // On a full device it may take the last space, which is kept for changes that erase: for what was
  // accepted before.
  Txn& take_reserve() noexcept {
    takes_reserve_ = true;
    return *this;
  }

  void clear() noexcept;

  [[nodiscard]] bool empty() const noexcept { return operations_.empty() && guards_.empty(); }

 private:
  friend class engine::StoreImpl;
  std::string operations_;        // encoded as the log's payload (wal/record.hpp)
  std::string guards_;            // encoded the same way, never logged
  std::optional<Error> invalid_;  // first size violation; commit returns it
  bool takes_reserve_ = false;
};

// What the body of Store::read() reads with: everything it gets was true together, or the body runs again.
// Valid during the body only; one thread.
class ARTFS_EXPORT ReadView {
 public:
  explicit ReadView(engine::ReadViewImpl& impl) noexcept : impl_(&impl) {}

  // key_not_found, key_too_long, tree_not_found. Any other error the body passes on.
  [[nodiscard]] Result<Record> get(Tree tree, std::string_view key);
  [[nodiscard]] Result<bool> contains(Tree tree, std::string_view key);

  struct Item {
    std::string key;
    std::string value;
    Version version;
    bool is_rollup = false;
  };

  // At most list_max entries; invalid_argument for a limit of 0 or more than that.
  static constexpr std::size_t list_max = 1024;
  [[nodiscard]] Result<std::vector<Item>> list(Tree tree, const ScanOptions& options);

 private:
  engine::ReadViewImpl* impl_;
};

struct VerifyReport {
  std::vector<std::string> problems;  // one line each; empty: clean
  std::uint64_t frames = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes_live = 0;  // inside frames
};

class ARTFS_EXPORT Store {
 public:
  // Makes the store's files in `path` (created if missing, must be empty). store_exists, io_failed.
  [[nodiscard]] static Result<void> create(const std::string& path, const CreateOptions& options);
  // store_missing, store_foreign, store_newer, store_locked, *_corrupt, permission_denied.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& path,
                                                           const StoreOptions& options);
  // Nothing on disk, no log; everything else is the same.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open_in_memory(const StoreOptions& options);

  explicit Store(std::unique_ptr<engine::StoreImpl> impl) noexcept;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();  // as close(), errors go to the log

  // Writes everything, checkpoints, releases the lock. Idempotent.
  [[nodiscard]] Result<void> close();

  [[nodiscard]] Result<Tree> create_tree(std::string_view name);  // tree_exists, tree_name_invalid
  [[nodiscard]] Result<Tree> open_tree(std::string_view name) const;  // tree_not_found
  [[nodiscard]] std::vector<std::string> tree_names() const;

  // Applies the transaction; returns its version. With Durability::strict it is on disk by then. One
  // without changes checks its guards and returns the version of the latest change. The first failed
  // guard gives key_exists, version_mismatch or prefix_not_empty; transaction_too_large,
  // tree_not_found, and the size errors of what was put in. In strict mode a failed sync is an error
  // of a change that readers can see already; the store is stopped by then.
  [[nodiscard]] Result<Version> commit(const Txn& txn);

  // A read transaction: runs `body` until all it read was true at one moment: it saw all of every other
  // transaction or nothing. The body may run several times; what it leaves behind counts after read()
  // returned. After some attempts that writers disturbed, and when it lists, it runs while changes wait: so it
  // is short, and touches the store through its view only. Returns what the body returned.
  [[nodiscard]] Result<void> read(const std::function<Result<void>(ReadView&)>& body);

  // Returns when everything that was acknowledged before the call is on disk.
  [[nodiscard]] Result<void> sync();
  // Returns when the change with this version is on disk.
  [[nodiscard]] Result<void> sync_to(Version version);
  // True when the change with this version is on disk. Never blocks.
  [[nodiscard]] bool is_durable(Version version) const noexcept;
  // Writes a checkpoint now; on return the log below its cut is free.
  [[nodiscard]] Result<void> checkpoint();

  [[nodiscard]] StoreStats stats() const;
  // Walks every frame and key, changing nothing. Blocks writers while it walks.
  [[nodiscard]] Result<VerifyReport> verify();

  [[nodiscard]] engine::StoreImpl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<engine::StoreImpl> impl_;
};

}  // namespace artfs
