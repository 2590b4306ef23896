// SPDX-License-Identifier: Apache-2.0
// SEEK_DATA and SEEK_HOLE through the layers of a buffer, block by block.
#include <algorithm>
#include <array>
#include <optional>

#include "data/file_bytes_impl.hpp"
#include "format/key.hpp"

namespace artfs::data {

namespace {

// The layers of a file and its extents, asked which blocks have data.
class DataMap {
 public:
  DataMap(Tree volume, const FileView& view, std::uint32_t block_bytes)
      : volume_(volume), view_(view), block_bytes_(block_bytes), extents_(volume, view.ino) {}

  // The first block from `from` on that has data.
  Result<std::optional<std::uint64_t>> next(std::uint64_t from) const {
    std::optional<std::uint64_t> best;
    const auto better = [&best](std::uint64_t index) {
      best = std::min(index, best.value_or(index));
    };
    for (std::size_t level = 0; level < view_.layers.size(); ++level) {
      if (view_.layers[level] == nullptr) continue;
      const auto& blocks = view_.layers[level]->blocks;
      for (auto it = blocks.lower_bound(from); it != blocks.end(); ++it) {
        if (it->second.valid.empty() || !is_visible(level, it->first)) continue;
        better(it->first);
        break;
      }
    }
    const Contents& contents = *view_.contents;
    const std::size_t base = view_.layers.size();
    if (contents.is_inline) {
      if (from == 0 && contents.size > 0 && is_visible(base, 0)) better(0);
      return best;
    }
    ExtentScan scan(volume_, view_.ino, from);
    while (ARTFS_TRY(scan.next())) {
      for (std::uint64_t i = 0; i < format::blocks_per_run; ++i) {
        const std::uint64_t index = scan.first() + i;
        if (best && index >= *best) return best;
        if (index < from || !has_data(index, scan.run()[i]) || !is_visible(base, index)) continue;
        return std::optional(index);
      }
    }
    return best;
  }

  Result<bool> at(std::uint64_t index) {
    for (const Layer* layer : view_.layers) {
      if (layer == nullptr) continue;
      const auto found = layer->blocks.find(index);
      if (found != layer->blocks.end() && !found->second.valid.empty()) return true;
      if (hides(*layer, index)) return false;
    }
    if (view_.contents->is_inline) return index == 0 && view_.contents->size > 0;
    return has_data(index, *ARTFS_TRY(extents_.find(index)));
  }

 private:
  // TAIL: what stands behind the committed size is void.
  [[nodiscard]] bool has_data(std::uint64_t index, const Block& block) const noexcept {
    return block.has_bytes() && block.end_bytes() > 0 &&
           index * block_bytes_ < view_.contents->size;
  }

  [[nodiscard]] bool hides(const Layer& layer, std::uint64_t index) const noexcept {
    return layer.voids(index) || index * block_bytes_ >= layer.cut;
  }

  // No layer above `level` takes the block away.
  [[nodiscard]] bool is_visible(std::size_t level, std::uint64_t index) const noexcept {
    for (std::size_t above = 0; above < level; ++above) {
      const Layer* const layer = view_.layers[above];
      if (layer != nullptr && hides(*layer, index)) return false;
    }
    return true;
  }

  Tree volume_;
  const FileView view_;
  const std::uint64_t block_bytes_;
  ExtentReader extents_;
};

}  // namespace

// A file that fits the inode record is one block there or a hole, whatever its pending changes say:
// the answer does not depend on whether they are written out.
Result<std::uint64_t> FileBytesImpl::seek(Ino ino, const Contents& contents, const Buffer* buffer,
                                          const FileBytes::Seek& seek) {
  const std::uint64_t size = buffer != nullptr ? buffer->size(contents) : contents.size;
  if (seek.offset >= size) return fail(Errc::no_more_data);
  if (size <= layout_.inline_bytes_max) {
    std::array<std::byte, format::inline_bytes_limit> bytes{};
    const std::size_t count =
        ARTFS_TRY(read(ino, contents, buffer, 0, std::span(bytes).first(size)));
    const auto begin = bytes.begin();
    const bool data = std::any_of(begin, begin + static_cast<std::ptrdiff_t>(count),
                                  [](std::byte byte) { return byte != std::byte{0}; });
    if (seek.hole) return data ? size : seek.offset;
    return data ? Result<std::uint64_t>(seek.offset) : fail(Errc::no_more_data);
  }
  FileView view{.ino = ino, .contents = &contents};
  if (buffer != nullptr) view.layers = {buffer->active_.get(), buffer->in_flight_.get()};
  DataMap map(volume_, view, layout_.block_bytes);
  const std::uint64_t from = seek.offset / layout_.block_bytes;
  if (!seek.hole) {
    const std::optional<std::uint64_t> index = ARTFS_TRY(map.next(from));
    const std::uint64_t start = index ? *index * layout_.block_bytes : size;
    if (start >= size) return fail(Errc::no_more_data);
    return std::max(start, seek.offset);
  }
  std::uint64_t index = from;
  while (index * layout_.block_bytes < size && ARTFS_TRY(map.at(index))) ++index;
  return std::clamp(index * layout_.block_bytes, seek.offset, size);
}

}  // namespace artfs::data
