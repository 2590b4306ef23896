// SPDX-License-Identifier: Apache-2.0
#include "data/patch_batch.hpp"

#include <algorithm>
#include <cstring>

#include "base/checksum.hpp"
#include "data/contents.hpp"

namespace artfs::data {

namespace {

bool is_whole(const PatchPiece& piece) noexcept {
  return piece.out.size() == unit_bytes;
}

}  // namespace

Result<void> PatchBatch::run() {
  const auto partial = static_cast<std::size_t>(std::count_if(
      pieces_.begin(), pieces_.end(), [](const PatchPiece& piece) { return !is_whole(piece); }));
  std::vector<std::byte> own(partial * unit_bytes);
  std::size_t given = 0;
  std::vector<Load> loads;
  loads.reserve(pieces_.size());
  for (const PatchPiece& piece : pieces_) {
    Load& load = loads.emplace_back();
    load.target =
        is_whole(piece) ? piece.out : std::span(own).subspan(given++ * unit_bytes, unit_bytes);
    const std::uint64_t offset = piece.patch.place * unit_bytes;
    const bool continues =
        !reads_.empty() && offset == reads_.back().offset + reads_.back().out.size() &&
        load.target.data() == reads_.back().out.data() + reads_.back().out.size();
    if (continues) {
      std::span<std::byte>& out = reads_.back().out;
      out = std::span(out.data(), out.size() + unit_bytes);
    } else {
      reads_.push_back({.offset = offset, .out = load.target});
    }
    load.transfer = reads_.size() - 1;
    load.end = reads_.back().out.size();
  }
  ARTFS_TRY(file_.read_many(reads_));
  for (std::size_t i = 0; i < pieces_.size(); ++i) ARTFS_TRY(take_over(pieces_[i], loads[i]));
  return {};
}

Result<void> PatchBatch::take_over(const PatchPiece& piece, const Load& load) const {
  const bool has_come = reads_[load.transfer].got >= load.end;
  if (!has_come || base::xxh3_128(load.target, hash_seed_).low != piece.patch.checksum) {
    return fail(Errc::block_corrupt, piece.index);
  }
  const std::uint32_t valid = piece.patch.valid_bytes;
  const std::size_t wanted =
      std::min<std::size_t>(piece.out.size(), valid > piece.from ? valid - piece.from : 0);
  if (!is_whole(piece)) std::memcpy(piece.out.data(), load.target.data() + piece.from, wanted);
  std::fill(piece.out.begin() + static_cast<std::ptrdiff_t>(wanted), piece.out.end(), std::byte{0});
  return {};
}

}  // namespace artfs::data
