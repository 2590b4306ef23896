// SPDX-License-Identifier: Apache-2.0
// Logged writes: planning, marking, restoring.
#include "data/logged.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "data/file_bytes_impl.hpp"

namespace artfs::data {
namespace {

using format::LoggedWrite;

// Everything of the layer is in a record, or below it.
bool is_logged(const Layer& layer, std::uint64_t size_below) {
  if (layer.reshapes() || layer.size > std::max(layer.logged_size, size_below)) return false;
  return std::all_of(layer.blocks.begin(), layer.blocks.end(), [](const auto& entry) {
    const DirtyBlock& block = entry.second;
    return std::all_of(block.valid.all().begin(), block.valid.all().end(),
                       [&block](const ByteSpan& span) { return block.logged.covers(span); });
  });
}

// Fills records one after the other; a span may go over several.
class RecordFiller {
 public:
  RecordFiller(std::uint64_t size, std::vector<std::string>& out) : out_(out) { next_.size = size; }

  void add(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t used = format::encoded_bytes(next_) + sizeof(format::LoggedSpanHeader);
      if (used >= value_bytes_max) {
        flush();
        continue;
      }
      const std::size_t piece = std::min(bytes.size(), value_bytes_max - used);
      next_.spans.push_back({.offset = offset, .bytes = bytes.substr(0, piece)});
      offset += piece;
      bytes.remove_prefix(piece);
    }
  }

  void flush() {
    out_.push_back(format::encode(next_));
    next_.spans.clear();
  }

 private:
  std::vector<std::string>& out_;
  LoggedWrite next_;
};

struct Unlogged {
  std::uint64_t offset;
  std::string_view bytes;
};

// Of each block what is not logged yet, in order.
std::vector<Unlogged> unlogged_of(const Layer& layer, std::uint64_t block_bytes, LogPlan& plan) {
  std::vector<Unlogged> found;
  for (const auto& [index, block] : layer.blocks) {
    const std::size_t before = found.size();
    for (const ByteSpan& valid : block.valid.all()) {
      block.logged.split(
          valid, [](ByteSpan) {},
          [&, index = index, &block = block](ByteSpan missing) {
            plan.bytes += missing.end - missing.begin;
            found.push_back({.offset = index * block_bytes + missing.begin,
                             .bytes = base::as_chars(block.at(missing))});
          });
    }
    if (found.size() > before) ++plan.blocks;
    if (plan.bytes > logged_bytes_max || found.size() > logged_spans_max) break;
  }
  return found;
}

}  // namespace

LogPlan FileBytesImpl::plan_log(const Contents& contents, const Buffer& buffer) const {
  LogPlan plan;
  const Layer* const in_flight = buffer.in_flight_.get();
  if (in_flight != nullptr && !is_logged(*in_flight, contents.size)) return plan;
  const Layer* const layer = buffer.active_.get();
  const std::uint64_t size_below = in_flight != nullptr ? in_flight->size : contents.size;
  if (layer == nullptr || is_logged(*layer, size_below)) {
    plan.kind = LogPlan::Kind::nothing;
    return plan;
  }
  if (layer->reshapes()) return plan;
  const std::vector<Unlogged> found = unlogged_of(*layer, layout_.block_bytes, plan);
  if (plan.bytes > logged_bytes_max || found.size() > logged_spans_max) return plan;
  plan.kind = LogPlan::Kind::fits;
  RecordFiller filler(layer->size, plan.records);
  for (const Unlogged& span : found) filler.add(span.offset, span.bytes);
  filler.flush();
  return plan;
}

void FileBytesImpl::logged(Buffer& buffer) noexcept {
  ARTFS_ASSERT(buffer.active_ && !buffer.active_->reshapes());
  Layer& layer = *buffer.active_;
  layer.logged_size = layer.size;
  for (auto& [index, block] : layer.blocks) {
    if (block.valid.empty()) continue;
    block.logged = block.valid;
    block.has_logged = true;
  }
}

