// SPDX-License-Identifier: Apache-2.0
#include "art/bulk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "art/bulk_frame.hpp"
#include "art/room.hpp"

namespace artfs::art {

namespace {

// Gathered before complete subtrees are looked for: several frames, so that there is a choice.
constexpr std::size_t window_bytes = 2 * mib;
// What the root of a frame may take besides the edges it was chosen for.
constexpr std::size_t root_slack_bytes = kib;
constexpr std::size_t record_overhead_bytes = 24;

std::size_t shared_bytes(std::string_view left, std::string_view right) noexcept {
  const std::size_t limit = std::min(left.size(), right.size());
  std::size_t at = 0;
  while (at + sizeof(std::uint64_t) <= limit) {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(static_cast<void*>(&a), left.data() + at, sizeof a);
    std::memcpy(static_cast<void*>(&b), right.data() + at, sizeof b);
    if (a != b) break;
    at += sizeof a;
  }
  while (at < limit && left[at] == right[at]) ++at;
  return at;
}

}  // namespace

// One pass over the elements, as the tree they stand for: nodes close when a key leaves them, and one that
// would not fit into a frame gives edges away until it does.
class BulkBuilder::Measure {
 public:
  explicit Measure(BulkBuilder& builder)
      : builder_(builder), limit_(builder.options_.fill_bytes - root_slack_bytes) {}

  [[nodiscard]] Result<void> run(bool is_complete) {
    const std::vector<BulkElement>& elements = builder_.elements_;
    for (std::size_t i = 1; i < elements.size(); ++i) {
      ARTFS_TRY(leave(leaf_item(i - 1), elements[i].shared));
    }
    if (is_complete) {
      Item item = leaf_item(elements.size() - 1);
      while (!open_.empty()) item = ARTFS_TRY(close(item));
      return {};
    }
    // The last key's way is still open: of these nodes only the edges before it are complete.
    for (std::size_t at = open_.size(); at-- > 0;) ARTFS_TRY(shrink(at));
    return {};
  }

 private:
  // What hangs below an edge, or will once it is known below which one.
  struct Item {
    std::size_t first = 0;  // elements
    std::size_t end = 0;
    std::size_t depth =
        0;  // of a node: where its label ends; of a record or crossing: its key's length
    std::size_t bytes = 0;  // without the part that depends on the node above; of an edge: all
    std::size_t edges = 0;  // of a node
    bool is_crossing = false;
    bool is_joined = false;  // to the edge before it: both lead to one frame, and stay together
  };

  struct Open {
    std::size_t depth = 0;
    std::size_t first = 0;       // element
    std::size_t first_edge = 0;  // in edges_
    std::size_t own_bytes = 0;
  };

  [[nodiscard]] Item leaf_item(std::size_t index) const noexcept {
    const BulkElement& element = builder_.elements_[index];
    const bool is_crossing = static_cast<bool>(element.frame);
    // Ways to one frame stand side by side, also in a later pass.
    const bool is_joined =
        is_crossing && index > 0 && builder_.elements_[index - 1].frame == element.frame;
    return {.first = index,
            .end = index + 1,
            .depth = element.key_bytes,
            .bytes = element.value_bytes,
            .is_crossing = is_crossing,
            .is_joined = is_joined};
  }

  // Bytes of the item below an edge of a node at `depth`.
  [[nodiscard]] static std::size_t bytes_below(const Item& item, std::size_t depth) noexcept {
    const std::size_t label = item.depth - std::min(item.depth, depth + 1);
    if (item.is_crossing) {
      const std::size_t between = label == 0 ? 0 : frame::node_bytes(ObjectKind::node4, label);
      return frame::crossing_bytes + between;
    }
    if (item.edges == 0) return frame::leaf_bytes(item.bytes, label);
    return item.bytes + frame::node_bytes(kind_for(item.edges), label);
  }

  // The item is complete: the next key has only `shared` bytes in common with it.
  [[nodiscard]] Result<void> leave(Item item, std::size_t shared) {
    while (!open_.empty() && open_.back().depth > shared) item = ARTFS_TRY(close(item));
    if (open_.empty() || open_.back().depth < shared) {
      open_.push_back({.depth = shared, .first = item.first, .first_edge = edges_.size()});
    }
    add(item);
    return {};
  }

