// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <bitset>
#include <iterator>
#include <vector>

#include "art/node.hpp"
#include "art/room.hpp"
#include "art/tree.hpp"

namespace artfs::art {

namespace {

// Printable bytes as they are, the rest as \xNN.
std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
    if (is_plain) {
      text.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", byte);
    }
  }
  text.push_back('"');
  return text;
}

struct Todo {
  Ref ref = no_ref;
  std::size_t depth = 0;
  std::string edge;
};

// Depth first, each object once, so that a loop in a damaged frame ends.
class FrameText {
 public:
  FrameText(std::span<const std::byte> bytes, bool with_values)
      : view_(bytes), with_values_(with_values) {}

  [[nodiscard]] std::string run() {
    const format::FrameHeader& header = view_.header();
    fmt::format_to(out(),
                   "frame {} generation {} page-lsn {} live {} free {} of {} leaves {} nodes {} "
                   "crossings {}\n",
                   header.id.value(), header.generation.value(), header.page_lsn.value(),
                   header.bytes_live.value(), header.bytes_free.value(), capacity,
                   header.leaves.value(), header.nodes.value(), header.crossings.value());
    if (view_.root() != no_ref) todo_.push_back({.ref = view_.root(), .depth = 1, .edge = "root"});
    while (!todo_.empty()) {
      const Todo todo = std::move(todo_.back());
      todo_.pop_back();
      fmt::format_to(out(), "{:{}}{} ", "", todo.depth * 2, todo.edge);
      print(todo);
    }
    return std::move(text_);
  }

 private:
  [[nodiscard]] std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  void print(const Todo& todo) {
    frame::Leaf leaf;
    Node node;
    if (const FrameId child = view_.crossing(todo.ref)) {
      fmt::format_to(out(), "-> frame {}\n", child.raw);
    } else if (seen_[todo.ref]) {
      fmt::format_to(out(), "object {:#x} again: damaged\n", todo.ref);
    } else if (view_.leaf(todo.ref, leaf)) {
      fmt::format_to(out(), "leaf {} version {} value {} bytes", quoted(leaf.suffix),
                     leaf.version.raw, leaf.value.size());
      if (with_values_) fmt::format_to(out(), " {}", quoted(leaf.value));
      text_.push_back('\n');
    } else if (view_.node(todo.ref, node)) {
      print_node(todo, node);
    } else {
      fmt::format_to(out(), "object {:#x}: damaged\n", todo.ref);
    }
    seen_[todo.ref] = true;
  }

  void print_node(const Todo& todo, const Node& node) {
    fmt::format_to(out(), "node{} {} edges {}\n", frame::node_capacity(node.kind),
                   quoted(node.label), node.count);
    const Edges edges = edges_of(node);
    for (std::size_t i = edges.count; i-- > 0;) {
      const auto byte = static_cast<char>(edges.bytes[i]);
      todo_.push_back(
          {.ref = edges.children[i], .depth = todo.depth + 1, .edge = quoted({&byte, 1})});
    }
    if (node.own != no_ref)
      todo_.push_back({.ref = node.own, .depth = todo.depth + 1, .edge = "own"});
  }

  View view_;
  bool with_values_;
  std::string text_;
  std::vector<Todo> todo_;
  std::bitset<0x10000> seen_;
};

}  // namespace

std::string frame_to_text(std::span<const std::byte> bytes, bool with_values) {
  return FrameText(bytes, with_values).run();
}

}  // namespace artfs::art
