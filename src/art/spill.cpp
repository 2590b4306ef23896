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

struct Child {
  std::uint8_t byte = 0;
  std::size_t bytes = 0;
};

// The candidates of the node the cut is made at.
struct Bench {
  Ref node = no_ref;
  std::vector<Child> children{};  // no crossings, in edge order
  std::size_t total = 0;          // live bytes of the frame
};

// Goes down while one child holds more than two thirds of the frame: below, a mixture in bounds exists.
// Proof: let L > 0.79 C be the live bytes. The node reached holds more than 2/3 L (the root: L) and none of
// its children does (such a child is no leaf: a leaf is at most 0.134 C). If a child holds at least L/3,
// take it. Otherwise all hold less; node, own value and crossings take at most 0.143 C, which leaves more
// than 2/3 L - 0.143 C > L/3 in the children, and adding them one by one passes [L/3, 2/3 L].
Bench find_bench(const std::vector<Item>& items) {
  const std::size_t total = items[0].bytes;
  std::size_t at = 0;
  for (;;) {
    const Item& item = items[at];
    Bench bench{.node = item.ref, .total = total};
    std::size_t heavy = 0;
    for (std::size_t i = item.first_child; i < std::size_t{item.first_child} + item.children; ++i) {
      if (items[i].is_crossing) continue;
      if (std::size_t{items[i].bytes} * 3 > total * 2) heavy = i;
      bench.children.push_back({.byte = items[i].byte, .bytes = items[i].bytes});
    }
    if (heavy == 0) return bench;
    at = heavy;  // further down: ends at the latest at a leaf
  }
}

// The run of neighbouring children whose sum is nearest to half of the frame.
SpillChoice choose_balanced(const Bench& bench) {
  const std::size_t half = bench.total / 2;
  SpillChoice best;
  std::size_t best_distance = bench.total;
  std::size_t first = 0;
  std::size_t first_best = 0;
  std::size_t end_best = 0;
  std::size_t sum = 0;
  const auto consider = [&](std::size_t end) {
    const std::size_t distance = sum > half ? sum - half : half - sum;
    if (distance >= best_distance) return;
    best_distance = distance;
    best.bytes = sum;
    first_best = first;
    end_best = end;
  };
  for (std::size_t end = 0; end < bench.children.size(); ++end) {
    sum += bench.children[end].bytes;
    consider(end + 1);
    while (sum > half && first < end) {
      sum -= bench.children[first].bytes;
      ++first;
      consider(end + 1);
    }
  }
  for (std::size_t i = first_best; i < end_best; ++i) best.edges.set(bench.children[i].byte);
  return best;
}

// Everything from one end up to `kept`, the edge that the run of keys goes on in.
SpillChoice choose_run(const Bench& bench, std::uint8_t kept, bool is_ascending) {
  SpillChoice choice;
  const std::size_t count = bench.children.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Child& child = bench.children[is_ascending ? i : count - 1 - i];
    if (child.byte == kept) continue;
    if (choice.bytes + child.bytes > std::min(spill_max, bench.total / 100 * 85)) break;
    choice.bytes += child.bytes;
    choice.edges.set(child.byte);
  }
  return choice;
}

struct Trend {
  bool is_ascending = false;
  bool is_descending = false;
  std::uint8_t edge = 0;  // of the bench that the key goes below
};

// Whether the new key lies beyond all others below the bench, on one side. Told from the edges only: the
// last leaf or label does not matter.
Trend trend_of(const View& view, const RoomRequest& request, Ref bench) {
  Trend trend;
  std::size_t step = 0;
  while (step < request.path->size() && (*request.path)[step].node != bench) ++step;
  if (step >= request.path->size()) return trend;
  trend = {.is_ascending = true, .is_descending = true, .edge = (*request.path)[step].byte};
  for (; step < request.path->size(); ++step) {
    Node node;
    if (!view.node((*request.path)[step].node, node)) return {};
    const std::uint8_t byte = (*request.path)[step].byte;
    if (byte < last_edge(node).byte) trend.is_ascending = false;
    if (byte > next_edge(node, 0).byte || node.own != no_ref) trend.is_descending = false;
  }
  return trend;
}

}  // namespace

SpillChoice choose_spill(const View& view, const RoomRequest& request) {
  const std::vector<Item> items = measure(view);
  if (items.empty()) return {};
  const Bench bench = find_bench(items);
  const Trend trend = trend_of(view, request, bench.node);
  SpillChoice choice;
  if (trend.is_ascending != trend.is_descending) {
    choice = choose_run(bench, trend.edge, trend.is_ascending);
  }
  if (choice.bytes * 3 < bench.total) choice = choose_balanced(bench);
  const bool is_in_bounds = choice.bytes * 3 >= bench.total && choice.bytes <= spill_max;
  if (!is_in_bounds || !view.node(bench.node, choice.node)) return {};
  return choice;
}

}  // namespace artfs::art
