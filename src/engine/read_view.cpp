// SPDX-License-Identifier: Apache-2.0
// Read transactions. Optimistic first: each get notes the frame its answer stands in and the frame's version.
// When, at the end, every one of them is as it was and no prefix has been renamed, all answers were true
// together at the moment the comparison began: a transaction holds the latches of all its frames at once, so
// it lies before or behind that moment as a whole. After some attempts, with the commit gate exclusive: then
// nobody changes anything.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "art/walk.hpp"
#include "engine/store_impl.hpp"

namespace artfs::engine {

namespace {

constexpr unsigned attempts_max = 8;
// Misses of one read transaction: far above what a short one touches.
constexpr unsigned loads_max = 4096;

// The leaf of the key, in the frame its way ended in.
std::optional<frame::Leaf> leaf_at(const art::WayEnd& end, std::string_view key) {
  const art::View view(end.look.bytes());
  frame::Leaf leaf;
  if (end.stop.kind == art::StopKind::end) {
    if (end.stop.child != format::no_ref && view.leaf(end.stop.child, leaf)) return leaf;
  } else if (end.stop.kind == art::StopKind::leaf) {
    const bool is_read = view.leaf(end.stop.ref, leaf);
    if (is_read && leaf.suffix == key.substr(end.stop.key_off)) return leaf;
  }
  return std::nullopt;
}

}  // namespace

class ReadViewImpl {
 public:
  explicit ReadViewImpl(StoreImpl& store) : store_(store), misses_(*store.cache_) {}

  // One run of the body. False: it counts for nothing.
  [[nodiscard]] bool attempt(const std::function<Result<void>(ReadView&)>& body, bool is_alone) {
    is_alone_ = is_alone;
    seen_.clear();
    moves_.clear();
    error_.reset();
    ReadView view(*this);
    result_ = body(view);
    return !error_ && (is_alone || still_true());
  }

  [[nodiscard]] const Result<void>& result() const noexcept { return result_; }

  // Why the last attempt counted for nothing: a frame to load, contended, or none of both.
  [[nodiscard]] std::optional<Error> error() const noexcept { return error_; }

  [[nodiscard]] Result<void> load(FrameId id) {
    Result<void> loaded = misses_.load(id);
    if (loaded || loaded.error().code != Errc::cache_exhausted) return loaded;
    misses_.drop();
    return store_.relieve();
  }

  [[nodiscard]] Result<Record> get(TreeId id, std::string_view key) {
    if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
    const TreeState* tree = store_.find_tree(id);
    if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
    note_moves(*tree);
    Seen seen;
    Result<Record> record =
        art::answer(store_.applier_->view(*tree), key, art::Goal::whole_key,
                    [&](art::WayEnd& end) -> Result<Record> {
                      seen = {.frame = end.look.id(), .version = end.look.version()};
                      const std::optional<frame::Leaf> leaf = leaf_at(end, key);
                      if (!leaf) return fail(Errc::key_not_found);
                      return Record{.value = std::string(leaf->value), .version = leaf->version};
                    });
    if (record || record.error().code == Errc::key_not_found) {
      seen_.push_back(seen);
      return record;
    }
    return pass(std::move(record));
  }

  [[nodiscard]] Result<std::vector<ReadView::Item>> list(TreeId id, const ScanOptions& options) {
    if (options.limit == 0 || options.limit > ReadView::list_max) {
      return fail(Errc::invalid_argument, options.limit);
    }
    const TreeState* tree = store_.find_tree(id);
    if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
    if (!is_alone_) {
      // Its way through the frames is not noted: only alone is it sure to agree with the rest.
      error_ = Error{Errc::contended, 0};
      return fail(*error_);
    }
    const art::ScanRequest request{.prefix = options.prefix,
                                   .after = options.start_after,
                                   .after_valid = !options.start_after.empty(),
                                   .delimiter = options.delimiter,
                                   .keys_only = options.keys_only};
    art::ScanBatch batch;
    std::vector<ReadView::Item> items;
    std::string last;
    while (items.size() < options.limit && !batch.at_end) {
      batch.bytes.clear();
      batch.items.clear();
      art::ScanRequest next = request;
      if (!items.empty()) {
        last = items.back().key;
        next.after = last;
        next.after_valid = true;
      }
      const Result<void> scanned = art::scan(store_.applier_->view(*tree), next,
                                             options.limit - items.size(), 128 * kib, batch);
      if (!scanned) return fail(pass(scanned).error());
      if (batch.items.empty()) break;
      append(batch, items);
    }
    return items;
  }

