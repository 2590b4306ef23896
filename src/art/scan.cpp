// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "art/descend.hpp"
#include "art/tree.hpp"

namespace artfs::art {

namespace {

// What to do with the subtree below a path that has just grown.
enum class Way : std::uint8_t { into, around };

// A depth-first walk in key order that goes around what the request does not want: outside the prefix, up to
// `after`, below a delimiter. The path so far is the key; a level remembers which edge comes next.
class Scanner {
 public:
  Scanner(const TreeView& tree, const ScanRequest& request, ScanBatch& batch) noexcept
      : tree_(&tree), request_(&request), batch_(&batch) {}

  void limit(std::size_t items_max, std::size_t bytes_max) noexcept {
    items_end_ = batch_->items.size() + std::max<std::size_t>(items_max, 1);
    bytes_end_ = batch_->bytes.size() + bytes_max;
  }

  [[nodiscard]] Result<void> run() {
    batch_->at_end = false;
    pins_.push_back(ARTFS_TRY(tree_->cache.pin(tree_->root)));
    const Ref root = view().root();
    if (root != no_ref) ARTFS_TRY(enter(root, request_->after_valid));
    while (!levels_.empty()) {
      if (is_full()) return {};
      ARTFS_TRY(step());
    }
    batch_->at_end = !is_full();
    return {};
  }

 private:
  // A node whose edges are being followed.
  struct Level {
    Ref node = no_ref;
    std::size_t path_bytes = 0;  // the node's label included
    std::size_t next = 0;        // edge byte to go on with
    std::size_t end = 256;       // first one that is not wanted
    bool is_bounded = false;     // the path so far is a prefix of `after`
    bool is_frame_root = false;  // of the last pin, which goes with the level
  };

  [[nodiscard]] View view() const noexcept { return View(pins_.back().bytes()); }

  [[nodiscard]] bool is_full() const noexcept {
    return batch_->items.size() >= items_end_ || batch_->bytes.size() >= bytes_end_;
  }

  [[nodiscard]] tl::unexpected<Error> damaged() const {
    return fail(Errc::frame_corrupt, pins_.back().id().raw);
  }

  // Follows one edge of the deepest level.
  [[nodiscard]] Result<void> step() {
    Level& level = levels_.back();
    path_.resize(level.path_bytes);
    Node node;
    if (!view().node(level.node, node)) return damaged();
    const Edge edge = next_edge(node, level.next);
    if (edge.child == no_ref || edge.byte >= level.end) {
      if (level.is_frame_root) pins_.pop_back();
      levels_.pop_back();
      return {};
    }
    level.next = std::size_t{edge.byte} + 1;
    bool is_bounded = level.is_bounded;
    const bool was_bounded = is_bounded;
    path_.push_back(static_cast<char>(edge.byte));
    if (lengthened(level.path_bytes, is_bounded) == Way::around) return {};
    if (view().kind(edge.child) != ObjectKind::crossing) return enter(edge.child, is_bounded);
    path_.pop_back();
    return cross(edge, was_bounded);
  }

  // The object at `ref` hangs below the path.
  [[nodiscard]] Result<void> enter(Ref ref, bool is_bounded) {
    const std::size_t path_bytes = path_.size();
    frame::Leaf leaf;
    if (view().leaf(ref, leaf)) {
      if (path_bytes + leaf.suffix.size() > key_bytes_max) return damaged();
      path_.append(leaf.suffix);
      if (lengthened(path_bytes, is_bounded) == Way::into) emit_key(leaf, is_bounded);
      return {};
    }
    Node node;
    if (!view().node(ref, node)) return damaged();
    if (path_bytes + node.label.size() > key_bytes_max) return damaged();
    // Every way down ends at a key; a walk through damage that finds none could take for ever.
    if (node.own == no_ref && next_edge(node, 0).child == no_ref) return damaged();
    path_.append(node.label);
    if (lengthened(path_bytes, is_bounded) == Way::around) return {};
    if (node.own != no_ref) {
      if (!view().leaf(node.own, leaf)) return damaged();
      emit_key(leaf, is_bounded);
    }
    fetch_children(node);
    push_level(ref, is_bounded);
    return {};
  }

  // Siblings lie all over the frame: ask for them together rather than miss one after the other.
  void fetch_children(const Node& node) const noexcept {
    if (node.kind != ObjectKind::node4 && node.kind != ObjectKind::node16) return;
    for (std::size_t i = 0; i < node.count; ++i) {
      const std::size_t off = child_slot_off(node.kind, i, 0);
      __builtin_prefetch(view().at(*reinterpret_cast<const format::le16*>(node.at + off)));
    }
  }

