// SPDX-License-Identifier: Apache-2.0
// A scan walks depth-first, in key order, over looks. What it emitted counts from the moment its frame was
// found unchanged after the reading; when a frame changed, what was emitted since then is taken back and the
// walk seeks its place again from the root, behind the last entry that counts. Frames above are asked again
// when the walk comes back to them.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "art/descend.hpp"
#include "art/tree.hpp"
#include "art/walk.hpp"

namespace artfs::art {

namespace {

// What to do with the subtree below a path that has just grown.
enum class Turn : std::uint8_t { into, around };

constexpr std::uint16_t bytes_end = 256;  // behind the last edge byte

// A node whose edges are being followed.
struct Level {
  Ref node = no_ref;
  bool is_bounded = false;        // the path so far is a prefix of `after`
  bool is_frame_root = false;     // of the last frame, which goes with the level
  std::uint16_t path_bytes = 0;   // the node's label included
  std::uint16_t next = 0;         // edge byte to go on with
  std::uint16_t end = bytes_end;  // first one that is not wanted
};

// Kept by the thread from scan to scan: the common ones are short.
struct Scratch {
  std::array<char, key_bytes_max + 1> path;
  std::vector<Level> levels;
  std::vector<frame::Look> frames;
  std::string after;
};

Scratch& scratch_of_thread() {
  thread_local Scratch scratch;
  return scratch;
}

// Entries as they are appended to a batch. The buffer is longer than what it holds until finish(): its growth
// costs no copy of a few bytes for each entry.
class Output {
 public:
  Output(ScanBatch& batch, std::size_t items_max, std::size_t bytes_max)
      : batch_(&batch),
        bytes_(batch.bytes.size()),
        items_end_(batch.items.size() + std::max<std::size_t>(items_max, 1)),
        bytes_end_(bytes_ + bytes_max) {
    mark();
    const std::size_t items = std::min(items_max, items_reserved_max);
    batch.items.reserve(batch.items.size() + items);
    make_room(items * item_bytes_guess);
  }

  [[nodiscard]] bool is_full() const noexcept {
    return batch_->items.size() >= items_end_ || bytes_ >= bytes_end_;
  }

  // The key is `path` and `rest`.
  void add(std::string_view path, std::string_view rest, const frame::Leaf& leaf, bool keys_only) {
    const std::string_view value = keys_only ? std::string_view() : leaf.value;
    const std::size_t key_bytes = path.size() + rest.size();
    make_room(key_bytes + value.size());
    // Written where it stays: a copy made of such small fields waits for each of them.
    ScanItem& item = batch_->items.emplace_back();
    item.key_off = number(bytes_);
    item.key_bytes = number(key_bytes);
    item.value_off = number(bytes_ + key_bytes);
    item.value_bytes = number(value.size());
    item.version = leaf.version;
    append(path);
    append(rest);
    append(value);
  }

  void add_rollup(std::string_view entry) {
    make_room(entry.size());
    ScanItem& item = batch_->items.emplace_back();
    item.key_off = number(bytes_);
    item.key_bytes = number(entry.size());
    item.value_off = number(bytes_ + entry.size());
    item.is_rollup = true;
    append(entry);
  }

  // Each frame once; several edges in a row may lead to it.
  void note_ahead(FrameId id) {
    std::vector<FrameId>& ahead = batch_->ahead;
    if (!id || ahead.size() == ahead_max || (!ahead.empty() && ahead.back() == id)) return;
    ahead.push_back(id);
  }

  // All there is counts.
  void mark() noexcept {
    marked_items_ = batch_->items.size();
    marked_bytes_ = bytes_;
  }

  [[nodiscard]] std::size_t marked_items() const noexcept { return marked_items_; }

  void take_back() {
    batch_->items.resize(marked_items_);
    bytes_ = marked_bytes_;
  }

  [[nodiscard]] std::string_view last_key() const noexcept {
    const ScanItem& item = batch_->items.back();
    return std::string_view(batch_->bytes).substr(item.key_off, item.key_bytes);
  }

  void finish() { batch_->bytes.resize(bytes_); }

 private:
  static constexpr std::size_t items_reserved_max = 128;
  static constexpr std::size_t ahead_max = 7;
  static constexpr std::size_t item_bytes_guess = 64;
  static constexpr std::size_t bytes_min = kib;

  static std::uint32_t number(std::size_t bytes) noexcept {
    ARTFS_ASSERT(bytes <= ~std::uint32_t{0});
    return static_cast<std::uint32_t>(bytes);
  }

  void make_room(std::size_t bytes) {
    const std::size_t size = batch_->bytes.size();
    if (bytes_ + bytes > size) batch_->bytes.resize(std::max(2 * size, bytes_ + bytes + bytes_min));
  }

