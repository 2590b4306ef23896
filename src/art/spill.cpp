// SPDX-License-Identifier: Apache-2.0
#include "art/spill.hpp"

#include <algorithm>
#include <vector>

#include "art/room.hpp"

namespace artfs::art {

namespace {

// An edge with what hangs below it. Items stand in breadth-first order, the children of one in a row.
struct Item {
  Ref ref = no_ref;
  std::uint32_t parent = 0;
  std::uint32_t bytes = 0;  // of the subtree
  std::uint32_t first_child = 0;
  std::uint16_t children = 0;
  std::uint8_t byte = 0;
  bool is_crossing = false;
};

// Every edge takes a two-byte slot somewhere in the frame; more items than that are a loop.
constexpr std::size_t items_max = capacity / sizeof(format::le16);

bool measure_object(const View& view, std::vector<Item>& items, std::size_t index) {
  Item& item = items[index];
  frame::Leaf leaf;
  if (view.leaf(item.ref, leaf)) {
    item.bytes = static_cast<std::uint32_t>(leaf.bytes());
    return true;
  }
  if (view.crossing(item.ref)) {
    item.bytes = frame::crossing_bytes;
    item.is_crossing = true;
    return index != 0;
  }
  Node node;
  if (!view.node(item.ref, node)) return false;
  std::size_t bytes = node.bytes();
  if (node.own != no_ref) {
    if (!view.leaf(node.own, leaf)) return false;
    bytes += leaf.bytes();
  }
  item.bytes = static_cast<std::uint32_t>(bytes);
  const Edges edges = edges_of(node);
  item.first_child = static_cast<std::uint32_t>(items.size());
  item.children = static_cast<std::uint16_t>(edges.count);
  for (std::size_t i = 0; i < edges.count; ++i) {
    items.push_back({.ref = edges.children[i],
                     .parent = static_cast<std::uint32_t>(index),
                     .byte = edges.bytes[i]});
  }
  return items.size() <= items_max;
}

// All edges of the frame with the bytes below each; empty when the frame is damaged.
std::vector<Item> measure(const View& view) {
  std::vector<Item> items;
  items.reserve(std::size_t{view.header().leaves} + view.header().nodes + 64);
  items.push_back({.ref = view.root()});
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!measure_object(view, items, i)) return {};
  }
  for (std::size_t i = items.size(); i-- > 1;) items[items[i].parent].bytes += items[i].bytes;
  return items;
}

// Neighbouring edges of one node; crossings between them stay where they are and weigh nothing.
struct Run {
  std::size_t node = 0;  // item
  std::size_t first = 0;
  std::size_t end = 0;  // items
  std::size_t bytes = 0;
};

std::size_t weight_of(const Item& item) noexcept {
  return item.is_crossing ? 0 : item.bytes;
}

// Among all runs that hold between a third and two thirds of the frame, the one nearest to `target`; of equal
// ones that of the highest node. Such a run exists. Proof: let L > 0.82 C be the live bytes. Go down from
// the root while one child holds more than 2/3 L (such a child is no leaf: a leaf is at most 0.134 C). The
// node reached holds more than 2/3 L and none of its children does. If a child holds at least L/3, it is a
// run. Otherwise all hold less; node, own value and crossings take at most 0.143 C, which leaves more than
// 2/3 L - 0.143 C > L/3 in the children, and adding them one by one meets [L/3, 2/3 L]. slide() passes both
// kinds of run: it adds edges one by one, and drops from the front only what is above the target.
class RunSearch {
 public:
  RunSearch(const std::vector<Item>& items, std::size_t target) noexcept
      : items_(&items), total_(items[0].bytes), target_(target) {}

  [[nodiscard]] Run best() noexcept {
    for (std::size_t i = 0; i < items_->size(); ++i) {
      if (std::size_t{(*items_)[i].bytes} * 3 >= total_) slide(i);
    }
    return best_;
  }

 private:
  void slide(std::size_t index) noexcept {
    const Item& node = (*items_)[index];
    const std::size_t stop = std::size_t{node.first_child} + node.children;
    Run run{.node = index, .first = node.first_child, .end = node.first_child};
    while (run.end < stop) {
      run.bytes += weight_of((*items_)[run.end]);
      ++run.end;
      consider(run);
      while (run.bytes > target_ && run.first + 1 < run.end) {
        run.bytes -= weight_of((*items_)[run.first]);
        ++run.first;
        consider(run);
      }
    }
  }