  void push_level(Ref ref, bool is_bounded) {
    Level level{.node = ref, .path_bytes = path_.size(), .is_bounded = is_bounded};
    const std::string_view prefix = request_->prefix;
    if (path_.size() < prefix.size()) {
      level.next = static_cast<std::uint8_t>(prefix[path_.size()]);
      level.end = level.next + 1;
    }
    if (is_bounded && path_.size() < request_->after.size()) {
      const std::size_t from = static_cast<std::uint8_t>(request_->after[path_.size()]);
      level.next = std::max(level.next, from);
    }
    levels_.push_back(level);
  }

  // Into the frame behind the edge; its root is entered with the edge byte ahead and restricted to it.
  [[nodiscard]] Result<void> cross(const Edge& edge, bool is_bounded) {
    const FrameId id = view().crossing(edge.child);
    if (!id || pins_.size() > frames_on_way_max + path_.size()) return damaged();
    pins_.push_back(ARTFS_TRY(tree_->cache.pin(id)));
    const Ref root = view().root();
    const std::size_t depth = levels_.size();
    if (root == no_ref) return damaged();
    ARTFS_TRY(enter(root, is_bounded));
    if (levels_.size() == depth) {
      pins_.pop_back();  // a leaf, or nothing that is wanted
      return {};
    }
    Level& level = levels_.back();
    level.is_frame_root = true;
    if (level.path_bytes == levels_[depth - 1].path_bytes) {
      Node fork;
      const bool has_edge = view().node(root, fork) && find_edge(fork, edge.byte).child != no_ref;
      if (!has_edge) return damaged();
      level.next = std::max<std::size_t>(level.next, edge.byte);
      level.end = std::min<std::size_t>(level.end, std::size_t{edge.byte} + 1);
    }
    return {};
  }

  // The path has grown behind `from`. `is_bounded` is kept up to date.
  [[nodiscard]] Way lengthened(std::size_t from, bool& is_bounded) {
    const std::string_view grown = std::string_view(path_).substr(from);
    const std::string_view prefix = request_->prefix;
    if (from < prefix.size()) {
      const std::size_t bytes = std::min(grown.size(), prefix.size() - from);
      if (grown.substr(0, bytes) != prefix.substr(from, bytes)) return Way::around;
    }
    if (is_bounded && !grown.empty()) {
      const std::string_view rest = request_->after.substr(from);
      const std::size_t bytes = std::min(grown.size(), rest.size());
      const int order = grown.substr(0, bytes).compare(rest.substr(0, bytes));
      if (order < 0) return Way::around;
      is_bounded = order == 0 && grown.size() <= rest.size();
    }
    return is_rolled_up(from) ? Way::around : Way::into;
  }

  // Emits the roll-up when the grown part holds the first delimiter behind the prefix.
  [[nodiscard]] bool is_rolled_up(std::size_t from) {
    if (!request_->delimiter) return false;
    const std::size_t at =
        path_.find(*request_->delimiter, std::max(from, request_->prefix.size()));
    if (at == std::string::npos) return false;
    const std::string_view entry = std::string_view(path_).substr(0, at + 1);
    if (request_->after_valid && entry <= request_->after) return true;
    batch_->items.push_back({.key_off = batch_->bytes.size(),
                             .key_bytes = entry.size(),
                             .value_off = batch_->bytes.size() + entry.size(),
                             .is_rollup = true});
    batch_->bytes.append(entry);
    return true;
  }

  void emit_key(const frame::Leaf& leaf, bool is_bounded) {
    // Bounded: the key is a prefix of `after`, so not behind it.
    if (is_bounded || path_.size() < request_->prefix.size()) return;
    ScanItem item{.key_off = batch_->bytes.size(),
                  .key_bytes = path_.size(),
                  .value_off = batch_->bytes.size() + path_.size(),
                  .version = leaf.version};
    batch_->bytes.append(path_);
    if (!request_->keys_only) {
      item.value_bytes = leaf.value.size();
      batch_->bytes.append(leaf.value);
    }
    batch_->items.push_back(item);
  }

  const TreeView* tree_;
  const ScanRequest* request_;
  ScanBatch* batch_;
  std::size_t items_end_ = 0;
  std::size_t bytes_end_ = 0;
  std::string path_;
  std::vector<Level> levels_;
  std::vector<frame::Pin> pins_;
};

}  // namespace

Result<void> scan(const TreeView& tree, const ScanRequest& request, std::size_t items_max,
                  std::size_t bytes_max, ScanBatch& batch) {
  Scanner scanner(tree, request, batch);
  scanner.limit(items_max, bytes_max);
  return scanner.run();
}

}  // namespace artfs::art
