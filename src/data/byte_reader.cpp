// SPDX-License-Identifier: Apache-2.0
#include "data/byte_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.hpp"

namespace artfs::data {

ByteReader::ByteReader(BlockFile& file, Tree volume, std::uint32_t block_bytes,
                       const FileView& view) noexcept
    : file_(file),
      block_bytes_(block_bytes),
      ino_(view.ino),
      contents_(*view.contents),
      extents_(volume, view.ino) {
  for (const Layer* layer : view.layers) {
    if (layer != nullptr) layers_[layers_count_++] = layer;
  }
}

std::uint64_t ByteReader::size() const noexcept {
  return layers_count_ > 0 ? layers_[0]->size : contents_.size;
}

std::uint64_t ByteReader::visible_below(std::size_t level) const noexcept {
  if (level >= layers_count_) return contents_.size;
  const std::uint64_t below = level + 1 < layers_count_ ? layers_[level + 1]->size : contents_.size;
  return std::min(layers_[level]->cut, below);
}

Result<std::size_t> ByteReader::read(std::uint64_t offset, std::span<std::byte> out) {
  const ReadPlan plan = ARTFS_TRY(this->plan(offset, out));
  ARTFS_TRY(fetch(plan));
  return plan.bytes;
}

Result<void> ByteReader::read_block(std::uint64_t index, std::uint32_t from,
                                    std::span<std::byte> out) {
  plan_ = {};
  ARTFS_TRY(fill(0, index, from, out));
  return fetch(plan_);
}

Result<ReadPlan> ByteReader::plan(std::uint64_t offset, std::span<std::byte> out) {
  plan_ = {};
  const std::uint64_t size = this->size();
  if (offset >= size) return ReadPlan{};
  const std::size_t count = std::min<std::uint64_t>(out.size(), size - offset);
  std::size_t done = 0;
  while (done < count) {
    const std::uint64_t at = offset + done;
    const auto from = static_cast<std::uint32_t>(at % block_bytes_);
    const std::size_t piece = std::min<std::size_t>(count - done, block_bytes_ - from);
    ARTFS_TRY(fill(0, at / block_bytes_, from, out.subspan(done, piece)));
    done += piece;
  }
  plan_.bytes = count;
  return std::move(plan_);
}

Result<void> ByteReader::fetch(const ReadPlan& plan) {
  const Result<void> read = file_.read(ino_, plan);
  if (!read && read.error().code == Errc::block_corrupt) {
    base::log_error("inode {}: block {} does not match its checksum", ino_.raw,
                    read.error().detail);
  }
  return read;
}

Result<void> ByteReader::fill(std::size_t level, std::uint64_t index, std::uint32_t from,
                              std::span<std::byte> out) {
  if (level == layers_count_) return fill_base(index, from, out);
  const Layer& layer = *layers_[level];
  const std::uint64_t start = index * block_bytes_;
  const std::uint64_t limit = visible_below(level);
  const auto below_end = layer.voids(index) ? std::uint32_t{0}
                                            : static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                                  limit - std::min(limit, start), block_bytes_));

  Result<void> result;
  const auto from_below = [&](ByteSpan span) {
    const std::span<std::byte> part = out.subspan(span.begin - from, span.end - span.begin);
    const std::size_t seen =
        std::min<std::size_t>(part.size(), below_end - std::min(below_end, span.begin));
    std::fill(part.begin() + static_cast<std::ptrdiff_t>(seen), part.end(), std::byte{0});
    if (seen > 0 && result) result = fill(level + 1, index, span.begin, part.first(seen));
  };
  const ByteSpan whole{from, from + static_cast<std::uint32_t>(out.size())};
  const auto found = layer.blocks.find(index);
  if (found == layer.blocks.end()) {
    from_below(whole);
    return result;
  }
  const DirtyBlock& block = found->second;
  const auto from_here = [&](ByteSpan span) {
    const std::span<const std::byte> bytes = block.at(span);
    std::memcpy(out.data() + (span.begin - from), bytes.data(), bytes.size());
  };
  block.valid.split(whole, from_here, from_below);
  return result;
}

Result<void> ByteReader::fill_base(std::uint64_t index, std::uint32_t from,
                                   std::span<std::byte> out) {
  if (contents_.is_inline) {
    const std::string& bytes = contents_.inline_bytes;
    const std::size_t have = index == 0 && bytes.size() > from ? bytes.size() - from : 0;
    const std::size_t seen = std::min(have, out.size());
    if (seen > 0) std::memcpy(out.data(), bytes.data() + from, seen);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(seen), out.end(), std::byte{0});
    return {};
  }
  fill_stored(*ARTFS_TRY(extents_.find(index)), index, from, out);
  return {};
}

// Patches come on top of what the base has, but for those at both ends: nothing of the base is read for
// them.
void ByteReader::fill_stored(const Block& block, std::uint64_t index, std::uint32_t from,
                             std::span<std::byte> out) {
  constexpr auto unit = static_cast<std::uint32_t>(unit_bytes);
  const std::uint32_t end = from + static_cast<std::uint32_t>(out.size());
  std::uint32_t base_from = from;
  std::uint32_t base_end = end;
  for (const Patch& patch : block.patches) {
    const std::uint32_t start = patch.unit * unit;
    const std::uint32_t begin = std::max(from, start);
    const std::uint32_t stop = std::min(end, start + unit);
    if (begin >= stop) continue;
    if (base_from == begin) base_from = stop;
    plan_.patches.push_back({.patch = patch,
                             .index = index,
                             .from = begin - start,
                             .out = out.subspan(begin - from, stop - begin)});
  }
  for (auto patch = block.patches.rbegin(); patch != block.patches.rend(); ++patch) {
    const std::uint32_t start = patch->unit * unit;
    if (start < base_end && base_end <= start + unit) base_end = std::max(start, from);
  }
  if (base_from >= base_end) return;
  const std::span<std::byte> rest = out.subspan(base_from - from, base_end - base_from);
  if (!block.is_written()) {
    std::fill(rest.begin(), rest.end(), std::byte{0});
    return;
  }
  plan_.pieces.push_back({.block = block.base(), .index = index, .from = base_from, .out = rest});
}

}  // namespace artfs::data