  void consider(const Run& run) noexcept {
    if (run.bytes * 3 < total_ || run.bytes * 3 > total_ * 2) return;
    if (best_.bytes == 0 || distance(run) < distance(best_)) best_ = run;
  }

  [[nodiscard]] std::size_t distance(const Run& run) const noexcept {
    return run.bytes > target_ ? run.bytes - target_ : target_ - run.bytes;
  }

  const std::vector<Item>* items_;
  std::size_t total_;
  std::size_t target_;
  Run best_;
};

// Keys that come in order leave full frames behind: everything on the near side of the way of the new key,
// at the node of the way where that is most.
class TrendSearch {
 public:
  explicit TrendSearch(const std::vector<Item>& items) : items_(&items) {}

  [[nodiscard]] Run best(const Path& path) {
    std::vector<std::size_t> way{0};
    for (const Step& step : path) {
      const std::size_t child = child_at(way.back(), step.byte);
      if (child == 0) break;  // the edge the new key will add
      way.push_back(child);
    }
    for (std::size_t depth = std::min(way.size(), path.size()); depth-- > 0;) {
      const Item& node = (*items_)[way[depth]];
      const std::size_t stop = std::size_t{node.first_child} + node.children;
      const std::uint8_t byte = path[depth].byte;
      is_ascending_ = is_ascending_ && (node.children == 0 || (*items_)[stop - 1].byte <= byte);
      is_descending_ =
          is_descending_ && (node.children == 0 || (*items_)[node.first_child].byte >= byte);
      if (is_ascending_ != is_descending_) gather(way[depth], byte);
    }
    return best_;
  }

 private:
  [[nodiscard]] std::size_t child_at(std::size_t index, std::uint8_t byte) const noexcept {
    const Item& node = (*items_)[index];
    for (std::size_t i = node.first_child; i < std::size_t{node.first_child} + node.children; ++i) {
      if ((*items_)[i].byte == byte) return i;
    }
    return 0;
  }

  // From the far end towards the way, as much as a frame may hold.
  void gather(std::size_t index, std::uint8_t byte) noexcept {
    const Item& node = (*items_)[index];
    const std::size_t stop = std::size_t{node.first_child} + node.children;
    Run run{.node = index, .first = node.first_child, .end = stop};
    if (is_ascending_) {
      for (run.end = run.first; run.end < stop && (*items_)[run.end].byte < byte; ++run.end) {
        if (!take(run, run.end)) break;
      }
    } else {
      for (run.first = stop; run.first > node.first_child && (*items_)[run.first - 1].byte > byte;
           --run.first) {
        if (!take(run, run.first - 1)) break;
      }
    }
    if (run.bytes > best_.bytes) best_ = run;
  }

  [[nodiscard]] bool take(Run& run, std::size_t index) const noexcept {
    const std::size_t bytes = run.bytes + weight_of((*items_)[index]);
    if (bytes > spill_max) return false;
    run.bytes = bytes;
    return true;
  }

  const std::vector<Item>* items_;
  bool is_ascending_ = true;
  bool is_descending_ = true;
  Run best_;
};

}  // namespace

SpillChoice choose_spill(const View& view, const RoomRequest& request) {
  const std::vector<Item> items = measure(view);
  if (items.empty()) return {};
  const std::size_t total = items[0].bytes;
  Run run = TrendSearch(items).best(*request.path);
  // Two fifths rather than half: siblings that grow alike do not then all become full at the same time.
  // Measured on the `fs` load, 0.1 to 2 M keys: fill 0.66 on average and 0.69 at the end; half gives 0.69 on
  // average but 0.54 at the end, a third 0.64 and 0.62.
  if (run.bytes * 2 < total) run = RunSearch(items, total / 5 * 2).best();
  SpillChoice choice{.bytes = run.bytes};
  for (std::size_t i = run.first; i < run.end; ++i) {
    if (!items[i].is_crossing) choice.edges.set(items[i].byte);
  }
  if (!view.node(items[run.node].ref, choice.node)) return {};
  return choice;
}

}  // namespace artfs::art
