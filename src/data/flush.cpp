// SPDX-License-Identifier: Apache-2.0
// The steps of a flush around write_out: begin, finish, committed, aborted.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "data/file_bytes_impl.hpp"

namespace artfs::data {

namespace {

// The next run continues the last one where it can: fewer records of the space tree change.
void append_run(std::vector<UnitRun>& runs, UnitRun run) {
  if (!runs.empty() && runs.back().first + runs.back().count == run.first) {
    runs.back().count += run.count;
  } else {
    runs.push_back(run);
  }
}

// The blocks from here on are for the next flush.
std::map<std::uint64_t, DirtyBlock>::const_iterator first_left_over(const Layer& layer) {
  std::size_t blocks = 0;
  std::size_t runs = 0;
  std::uint64_t last_run = no_cut;
  auto at = layer.blocks.begin();
  for (; at != layer.blocks.end() && blocks < blocks_per_flush_max; ++at, ++blocks) {
    if (run_of(at->first) == last_run) continue;
    if (runs == runs_per_flush_max) break;
    last_run = run_of(at->first);
    ++runs;
  }
  return at;
}

}  // namespace

// More than one transaction takes: the rest stays active. Blocks with logged writes go first (LOGGED), which
// are few.
void FileBytesImpl::split(const Contents& contents, Buffer& buffer, Layer& layer,
                          std::uint64_t first) {
  const bool any_logged = std::any_of(layer.blocks.begin(), layer.blocks.end(),
                                      [](const auto& entry) { return entry.second.has_logged; });
  const auto goes = [&](std::uint64_t index, const DirtyBlock& block) {
    return any_logged ? !block.has_logged : index >= first;
  };
  const bool any_goes =
      std::any_of(layer.blocks.begin(), layer.blocks.end(),
                  [&](const auto& entry) { return goes(entry.first, entry.second); });
  if (!any_goes) return;
  buffer.active_ = std::make_unique<Layer>(layer.split_off(goes));
  // What goes first ends where its last block does, unless the file was longer already.
  const auto& [last_index, last] = *layer.blocks.rbegin();
  const std::uint64_t last_end =
      std::max(last_index * layout_.block_bytes + last.valid.end(), layer.logged_size);
  layer.size = std::max(std::min(contents.size, layer.cut), std::min(layer.size, last_end));
}

Flush FileBytesImpl::begin_flush(Ino ino, const Contents& contents, Buffer& buffer) {
  if (!buffer.active_) return Flush{};
  ARTFS_ASSERT(!buffer.in_flight_);
  std::unique_ptr<Layer> layer = std::move(buffer.active_);
  const auto cut_off = first_left_over(*layer);
  if (cut_off != layer->blocks.end()) split(contents, buffer, *layer, cut_off->first);
  auto state = std::make_unique<FlushState>(*this, volume_, ino, buffer);
  state->layer = layer.get();
  state->before = contents;
  state->after = contents;
  state->tail_is_clean = buffer.tail_is_clean_;
  buffer.in_flight_ = std::move(layer);
  return Flush(std::move(state));
}

Result<void> FileBytesImpl::finish_flush(Flush& flush, Contents& contents, Change& change) {
  FlushState& state = *flush.state_;
  ARTFS_ASSERT(state.written_out);
  ARTFS_ASSERT(file_.is_synced(state.write_ticket));  // W-DATA
  ARTFS_ASSERT(contents == state.before);
  state.edits.write_to(change.txn);
  std::sort(state.freed.begin(), state.freed.end(),
            [](const UnitRun& left, const UnitRun& right) { return left.first < right.first; });
  for (const UnitRun& run : state.allocated) append_run(change.allocated, run);
  for (const UnitRun& run : state.freed) append_run(change.freed, run);
  const auto append = [](std::vector<StoredBlock>& to, const std::vector<StoredBlock>& blocks) {
    to.insert(to.end(), blocks.begin(), blocks.end());
  };
  append(change.gained, state.gained);
  append(change.lost, state.lost);
  append(change.settled, state.settled);
  contents = state.after;
  return {};
}

// The layer goes back below what was accepted since.
void FileBytesImpl::put_back(FlushState& state, Layer&& layer) noexcept {
  Buffer& buffer = *state.buffer;
  if (!buffer.active_) {
    buffer.active_ = std::make_unique<Layer>(std::move(layer));
    return;
  }
  const std::uint64_t held = layer.held_bytes + buffer.active_->held_bytes;
  space_.unreserve(buffer.active_->absorb(std::move(layer), layout_.block_bytes));
  account(held, buffer.active_->held_bytes);
}

void FileBytesImpl::committed(FlushState& state) noexcept {
  const std::unique_ptr<Layer> layer = std::move(state.buffer->in_flight_);
  for (const StoredBlock& block : state.held) space_.release(block);
  // A flush that went through removed what stood behind the old size, if it had to look; one that
  // only shortens the file looked too. Without a look nothing new can have appeared there.
  const bool looked = layer->cut != no_cut || state.after.size > state.before.size;
  state.buffer->tail_is_clean_ = !state.deferred && (looked || state.tail_is_clean);
  if (state.deferred) {
    layer->voided_units = 0;  // some of it is done
    put_back(state, std::move(*layer));
    return;
  }
  account(layer->held_bytes, 0);
  space_.unreserve(layer->reserved_units - state.converted_units - state.kept_units);
  if (state.left_over.empty()) return;
  Layer rest;
  rest.size = layer->size;
  rest.preallocate = std::move(state.left_over);
  rest.preallocate_units = state.kept_units;
  rest.reserved_units = state.kept_units;
  put_back(state, std::move(rest));
}

void FileBytesImpl::aborted(FlushState& state) noexcept {
  for (const StoredBlock& block : state.held) space_.release(block);
  space_.give_back(state.taken, state.converted_units);
  const std::unique_ptr<Layer> layer = std::move(state.buffer->in_flight_);
  put_back(state, std::move(*layer));
}

void FileBytesImpl::discard(Buffer& buffer) noexcept {
  ARTFS_ASSERT(!buffer.in_flight_);
  if (!buffer.active_) return;
  space_.unreserve(buffer.active_->reserved_units);
  account(buffer.active_->held_bytes, 0);
  buffer.active_.reset();
}

}  // namespace artfs::data