 private:
  struct Seen {
    FrameId frame;
    std::uint64_t version = 0;
  };

  struct Moves {
    const TreeState* tree = nullptr;
    std::uint64_t count = 0;
  };

  static void append(const art::ScanBatch& batch, std::vector<ReadView::Item>& items) {
    const std::string_view bytes = batch.bytes;
    for (const art::ScanItem& item : batch.items) {
      items.push_back({.key = std::string(bytes.substr(item.key_off, item.key_bytes)),
                       .value = std::string(bytes.substr(item.value_off, item.value_bytes)),
                       .version = item.version,
                       .is_rollup = item.is_rollup});
    }
  }

  // Remembers what makes the attempt void, whatever the body makes of it.
  template <typename T>
  [[nodiscard]] Result<T> pass(Result<T> result) {
    const Error error = result.error();
    if (error.code == Errc::frame_not_resident || error.code == Errc::contended) error_ = error;
    return result;
  }

  // Before the first look at the tree.
  void note_moves(const TreeState& tree) {
    const auto is_same = [&](const Moves& known) { return known.tree == &tree; };
    if (std::any_of(moves_.begin(), moves_.end(), is_same)) return;
    moves_.push_back({.tree = &tree, .count = tree.moves.load(std::memory_order_acquire)});
  }

  [[nodiscard]] bool still_true() const {
    for (const Seen& seen : seen_) {
      const Result<frame::Look> look = store_.cache_->look(seen.frame);
      if (!look || look->version() != seen.version || !look->valid()) return false;
    }
    return std::all_of(moves_.begin(), moves_.end(), [](const Moves& noted) {
      return noted.tree->moves.load(std::memory_order_acquire) == noted.count;
    });
  }

  StoreImpl& store_;
  Misses misses_;
  bool is_alone_ = false;
  std::vector<Seen> seen_;
  std::vector<Moves> moves_;
  std::optional<Error> error_;
  Result<void> result_;
};

Result<void> StoreImpl::read(const std::function<Result<void>(ReadView&)>& body) {
  ReadViewImpl view(*this);
  unsigned attempts = 0;
  for (unsigned loads = 0; loads < loads_max;) {
    bool counts = false;
    if (attempts < attempts_max) {
      counts = view.attempt(body, false);
    } else {
      const sync::GateExclusive alone(gate_);
      counts = view.attempt(body, true);
    }
    if (counts) return view.result();
    const std::optional<Error> error = view.error();
    if (error && error->code == Errc::frame_not_resident) {
      ARTFS_TRY(view.load(FrameId{error->detail}));
      ++loads;
      continue;
    }
    // A listing can do nothing better the next time.
    attempts = error ? attempts_max : attempts + 1;
  }
  return fail(Errc::cache_exhausted);
}

}  // namespace artfs::engine

namespace artfs {

Result<Record> ReadView::get(Tree tree, std::string_view key) {
  return impl_->get(tree.id(), key);
}

Result<bool> ReadView::contains(Tree tree, std::string_view key) {
  const Result<Record> record = impl_->get(tree.id(), key);
  if (record) return true;
  if (record.error().code == Errc::key_not_found) return false;
  return fail(record.error());
}

Result<std::vector<ReadView::Item>> ReadView::list(Tree tree, const ScanOptions& options) {
  return impl_->list(tree.id(), options);
}

Result<void> Store::read(const std::function<Result<void>(ReadView&)>& body) {
  return impl_->read(body);
}

}  // namespace artfs
