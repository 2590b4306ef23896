// SPDX-License-Identifier: Apache-2.0
// Bulk loading: how a tree goes from empty to full in one step that a crash cannot halve.
//
// The frames below the root are written to fresh slots, which no durable state names: until the end a crash
// leaves an empty tree and free slots. The step itself is a checkpoint. With the commit gate exclusive the
// root frame's content is put in its place, the dirty set is frozen, and the root is emptied again: so the
// frozen set has the loaded tree, and memory the empty one, until the checkpoint is durable. Then memory
// follows. Nobody sees what a crash could take away, no log record stands for it, and writers of other
// trees notice nothing; writers of this one wait in between, since their records would follow the cut.
#include "art/bulk.hpp"

#include <optional>
#include <thread>

#include "engine/bulk_sink.hpp"
#include "engine/store_impl.hpp"
#include "frame/frame.hpp"

namespace artfs::engine {

namespace {

enum class State : std::uint8_t { waiting, refused, frozen, done };

bool is_empty(const frame::Pin& root) noexcept {
  return frame::View(root.bytes()).root() == format::no_ref;
}

base::SameRank order_of(const frame::Pin& pin) noexcept {
  return {pin.id().raw};
}

class StagedLoad final : public checkpoint::Staged {
 public:
  struct Parts {
    frame::Cache& cache;
    sync::Gate& gate;
    TreeState& tree;
    const frame::Pin& root;
    std::span<const std::byte> image;
    std::span<const frame::FrameLocation> frames;
  };

  explicit StagedLoad(const Parts& parts) : parts_(parts) {}

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_acquire); }

  [[nodiscard]] bool before_freeze() override {
    if (parts_.tree.is_loading.load(std::memory_order_relaxed) || !is_empty(parts_.root)) {
      state_.store(State::refused, std::memory_order_release);
      return false;
    }
    parts_.tree.is_loading.store(true, std::memory_order_relaxed);
    // Held until the root is empty again: no reader sees it full.
    guard_.emplace(parts_.root.latch(), order_of(parts_.root));
    art::install_frame(parts_.root, parts_.image);
    return true;
  }

  void after_freeze() override {
    art::clear_frame(parts_.root);
    guard_.reset();
    state_.store(State::frozen, std::memory_order_release);
  }

  [[nodiscard]] std::span<const frame::FrameLocation> frames() const noexcept override {
    return parts_.frames;
  }

  void recorded() override {
    const sync::GateExclusive exclusive(parts_.gate);
    const sync::ExclusiveGuard guard(parts_.root.latch(), order_of(parts_.root));
    parts_.cache.adopt(parts_.frames);
    art::install_frame(parts_.root, parts_.image);
    parts_.tree.is_loading.store(false, std::memory_order_relaxed);
    state_.store(State::done, std::memory_order_release);
  }

 private:
  const Parts parts_;
  std::atomic<State> state_{State::waiting};
  std::optional<sync::ExclusiveGuard> guard_;
};

}  // namespace

class LoadImpl {
 public:
  LoadImpl(StoreImpl& store, TreeState& tree, frame::Pin root) noexcept
      : store_(store), tree_(tree), root_(std::move(root)) {}

  LoadImpl(const LoadImpl&) = delete;
  LoadImpl& operator=(const LoadImpl&) = delete;

  ~LoadImpl() {
    if (!is_over_) sink_->abandon();
  }

  void begin(Version version, unsigned fill_percent) {
    version_ = version;
    if (store_.planner_ == nullptr) {
      sink_ = std::make_unique<MemorySink>(*store_.cache_, store_.gate_);
    } else {
      sink_ = std::make_unique<FileSink>(*store_.cache_, *store_.blobs_);
    }
    builder_.emplace(
        *sink_, art::BulkOptions{.uuid = store_.uuid(),
                                 .version = version,
                                 .fill_bytes = format::frame_capacity_bytes / 100 * fill_percent});
  }

  [[nodiscard]] Result<void> add(std::string_view key, std::string_view value) {
    if (is_over_ || has_failed_) return fail(Errc::invalid_argument);
    Result<void> added = builder_->add(key, value);
    if (!added) note(added.error());
    return added;
  }