  void add(const Item& item) {
    Open& node = open_.back();
    const bool is_own = item.edges == 0 && !item.is_crossing && item.depth == node.depth;
    if (is_own) {
      node.own_bytes = frame::leaf_bytes(item.bytes, 0);
      return;
    }
    Item edge = item;
    edge.bytes = bytes_below(item, node.depth);
    edges_.push_back(edge);
  }

  // The last open node gets its last item and becomes one itself.
  [[nodiscard]] Result<Item> close(const Item& last) {
    add(last);
    const std::size_t bytes = ARTFS_TRY(shrink(open_.size() - 1));
    const Open node = open_.back();
    const Item item{.first = node.first,
                    .end = last.end,
                    .depth = node.depth,
                    .bytes = bytes,
                    .edges = edges_.size() - node.first_edge};
    open_.pop_back();
    edges_.resize(node.first_edge);
    return item;
  }

  // Edges of the open node number `at`, complete ones, move to frames until the rest fits into one. Returns
  // the bytes below the node.
  [[nodiscard]] Result<std::size_t> shrink(std::size_t at) {
    const Open& node = open_[at];
    const std::size_t end = at + 1 < open_.size() ? open_[at + 1].first_edge : edges_.size();
    for (;;) {
      std::size_t bytes = node.own_bytes;
      for (std::size_t i = node.first_edge; i < end; ++i) bytes += edges_[i].bytes;
      if (bytes <= limit_) return bytes;
      const Run run = best_run(node.first_edge, end);
      // What is left are crossings and records that are too small to help.
      if (run.bytes <= 4 * frame::crossing_bytes * (run.end - run.first)) return bytes;
      ARTFS_TRY(move_out(node.depth, run));
    }
  }

  struct Run {
    std::size_t first = 0;  // edges
    std::size_t end = 0;
    std::size_t bytes = 0;
  };

  // Neighbouring edges that fill a frame best.
  [[nodiscard]] Run best_run(std::size_t first, std::size_t end) const noexcept {
    Run best;
    Run run{.first = first, .end = first};
    for (; run.end < end; ++run.end) {
      run.bytes += edges_[run.end].bytes;
      while (run.first <= run.end && (run.bytes > limit_ || edges_[run.first].is_joined)) {
        run.bytes -= edges_[run.first++].bytes;
      }
      const bool splits = run.end + 1 < end && edges_[run.end + 1].is_joined;
      if (!splits && run.bytes > best.bytes) best = {run.first, run.end + 1, run.bytes};
    }
    return best;
  }

  [[nodiscard]] Result<void> move_out(std::size_t depth, const Run& run) {
    std::vector<BulkElement>& elements = builder_.elements_;
    const std::size_t first = edges_[run.first].first;
    const std::size_t end = edges_[run.end - 1].end;
    std::size_t entry = depth;
    if (run.end - run.first == 1) entry = entry_of(first, end, depth);
    const FrameId frame = ARTFS_TRY(builder_.write_frame(first, end, entry));
    for (std::size_t i = run.first; i < run.end; ++i) {
      Item& edge = edges_[i];
      BulkElement& way = elements[edge.first];
      way.frame = frame;
      way.key_bytes = static_cast<std::uint16_t>(entry + 1);
      way.value_bytes = 0;
      for (std::size_t dead = edge.first + 1; dead < edge.end; ++dead) {
        elements[dead].is_dead = true;
      }
      edge.is_crossing = true;
      edge.is_joined = i > run.first;
      edge.edges = 0;
      edge.depth = entry + 1;
      edge.bytes = bytes_below(edge, depth);
    }
    return {};
  }

  // Of a single edge: a directory's whole name stays before the crossing, so that a roll-up at '/' sees it
  // without the frame below.
  [[nodiscard]] std::size_t entry_of(std::size_t first, std::size_t end, std::size_t depth) const {
    const std::vector<BulkElement>& elements = builder_.elements_;
    std::size_t common = elements[first].key_bytes;
    for (std::size_t i = first + 1; i < end; ++i) {
      if (!elements[i].is_dead) common = std::min<std::size_t>(common, elements[i].shared);
    }
    const std::string_view front = builder_.key_of(elements[first]).substr(0, common);
    const std::size_t slash = front.rfind('/');
    return slash == std::string_view::npos ? depth : std::max(slash, depth);
  }