bool FileBytesImpl::stays_inline(const Contents& contents, const Buffer& buffer) const noexcept {
  return buffer.active_ && !buffer.in_flight_ && contents.is_inline && contents.units == 0 &&
         buffer.active_->size <= layout_.inline_bytes_max && buffer.active_->preallocate.empty();
}

std::vector<std::string> FileBytesImpl::removals(const FlushState& state) const {
  std::vector<std::string> records;
  const Layer& layer = *state.layer;
  if (!state.deferred || (layer.cut == no_cut && layer.punched.empty() && layer.zeroed.empty())) {
    return records;
  }
  constexpr std::size_t cleared_max =
      (value_bytes_max - sizeof(format::LoggedHeader)) / sizeof(format::LoggedBlocks);
  LoggedWrite write{.size = state.after.size, .cut = layer.cut, .cleared = {}, .spans = {}};
  for (const BlockRanges* ranges : {&layer.punched, &layer.zeroed}) {
    for (const auto& [first, end] : ranges->all()) {
      if (write.cleared.size() == cleared_max) {
        records.push_back(format::encode(write));
        write.cleared.clear();
      }
      write.cleared.push_back({.first = first, .count = end - first});
    }
  }
  records.push_back(format::encode(write));
  return records;
}

// As far as space can be had: what was promised before a crash may not fail now, and a flush that finds none
// keeps the bytes.
std::uint64_t FileBytesImpl::promise_again(Ino ino, const Contents& contents, const Buffer& buffer,
                                           std::span<const Promise> wanted) {
  if (options_.read_only) return 0;
  const Result<std::uint64_t> granted = promise(ino, contents, buffer, wanted);
  return granted ? *granted : 0;
}

Result<void> FileBytesImpl::restore(Ino ino, const Contents& contents, Buffer& buffer,
                                    const LoggedWrite& write) {
  const std::uint64_t block_bytes = layout_.block_bytes;
  Layer& layer = activate(contents, buffer);
  const std::uint64_t held = layer.held_bytes;
  if (write.cut < layer.size) space_.unreserve(layer.cut_at(write.cut, layout_.block_bytes));
  for (const format::ClearedBlocks& blocks : write.cleared) {
    const BlockRange range{.first = blocks.first, .count = blocks.count};
    const std::uint64_t freed = ARTFS_TRY(voided_units(ino, contents, buffer, range, true));
    space_.unreserve(layer.void_blocks(range, true));
    layer.voided_units += freed;
  }
  const auto reserve = [&](std::uint64_t from, std::uint64_t to) {
    const std::vector<Promise> wanted = promises_for(contents, buffer, from, to);
    apply_promises(layer, wanted, promise_again(ino, contents, buffer, wanted));
  };
  for (const format::LoggedSpan& span : write.spans) {
    const std::uint64_t end = span.offset + span.bytes.size();
    reserve(span.offset, end);
    std::span<const std::byte> bytes = base::as_bytes(span.bytes);
    for (std::uint64_t at = span.offset; at < end;) {
      const auto from = static_cast<std::uint32_t>(at % block_bytes);
      const std::size_t piece = std::min<std::size_t>(bytes.size(), block_bytes - from);
      layer.write(at / block_bytes, from, bytes.first(piece), layout_.block_bytes);
      DirtyBlock& block = layer.blocks[at / block_bytes];
      block.logged.add({from, static_cast<std::uint32_t>(from + piece)});
      block.has_logged = true;
      bytes = bytes.subspan(piece);
      at += piece;
    }
    layer.size = std::max(layer.size, end);
  }
  if (write.size > layer.size) {
    reserve(write.size, write.size);
    layer.size = write.size;
  }
  layer.logged_size = layer.size;
  account(held, layer.held_bytes);
  return {};
}

}  // namespace artfs::data
