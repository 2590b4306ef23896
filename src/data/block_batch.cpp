// SPDX-License-Identifier: Apache-2.0
#include "data/block_batch.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "data/contents.hpp"

namespace artfs::data {

namespace {

// Bytes of the piece that stand in the block.
std::size_t wanted_bytes(const BlockPiece& piece) noexcept {
  const std::uint32_t valid = piece.block.valid_bytes;
  return std::min<std::size_t>(piece.out.size(), valid > piece.from ? valid - piece.from : 0);
}

}  // namespace

BlockBatch::BlockBatch(const Source& source, std::span<const BlockPiece> pieces)
    : source_(source), pieces_(pieces) {
  pending_.reserve(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const BlockPiece& piece = pieces[i];
    ARTFS_ASSERT(piece.block.is_written());
    const std::size_t wanted = wanted_bytes(piece);
    std::fill(piece.out.begin() + static_cast<std::ptrdiff_t>(wanted), piece.out.end(),
              std::byte{0});
    if (wanted > 0) pending_.push_back(i);
  }
}

bool BlockBatch::is_whole(const BlockPiece& piece) const noexcept {
  return piece.from == 0 && wanted_bytes(piece) == piece.block.stored_bytes;
}

Result<void> BlockBatch::run() {
  while (!pending_.empty()) {
    ARTFS_TRY(serve_cached());
    if (pending_.empty()) break;
    choose_loads();
    if (loads_.empty()) {  // all are on their way to others
      source_.pool.registry().wait_until_loaded(pieces_[pending_.front()].block.hash);
      continue;
    }
    give_buffers();
    ARTFS_TRY(transfer());
    for (Load& load : loads_) ARTFS_TRY(take_over(load, reads_[load.transfer]));
    loads_.clear();
  }
  return {};
}

void BlockBatch::copy_wanted(const BlockPiece& piece, std::span<const std::byte> stored) const {
  std::memcpy(piece.out.data(), stored.data() + piece.from, wanted_bytes(piece));
}

Result<void> BlockBatch::serve_cached() {
  if (!source_.pool.enabled()) return {};
  std::vector<base::Hash128> hashes;
  hashes.reserve(pending_.size());
  for (const std::size_t i : pending_) hashes.push_back(pieces_[i].block.hash);
  const auto found = source_.pool.find_scattered(hashes);
  std::size_t missing = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const BlockPiece& piece = pieces_[pending_[i]];
    if (!found[i]) {
      pending_[missing++] = pending_[i];
      continue;
    }
    const std::span<const std::byte> stored = found[i]->bytes();
    if (stored.size() != piece.block.stored_bytes) return fail(Errc::block_corrupt, piece.index);
    copy_wanted(piece, stored);
  }
  pending_.resize(missing);
  return {};
}

void BlockBatch::choose_loads() {
  std::size_t left = 0;
  for (const std::size_t i : pending_) {
    const BlockPiece& piece = pieces_[i];
    Load load;
    load.piece = i;
    if (is_whole(piece)) {
      load.target = piece.out.first(piece.block.stored_bytes);
    } else if (source_.pool.enabled()) {
      load.loading = source_.pool.registry().try_load(piece.block.hash);
      // Cached: it came between our look and now, and costs no second transfer.
      if (!load.loading || load.loading->is_cached()) {
        pending_[left++] = i;
        continue;
      }
    }
    loads_.push_back(std::move(load));
  }
  pending_.resize(left);
}

void BlockBatch::give_buffers() {
  const auto wants = [](const Load& load) { return load.target.empty(); };
  const auto count = static_cast<std::size_t>(std::count_if(loads_.begin(), loads_.end(), wants));
  if (count == 0) return;
  std::vector<pool::MutableBlock> buffers;
  if (auto all = source_.pool.allocate(count)) buffers = *std::move(all);
  for (Load& load : loads_) {
    if (!wants(load)) continue;
    const std::uint32_t stored = pieces_[load.piece].block.stored_bytes;
    if (!buffers.empty()) {
      load.buffer = std::move(buffers.back());
      buffers.pop_back();
      load.target = load.buffer->bytes().first(stored);
    } else {
      load.own = io::AlignedBuffer(stored);
      load.target = load.own.span();
    }
  }
}

Result<void> BlockBatch::transfer() {
  reads_.clear();
  for (Load& load : loads_) {
    const std::uint64_t offset = pieces_[load.piece].block.place.first * unit_bytes;
    const bool continues =
        !reads_.empty() && offset == reads_.back().offset + reads_.back().out.size() &&
        load.target.data() == reads_.back().out.data() + reads_.back().out.size();
    if (continues) {
      std::span<std::byte>& out = reads_.back().out;
      out = std::span(out.data(), out.size() + load.target.size());
    } else {
      reads_.push_back({.offset = offset, .out = load.target});
    }
    load.transfer = reads_.size() - 1;
    load.end = reads_.back().out.size();
  }
  return source_.file.read_many(reads_);
}

Result<void> BlockBatch::take_over(Load& load, const io::FileRead& read) {
  const BlockPiece& piece = pieces_[load.piece];
  const base::Hash128 hash = base::xxh3_128(load.target, source_.hash_seed);
  if (read.got < load.end || hash != piece.block.hash) {
    return fail(Errc::block_corrupt, piece.index);
  }
  if (is_whole(piece)) return {};
  copy_wanted(piece, load.target);
  if (!load.buffer) return {};
  pool::CompleteBlock complete =
      std::move(*load.buffer)
          .complete({.hash = hash,
                     .bytes = piece.block.stored_bytes,
                     .lineage = {.file = source_.ino.raw, .position = piece.index}});
  static_cast<void>(source_.pool.register_block(std::move(complete)));
  return {};
}

}  // namespace artfs::data