  BulkBuilder& builder_;
  const std::size_t limit_;
  std::vector<Open> open_;
  std::vector<Item> edges_;
};

BulkBuilder::BulkBuilder(BulkSink& sink, const BulkOptions& options)
    : sink_(sink), options_(options), cut_at_(window_bytes) {
  ARTFS_ASSERT(options.fill_bytes <= fill_max - need_max / 16);
  bytes_.reserve(2 * window_bytes);
  spare_.reserve(2 * window_bytes);
}

Result<void> BulkBuilder::add(std::string_view key, std::string_view value) {
  if (key.size() > key_bytes_max) return fail(Errc::key_too_long, key.size());
  if (value.size() > value_bytes_max) return fail(Errc::value_too_large, value.size());
  std::size_t shared = 0;
  if (records_ > 0) {
    const std::string_view last = key_of(elements_.back());
    shared = shared_bytes(last, key);
    const bool is_after = shared == last.size()
                              ? key.size() > shared
                              : shared < key.size() && static_cast<std::uint8_t>(last[shared]) <
                                                           static_cast<std::uint8_t>(key[shared]);
    if (!is_after) return fail(Errc::keys_not_sorted, records_ + 1);
  }
  ++records_;
  key_bytes_ = std::max(key_bytes_, key.size());
  const std::size_t off = bytes_.size();
  bytes_.insert(bytes_.end(), key.begin(), key.end());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  elements_.push_back({.off = off,
                       .value_bytes = static_cast<std::uint32_t>(value.size()),
                       .key_bytes = static_cast<std::uint16_t>(key.size()),
                       .shared = static_cast<std::uint16_t>(shared)});
  gathered_ += key.size() - shared + value.size() + record_overhead_bytes;
  if (gathered_ >= cut_at_) return cut();
  return {};
}

std::string_view BulkBuilder::key_of(const BulkElement& element) const noexcept {
  return {bytes_.data() + element.off, element.key_bytes};
}

Result<void> BulkBuilder::cut() {
  ARTFS_TRY(Measure(*this).run(false));
  compact();
  cut_at_ = std::max(window_bytes, 2 * gathered_);
  return {};
}

Result<FrameId> BulkBuilder::write_frame(std::size_t first, std::size_t end, std::size_t depth) {
  live_.clear();
  for (std::size_t i = first; i < end; ++i) {
    if (!elements_[i].is_dead) live_.push_back(elements_[i]);
  }
  const BulkSink::Place place = ARTFS_TRY(sink_.next());
  BulkFrame frame(place.bytes, bytes_.data(),
                  {.uuid = options_.uuid, .id = place.id, .version = options_.version});
  const bool is_built = frame.build(live_, depth);
  ARTFS_ASSERT(is_built);  // Measure has added up what it takes
  frame.seal();
  ARTFS_TRY(sink_.done());
  return place.id;
}

Result<void> BulkBuilder::finish(std::span<std::byte> root, FrameId root_id) {
  if (!elements_.empty()) ARTFS_TRY(Measure(*this).run(true));
  compact();
  BulkFrame frame(root, bytes_.data(),
                  {.uuid = options_.uuid, .id = root_id, .version = options_.version});
  const bool is_built = frame.build(elements_, 0);
  ARTFS_ASSERT(is_built);
  frame.seal();
  return {};
}

// Forgets what has left with a frame.
void BulkBuilder::compact() {
  spare_.clear();
  gathered_ = 0;
  std::size_t kept = 0;
  for (const BulkElement& element : elements_) {
    if (element.is_dead) continue;
    BulkElement moved = element;
    moved.off = spare_.size();
    const char* const from = bytes_.data() + element.off;
    spare_.insert(spare_.end(), from, from + element.key_bytes + element.value_bytes);
    gathered_ += std::size_t{element.key_bytes} - std::min(element.key_bytes, element.shared) +
                 element.value_bytes + record_overhead_bytes;
    elements_[kept++] = moved;
  }
  elements_.resize(kept);
  std::swap(bytes_, spare_);
}

}  // namespace artfs::art