  void append(std::string_view chars) noexcept {
    copy_short(batch_->bytes.data() + bytes_, chars);
    bytes_ += chars.size();
  }

  // As memcpy, without the call for the usual sizes: whole blocks, the last of which overlaps.
  static void copy_short(char* out, std::string_view chars) noexcept {
    constexpr std::size_t block = 16;
    const char* const in = chars.data();
    const std::size_t size = chars.size();
    if (size > 4 * block) {
      std::memcpy(out, in, size);
    } else if (size >= block) {
      for (std::size_t at = 0; at + block < size; at += block)
        std::memcpy(out + at, in + at, block);
      std::memcpy(out + size - block, in + size - block, block);
    } else {
      for (std::size_t at = 0; at < size; ++at) out[at] = in[at];
    }
  }

  ScanBatch* batch_;
  std::size_t bytes_;
  std::size_t items_end_;
  std::size_t bytes_end_;
  std::size_t marked_items_ = 0;
  std::size_t marked_bytes_ = 0;
};

// One way through the tree until the batch is full, the end is reached, or something is in the way.
class Scanner {
 public:
  Scanner(const TreeView& tree, const ScanRequest& request, Output& out) noexcept
      : tree_(&tree), request_(&request), out_(&out), scratch_(&scratch_of_thread()) {}

  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  ~Scanner() {
    scratch_->levels.clear();
    scratch_->frames.clear();
  }

  // True when there is no entry behind the last one. Entries count up to the output's mark.
  [[nodiscard]] Result<bool> run() {
    ARTFS_TRY(open_frame(tree_->root));
    const Ref root = view().root();
    if (root != no_ref) ARTFS_TRY(enter(root, request_->after_valid));
    while (!levels().empty() && !out_->is_full()) {
      ARTFS_TRY(follow());
    }
    ARTFS_TRY(settle());
    return levels().empty();
  }

 private:
  [[nodiscard]] std::vector<Level>& levels() const noexcept { return scratch_->levels; }

  [[nodiscard]] frame::Look& look() const noexcept { return scratch_->frames.back(); }

  [[nodiscard]] View view() const noexcept { return View(look().bytes()); }

  [[nodiscard]] std::string_view path() const noexcept {
    return {scratch_->path.data(), path_bytes_};
  }

