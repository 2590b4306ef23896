// SPDX-License-Identifier: Apache-2.0
// Image: a frame's objects written densely into scratch memory, then installed as one.
//
// Contract:   copy() clones a subtree, nodes above nodes first, without free space, each node in its tightest
//             kind, one-child nodes fused into their child. On the way it may *cut* (the chosen edges of
//             one node become a crossing) and *graft* (one crossing is replaced by what its frame holds).
//             Nothing outside the scratch changes before install(), which cannot fail.
// Threading:  scratch memory belongs to the thread; one Image at a time.
// Cost:       O(bytes copied); 512 KiB of scratch for each thread that restructures.
// Errors:     copy() returns false when the source is damaged or does not fit; the work is bounded by the
//             frame size whatever the source says (loops run out of space).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "art/node.hpp"
#include "art/tree.hpp"
#include "frame/cache.hpp"

namespace artfs::art {

// These edges of this node are left out; a crossing to `frame` takes their place. When it is a single edge,
// the front of its child's label, up to a '/', may stay as a node of its own before the crossing: a roll-up at
// '/' then sees the directory's whole name without the frame below.
struct Cut {
  Ref node = no_ref;
  EdgeSet edges;
  FrameId frame;
  std::optional<std::string_view> kept{};
};

// The subtree behind this crossing is copied in its place.
struct Graft {
  Ref crossing = no_ref;
  const View* child = nullptr;
};

class Image {
 public:
  Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  // The whole frame, with at most one change.
  [[nodiscard]] bool copy_frame(const View& source, const Cut& cut, const Graft& graft);

  // One subtree of the source, with other bytes at the front of its label.
  struct Below {
    Ref ref = no_ref;
    std::string lead{};       // goes before its label or suffix ...
    std::size_t dropped = 0;  // ... of which so many bytes are left out
  };

  [[nodiscard]] bool copy_below(const View& source, Below below);
  // What the cut leaves out, as a frame that is entered with the edge byte (the byte behind `kept`) ahead.
  [[nodiscard]] bool copy_edges(const View& source, const Node& node, const Cut& cut);
  // Everything of a frame that several edges may lead to, and: everything of another one; what the cut leaves
  // out. None of their first bytes are the same.
  [[nodiscard]] bool copy_joined(const View& frame, const View& other);
  [[nodiscard]] bool copy_joined(const View& frame, const View& source, const Cut& cut);

  [[nodiscard]] std::size_t bytes_live() const noexcept { return bump_ - format::page_bytes; }

  // Replaces the content of the frame. Its id, uuid and page LSN stay.
  void install(const frame::Pin& pin) const;

 private:
  // An object to copy: where from, where its reference goes, and what changes at the front of its label.
  struct Work {
    const View* source = nullptr;
    Ref ref = no_ref;
    std::size_t slot_off = 0;
    std::string lead{};       // goes before the label or suffix
    std::size_t dropped = 0;  // bytes of the label or suffix left out
  };

  // What stands behind one edge of a root.
  struct Entry {
    std::uint8_t byte = 0;
    const View* source = nullptr;
    Ref ref = no_ref;
    std::size_t dropped = 0;
  };

  [[nodiscard]] bool add_entries(const View& frame);
  void add_entries(const View& source, const Node& node, const EdgeSet& edges);
  [[nodiscard]] bool copy_entries();
  [[nodiscard]] bool run();
  [[nodiscard]] bool has_node_below(const Work& work, const Node& node) const;
  [[nodiscard]] bool copy_end(const Work& end);
  [[nodiscard]] bool resolve(Work& work) const;
  [[nodiscard]] bool is_graft(const Work& work) const noexcept;
  [[nodiscard]] bool enter_graft(Work& work, std::uint8_t byte) const;
  [[nodiscard]] bool copy_leaf(const Work& work);
  [[nodiscard]] bool copy_node(const Work& work, const Node& node);
  [[nodiscard]] bool queue_children(const Work& work, const Node& node, Ref copy);
  [[nodiscard]] Ref append(std::size_t bytes) noexcept;
  [[nodiscard]] bool keep_before(Ref crossing, std::size_t slot_off) noexcept;
  [[nodiscard]] Ref append_crossing(FrameId frame) noexcept;
  [[nodiscard]] Ref copy_crossing(const Work& work);
  [[nodiscard]] Ref crossing_to(FrameId frame);
  [[nodiscard]] bool lead_to(Ref crossing, std::size_t slot_off) noexcept;
  [[nodiscard]] std::string_view joined(std::string_view lead, std::string_view rest);
  void set_slot(std::size_t slot_off, Ref ref) noexcept;

  std::byte* base_;  // 512 KiB; the header page holds only the root slot
  std::size_t bump_ = format::page_bytes;
  std::size_t leaves_ = 0;
  std::size_t nodes_ = 0;
  std::size_t crossings_ = 0;
  Cut cut_;
  Graft graft_;
  std::vector<Entry> entries_;
  std::vector<Work> work_;
  std::string label_;                            // of the object being written
  std::vector<std::pair<FrameId, Ref>> shared_;  // crossings of the node being written
};

}  // namespace artfs::art
