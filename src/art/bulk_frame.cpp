// SPDX-License-Identifier: Apache-2.0
#include "art/bulk_frame.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "art/descend.hpp"
#include "art/room.hpp"

namespace artfs::art {

Ref BulkFrame::append(std::size_t bytes) noexcept {
  const std::size_t rounded = format::round_to_unit(bytes);
  if (bump_ + rounded > format::frame_bytes) return no_ref;
  const auto ref = static_cast<Ref>(bump_ / format::unit_bytes);
  bump_ += rounded;
  return ref;
}

void BulkFrame::set_slot(std::size_t slot_off, Ref ref) noexcept {
  if (slot_off == root_slot_off) {
    root_ = ref;  // the header page is made last
  } else {
    *reinterpret_cast<format::le16*>(base_ + slot_off) = ref;
  }
}

bool BulkFrame::build(std::span<const BulkElement> elements, std::size_t depth) {
  if (elements.empty()) return true;
  work_.push_back({.first = 0, .end = elements.size(), .depth = depth, .slot_off = root_slot_off});
  while (!work_.empty()) {
    const Work work = work_.back();
    work_.pop_back();
    const BulkElement& first = elements[work.first];
    bool is_written = false;
    if (work.end - work.first > 1) {
      is_written = write_node(elements, work);
    } else {
      is_written = first.frame ? write_way(first, work) : write_record(first, work);
    }
    if (!is_written) return false;
  }
  return true;
}

bool BulkFrame::write_record(const BulkElement& element, const Work& work) {
  const char* const value = keys_ + element.off + element.key_bytes;
  const frame::Leaf leaf{.value = {value, element.value_bytes},
                         .suffix = key_of(element).substr(work.depth),
                         .version = identity_.version};
  const Ref ref = append(leaf.bytes());
  if (ref == no_ref) return false;
  encode_leaf(base_ + format::offset_of(ref), leaf);
  set_slot(work.slot_off, ref);
  ++leaves_;
  return true;
}

// Below an edge that does not lead to the frame itself: a node with one edge that does.
bool BulkFrame::write_way(const BulkElement& element, const Work& work) {
  const std::string_view key = key_of(element);
  const std::string_view label = key.substr(work.depth, key.size() - 1 - work.depth);
  const NodeContent content{.kind = ObjectKind::node4, .label = label};
  const Ref ref = append(frame::node_bytes(content.kind, label.size()));
  if (ref == no_ref) return false;
  Edges edges;
  const auto byte = static_cast<std::uint8_t>(key.back());
  edges.add(byte, no_ref);
  const std::size_t off = format::offset_of(ref);
  encode_node(base_ + off, content, edges);
  set_slot(work.slot_off, ref);
  ++nodes_;
  last_frame_ = {};
  return lead_to(element.frame, off + child_slot_off(content.kind, 0, byte));
}

bool BulkFrame::lead_to(FrameId frame, std::size_t slot_off) {
  if (frame != last_frame_) {
    last_crossing_ = append(frame::crossing_bytes);
    if (last_crossing_ == no_ref) return false;
    last_frame_ = frame;
    auto& fresh = *reinterpret_cast<format::Crossing*>(base_ + format::offset_of(last_crossing_));
    fresh = format::Crossing{};
    fresh.kind = static_cast<std::uint8_t>(ObjectKind::crossing);
    fresh.frame = frame.raw;
    ++crossings_;
  }
  auto& crossing = *reinterpret_cast<format::Crossing*>(base_ + format::offset_of(last_crossing_));
  crossing.edges = static_cast<std::uint16_t>(crossing.edges + 1);
  set_slot(slot_off, last_crossing_);
  return true;
}

bool BulkFrame::write_node(std::span<const BulkElement> elements, const Work& work) {
  std::size_t fork = elements[work.first + 1].shared;
  for (std::size_t i = work.first + 2; i < work.end; ++i) {
    fork = std::min<std::size_t>(fork, elements[i].shared);
  }
  const BulkElement& first = elements[work.first];
  const bool has_own = first.key_bytes == fork && !first.frame;
  // Where each edge begins.
  std::array<std::size_t, 257> begins;
  Edges edges;
  for (std::size_t i = work.first + (has_own ? 1 : 0); i < work.end; ++i) {
    const bool is_next_edge = edges.count == 0 || elements[i].shared == fork;
    if (!is_next_edge) continue;
    if (edges.count == 256) return false;
    begins[edges.count] = i;
    edges.add(static_cast<std::uint8_t>(keys_[elements[i].off + fork]), no_ref);
  }
  begins[edges.count] = work.end;
  const std::string_view label = key_of(first).substr(work.depth, fork - work.depth);
  const NodeContent content{.kind = kind_for(edges.count), .label = label};
  const Ref ref = append(frame::node_bytes(content.kind, label.size()));
  if (ref == no_ref) return false;
  const std::size_t off = format::offset_of(ref);
  encode_node(base_ + off, content, edges);
  set_slot(work.slot_off, ref);
  ++nodes_;
  last_frame_ = {};
  const std::size_t first_work = work_.size();
  for (std::size_t i = 0; i < edges.count; ++i) {
    const BulkElement& front = elements[begins[i]];
    const std::size_t slot_off = off + child_slot_off(content.kind, i, edges.bytes[i]);
    if (front.frame && front.key_bytes == fork + 1) {
      if (!lead_to(front.frame, slot_off)) return false;
    } else {
      work_.push_back(
          {.first = begins[i], .end = begins[i + 1], .depth = fork + 1, .slot_off = slot_off});
    }
  }
  // The last pushed is written first: bring them into key order, the own value before all.
  std::reverse(work_.begin() + static_cast<std::ptrdiff_t>(first_work), work_.end());
  if (has_own) {
    work_.push_back({.first = work.first,
                     .end = work.first + 1,
                     .depth = fork,
                     .slot_off = off + own_slot_off});
  }
  return true;
}

void install_frame(const frame::Pin& pin, std::span<const std::byte> image) noexcept {
  const format::FrameHeader& from = View(image).header();
  const std::size_t live = from.bytes_live;
  if (live > 0) {
    std::memcpy(pin.write(format::page_bytes, live), image.data() + format::page_bytes, live);
  }
  format::FrameHeader& header = Editor(pin).write_header();
  header.generation = header.generation + 1;
  header.page_lsn = std::max<std::uint64_t>(header.page_lsn, from.page_lsn);
  header.root = from.root;
  header.bytes_live = from.bytes_live;
  header.bytes_free = from.bytes_free;
  header.bump = from.bump;
  header.leaves = from.leaves;
  header.nodes = from.nodes;
  header.crossings = from.crossings;
  header.free_heads = from.free_heads;
  header.checked_by = process_number();
}

void clear_frame(const frame::Pin& pin) noexcept {
  format::FrameHeader& header = Editor(pin).write_header();
  header.root = no_ref;
  header.bytes_live = 0;
  header.bytes_free = 0;
  header.bump = static_cast<std::uint32_t>(format::page_bytes);
  header.leaves = 0;
  header.nodes = 0;
  header.crossings = 0;
  header.free_heads = {};
}

void BulkFrame::seal() noexcept {
  const std::span<std::byte> frame(base_, format::frame_bytes);
  format::format_header(frame, identity_.uuid, identity_.id);
  auto& header = *reinterpret_cast<format::FrameHeader*>(base_);
  header.page_lsn = identity_.version.raw;
  header.root = root_;
  header.bytes_live = static_cast<std::uint32_t>(bump_ - format::page_bytes);
  header.bump = static_cast<std::uint32_t>(bump_);
  header.leaves = static_cast<std::uint32_t>(leaves_);
  header.nodes = static_cast<std::uint32_t>(nodes_);
  header.crossings = static_cast<std::uint32_t>(crossings_);
  header.checked_by = process_number();
  const std::size_t used = format::pages_used(frame.first(format::page_bytes));
  std::memset(base_ + bump_, 0, used * format::page_bytes - bump_);
  std::array<format::PageChecksum, format::pages_per_frame - 1> checksums;
  for (std::uint32_t page = 1; page < used; ++page) {
    checksums[page - 1] = {
        page, format::page_checksum(frame.subspan(page * format::page_bytes, format::page_bytes))};
  }
  format::seal_header(frame.first(format::page_bytes), std::span(checksums).first(used - 1));
}

}  // namespace artfs::art