  // What was read in this frame holds, or all since the last mark is void.
  [[nodiscard]] Result<void> settle() const {
    if (!look().valid()) return fail(Errc::contended);
    out_->mark();
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> damaged() const {
    if (!settle()) return fail(Errc::contended);
    return fail(Errc::frame_corrupt, look().id().raw);
  }

  [[nodiscard]] Result<void> open_frame(FrameId id) {
    Result<frame::Look> found = tree_->cache.look(id);
    // It is the right frame, or truly missing, if the one that led here still says so.
    if (!scratch_->frames.empty()) ARTFS_TRY(settle());
    if (!found) return fail(found.error());
    scratch_->frames.push_back(*std::move(found));
    return {};
  }

  // Back to the frame above, which must be as it was.
  [[nodiscard]] Result<void> leave_frame() {
    ARTFS_TRY(settle());
    scratch_->frames.pop_back();
    if (!look().reopen()) return fail(Errc::contended);
    return {};
  }

  // Follows the edges of the deepest level: leaves at once, as far as they go; then down, or back up.
  [[nodiscard]] Result<void> follow() {
    const std::size_t depth = levels().size() - 1;
    Node node;
    if (!view().node(levels()[depth].node, node)) return damaged();
    const std::size_t above_bytes = levels()[depth].path_bytes;
    const bool was_bounded = levels()[depth].is_bounded;
    if (above_bytes == key_bytes_max) return damaged();
    const bool is_plain =
        !was_bounded && !request_->delimiter && above_bytes >= request_->prefix.size();
    EdgeRange edges(node, levels()[depth].next, levels()[depth].end);
    for (Edge edge = edges.next(); edge.child != no_ref; edge = edges.next()) {
      const std::uint64_t unit0 = view().unit0(edge.child);
      const bool is_leaf = format::kind_of(unit0) == ObjectKind::leaf;
      scratch_->path[above_bytes] = static_cast<char>(edge.byte);
      path_bytes_ = above_bytes + 1;
      bool is_bounded = was_bounded;
      if (is_plain || lengthened(above_bytes, is_bounded) == Turn::into) {
        if (is_leaf) {
          frame::Leaf leaf;
          if (!view().leaf(edge.child, unit0, leaf)) return damaged();
          if (!take_leaf(leaf, is_bounded, is_plain)) return damaged();
        } else {
          levels()[depth].next = static_cast<std::uint16_t>(edge.byte + 1);
          ARTFS_TRY(descend_into(node, edge, is_bounded, edges));
          if (levels().size() != depth + 1) return {};
          // Nothing more is wanted there: on with the next edge.
        }
      }
      if (out_->is_full()) {
        levels()[depth].next = static_cast<std::uint16_t>(edge.byte + 1);
        return settle();
      }
    }
    const bool is_frame_root = levels()[depth].is_frame_root;
    levels().pop_back();
    return is_frame_root ? leave_frame() : settle();
  }

  // What is behind an edge and no leaf. `ahead`: the edges after it.
  [[nodiscard]] Result<void> descend_into(const Node& node, const Edge& edge, bool is_bounded,
                                          EdgeRange ahead) {
    if (view().kind(edge.child) == ObjectKind::crossing) {
      --path_bytes_;
      return cross(node, edge, levels().back());
    }
    ARTFS_TRY(enter(edge.child, is_bounded));
    // The sibling's children are on their way while this one's are read.
    if (request_->delimiter) return {};
    const Edge sibling = ahead.next();
    Node other;
    if (sibling.child != no_ref && view().node(sibling.child, other)) {
      fetch_children(other, 0, bytes_end);
    }
    return {};
  }

  // The object at `ref` hangs below the path.
  [[nodiscard]] Result<void> enter(Ref ref, bool is_bounded) {
    const std::size_t path_bytes = path_bytes_;
    frame::Leaf leaf;
    if (view().leaf(ref, leaf)) {
      return take_leaf(leaf, is_bounded, false) ? Result<void>() : damaged();
    }
    Node node;
    if (!view().node(ref, node)) return damaged();
    // Every way down ends at a key; a walk through damage that finds none could take for ever.
    if (node.own == no_ref && next_edge(node, 0).child == no_ref) return damaged();
    if (!extend(node.label)) return damaged();
    if (lengthened(path_bytes, is_bounded) == Turn::around) return {};
    if (node.own != no_ref) {
      if (!view().leaf(node.own, leaf)) return damaged();
      emit(leaf, is_bounded);
    }
    push_level(node, is_bounded);
    return {};
  }

  void push_level(const Node& node, bool is_bounded) {
    Level& level = levels().emplace_back();
    level.node = node.ref;
    level.is_bounded = is_bounded;
    level.path_bytes = static_cast<std::uint16_t>(path_bytes_);
    const std::string_view prefix = request_->prefix;
    if (path_bytes_ < prefix.size()) {
      level.next = static_cast<std::uint8_t>(prefix[path_bytes_]);
      level.end = static_cast<std::uint16_t>(level.next + 1);
    }
    if (is_bounded && path_bytes_ < after().size()) {
      const std::uint16_t from = static_cast<std::uint8_t>(after()[path_bytes_]);
      level.next = std::max(level.next, from);
    }
    fetch_children(node, level.next, level.end);
  }

  // Siblings lie all over the frame: ask for them together rather than miss one after the other.
  void fetch_children(const Node& node, std::size_t from, std::size_t end) noexcept {
    if (node.kind != ObjectKind::node4 && node.kind != ObjectKind::node16) return;
    if (node.at == fetched_) return;
    fetched_ = node.at;
    const View view = this->view();
    EdgeRange edges(node, from, end);
    for (Edge edge = edges.next(); edge.child != no_ref; edge = edges.next()) {
      view.prefetch(edge.child);
    }
  }

  // Into the frame behind the edge; its root is entered with the edge byte ahead. Edges in a row that lead
  // to the same frame are followed there together.
  [[nodiscard]] Result<void> cross(const Node& node, const Edge& edge, Level& above) {
    const FrameId id = view().crossing(edge.child);
    if (!id || scratch_->frames.size() > frames_on_way_max + path_bytes_) return damaged();
    std::uint16_t end = static_cast<std::uint16_t>(edge.byte + 1);
    for (;;) {
      const Edge more = next_edge(node, end);
      if (more.child != edge.child || more.byte >= above.end) break;
      end = static_cast<std::uint16_t>(more.byte + 1);
    }
    const bool is_bounded = above.is_bounded;
    const std::size_t above_bytes = above.path_bytes;
    const std::size_t depth = levels().size();
    const std::uint16_t above_end = above.end;
    look().close();
    const Result<void> opened = open_frame(id);
    if (!opened) {
      if (opened.error().code == Errc::frame_not_resident) note_ahead(node, end, above_end);
      return opened;
    }
    const Ref root = view().root();
    if (root == no_ref) return damaged();
    ARTFS_TRY(enter(root, is_bounded));
    if (levels().size() == depth) return leave_frame();  // a leaf, or nothing that is wanted
    Level& level = levels().back();
    level.is_frame_root = true;
    if (level.path_bytes == above_bytes) {
      Node fork;
      const bool has_edge = view().node(root, fork) && find_edge(fork, edge.byte).child != no_ref;
      if (!has_edge) return damaged();
      level.next = std::max<std::uint16_t>(level.next, edge.byte);
      level.end = std::min(level.end, end);
      levels()[depth - 1].next = end;
    }
    return {};
  }

  // The frames that the node's other edges lead to, for who loads the one that is missing.
  void note_ahead(const Node& node, std::uint16_t from, std::uint16_t end) {
    if (request_->delimiter || !look().reopen()) return;
    EdgeRange edges(node, from, end);
    for (Edge edge = edges.next(); edge.child != no_ref; edge = edges.next()) {
      out_->note_ahead(view().crossing(edge.child));
    }
    look().close();
  }

  // False when the key would be too long.
  [[nodiscard]] bool extend(std::string_view more) noexcept {
    if (path_bytes_ + more.size() > key_bytes_max) return false;
    std::copy_n(more.data(), more.size(), scratch_->path.data() + path_bytes_);
    path_bytes_ += more.size();
    return true;
  }

  // The path has grown behind `from`. `is_bounded` is kept up to date.
  [[nodiscard]] Turn lengthened(std::size_t from, bool& is_bounded) {
    const std::string_view grown = path().substr(from);
    const std::string_view prefix = request_->prefix;
    if (from < prefix.size()) {
      const std::size_t bytes = std::min(grown.size(), prefix.size() - from);
      if (grown.substr(0, bytes) != prefix.substr(from, bytes)) return Turn::around;
    }
    if (is_bounded && !grown.empty()) {
      const std::string_view rest = after().substr(from);
      const std::size_t bytes = std::min(grown.size(), rest.size());
      const int order = grown.substr(0, bytes).compare(rest.substr(0, bytes));
      if (order < 0) return Turn::around;
      is_bounded = order == 0 && grown.size() <= rest.size();
    }
    return request_->delimiter && is_rolled_up(from) ? Turn::around : Turn::into;
  }

  // Emits the roll-up when the grown part holds the first delimiter behind the prefix.
  [[nodiscard]] bool is_rolled_up(std::size_t from) {
    const std::size_t at =
        path().find(*request_->delimiter, std::max(from, request_->prefix.size()));
    if (at == std::string_view::npos) return false;
    const std::string_view entry = path().substr(0, at + 1);
    if (!request_->after_valid || entry > after()) out_->add_rollup(entry);
    return true;
  }

  // The leaf hangs below the path. False when it cannot. `is_plain`: nothing about the path needs a look.
  [[nodiscard]] bool take_leaf(const frame::Leaf& leaf, bool is_bounded, bool is_plain) {
    const std::size_t path_bytes = path_bytes_;
    if (is_plain) {
      if (path_bytes + leaf.suffix.size() > key_bytes_max) return false;
      out_->add(path(), leaf.suffix, leaf, request_->keys_only);
      return true;
    }
    if (!extend(leaf.suffix)) return false;
    if (lengthened(path_bytes, is_bounded) == Turn::into) emit(leaf, is_bounded);
    return true;
  }

  void emit(const frame::Leaf& leaf, bool is_bounded) {
    // Bounded: the key is a prefix of `after`, so not behind it.
    if (is_bounded || path_bytes_ < request_->prefix.size()) return;
    out_->add(path(), {}, leaf, request_->keys_only);
  }

  [[nodiscard]] std::string_view after() const noexcept { return request_->after; }

  const TreeView* tree_;
  const ScanRequest* request_;
  Output* out_;
  Scratch* scratch_;
  std::size_t path_bytes_ = 0;
  const std::byte* fetched_ = nullptr;  // the node whose children were asked for last
};

}  // namespace

Result<void> scan(const TreeView& tree, const ScanRequest& request, std::size_t items_max,
                  std::size_t bytes_max, ScanBatch& batch) {
  Output out(batch, items_max, bytes_max);
  ScanRequest rest = request;
  std::string& after = scratch_of_thread().after;
  batch.at_end = false;
  Result<bool> ran = fail(Errc::contended);
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    const std::size_t counted = out.marked_items();
    ran = Scanner(tree, rest, out).run();
    if (ran || ran.error().code != Errc::contended) break;
    out.take_back();
    if (out.marked_items() == counted) continue;
    // It gets on: patience starts anew.
    attempt = 0;
    after.assign(out.last_key());
    rest.after = after;
    rest.after_valid = true;
  }
  if (!ran) out.take_back();
  out.finish();
  if (!ran) return fail(ran.error());
  batch.at_end = *ran;
  return {};
}

}  // namespace artfs::art