  [[nodiscard]] Result<LoadReport> finish() {
    if (is_over_ || has_failed_) return fail(Errc::invalid_argument);
    const Result<void> published = publish();
    if (!published) {
      note(published.error());
      return fail(published.error());
    }
    is_over_ = true;
    return LoadReport{
        .records = builder_->records(), .frames = sink_->frame_count() + 1, .version = version_};
  }

 private:
  void note(Error error) {
    has_failed_ = true;
    if (error.code == Errc::io_failed) store_.stop(error);  // P16
  }

  [[nodiscard]] Result<void> publish() {
    ARTFS_TRY(builder_->finish(image_.span(), root_.id()));
    ARTFS_TRY(sink_->close());
    tree_.note_key(builder_->key_bytes());
    return store_.planner_ == nullptr ? publish_in_memory() : publish_on_disk();
  }

  [[nodiscard]] Result<void> publish_in_memory() {
    const sync::GateExclusive exclusive(store_.gate_);
    const sync::ExclusiveGuard guard(root_.latch(), order_of(root_));
    if (!is_empty(root_)) return fail(Errc::tree_not_empty);
    art::install_frame(root_, image_.span());
    return {};
  }

  [[nodiscard]] Result<void> publish_on_disk() {
    constexpr std::chrono::milliseconds between_attempts{100};
    StagedLoad staged({.cache = *store_.cache_,
                       .gate = store_.gate_,
                       .tree = tree_,
                       .root = root_,
                       .image = image_.span(),
                       .frames = sink_->frames()});
    store_.checkpoint_writer_->stage(staged);
    for (;;) {
      const Result<void> attempt = store_.planner_->checkpoint();
      if (staged.state() == State::done) return {};
      if (staged.state() == State::refused) return fail(Errc::tree_not_empty);
      if (attempt) continue;
      if (store_.checkpoint_writer_->take_back(staged)) return attempt;
      // A checkpoint has it: it is finished when there is space, or the store stops.
      if (attempt.error().code != Errc::no_space) {
        is_over_ = true;  // what became of the slots, the next open will know
        return attempt;
      }
      std::this_thread::sleep_for(between_attempts);
    }
  }

  StoreImpl& store_;
  TreeState& tree_;
  frame::Pin root_;
  Version version_;
  std::unique_ptr<LoadSink> sink_;
  std::optional<art::BulkBuilder> builder_;
  io::AlignedBuffer image_{io::frame_bytes};  // of the root frame
  bool has_failed_ = false;
  bool is_over_ = false;
};

Result<std::unique_ptr<LoadImpl>> StoreImpl::begin_load(TreeId id, const LoadOptions& options) {
  TreeState* tree = trees_.find(id);
  if (tree == nullptr) return fail(Errc::tree_not_found, id.raw);
  ARTFS_TRY(check_writable());
  if (options.fill_percent < 50 || options.fill_percent > 95) {
    return fail(Errc::option_invalid, static_cast<std::uint64_t>(OptionName::fill_percent));
  }
  const bool is_free = ARTFS_TRY(prefix_empty(id, ""));
  if (!is_free) return fail(Errc::tree_not_empty);
  // A record of its own, which changes nothing, gives the version: no other record has it. It is durable
  // before a frame that carries it is written (W2D).
  Txn mark;
  mark.add(Tree(*this, id), 0, 0);
  const Version version = ARTFS_TRY(commit(mark));
  ARTFS_TRY(sync_to(version));
  auto load = std::make_unique<LoadImpl>(*this, *tree, ARTFS_TRY(cache_->load(tree->root)));
  load->begin(version, options.fill_percent);
  return load;
}

}  // namespace artfs::engine

namespace artfs {

SortedLoad::SortedLoad(std::unique_ptr<engine::LoadImpl> impl) noexcept : impl_(std::move(impl)) {}

SortedLoad::SortedLoad(SortedLoad&&) noexcept = default;
SortedLoad& SortedLoad::operator=(SortedLoad&&) noexcept = default;
SortedLoad::~SortedLoad() = default;

Result<void> SortedLoad::add(std::string_view key, std::string_view value) {
  return impl_->add(key, value);
}

Result<LoadReport> SortedLoad::finish() {
  return impl_->finish();
}

Result<SortedLoad> Tree::begin_sorted_load(const LoadOptions& options) const {
  if (store_ == nullptr) return fail(Errc::tree_not_found);
  return SortedLoad(ARTFS_TRY(store_->begin_load(id_, options)));
}

}  // namespace artfs
