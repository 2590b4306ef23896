// SPDX-License-Identifier: Apache-2.0
// FileBytesImpl: what FileBytes does; split over read/write (write.cpp), flush.cpp, write_out.cpp and
// inspect.cpp.
//
// Contract:   as file_bytes.hpp, call by call.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/block_file.hpp"
#include "data/block_index.hpp"
#include "data/buffer.hpp"
#include "data/byte_reader.hpp"
#include "data/file_bytes.hpp"
#include "data/flush_state.hpp"
#include "data/layer.hpp"
#include "data/space.hpp"

namespace artfs::data {

inline constexpr std::uint64_t file_bytes_max = (std::uint64_t{1} << 63) - 1;
// Bounds of one flush's transaction (its record is at most 4 MiB): at worst a run's record takes 4.7 KiB,
// and a block frees 17 places, each of which changes two records of the space tree (70 bytes).
inline constexpr std::size_t blocks_per_flush_max = 1024;
inline constexpr std::size_t runs_per_flush_max = 512;
inline constexpr std::size_t pieces_removed_per_flush_max = 16384;
inline constexpr std::size_t runs_cut_per_flush_max = 1024;
inline constexpr std::size_t runs_preallocated_per_flush_max = 512;

class FileBytesImpl {
 public:
  FileBytesImpl(const Environment& environment, const Layout& layout, const DataOptions& options,
                std::uint64_t hash_seed);

  [[nodiscard]] Result<void> open();

  // write.cpp
  [[nodiscard]] Result<std::size_t> read(Ino ino, const Contents& contents, const Buffer* buffer,
                                         std::uint64_t offset, std::span<std::byte> out);
  [[nodiscard]] Result<ReadPlan> plan_read(Ino ino, const Contents& contents, const Buffer* buffer,
                                           std::uint64_t offset, std::span<std::byte> out);
  [[nodiscard]] Result<void> write(Ino ino, const Contents& contents, Buffer& buffer,
                                   std::uint64_t offset, std::span<const std::byte> data);
  [[nodiscard]] Result<void> truncate(Ino ino, const Contents& contents, Buffer& buffer,
                                      std::uint64_t size);
  [[nodiscard]] Result<void> fallocate(Ino ino, const Contents& contents, Buffer& buffer,
                                       const FileBytes::Range& range);

  // clear.cpp
  [[nodiscard]] Result<void> clear(Ino ino, const Contents& contents, Buffer& buffer,
                                   const FileBytes::Range& range, FileBytes::Clear how);

  // seek.cpp
  [[nodiscard]] Result<std::uint64_t> seek(Ino ino, const Contents& contents, const Buffer* buffer,
                                           const FileBytes::Seek& seek);

  // clone.cpp
  [[nodiscard]] Result<std::uint64_t> clone(const FileBytes::Clone& clone, Contents& contents,
                                            const Buffer& buffer, Change& change);

  // flush.cpp
  [[nodiscard]] Flush begin_flush(Ino ino, const Contents& contents, Buffer& buffer);
  [[nodiscard]] Result<void> write_out(Flush& flush);
  [[nodiscard]] Result<void> finish_flush(Flush& flush, Contents& contents, Change& change);
  void committed(FlushState& state) noexcept;
  void aborted(FlushState& state) noexcept;
  void discard(Buffer& buffer) noexcept;

  // logged.cpp
  [[nodiscard]] LogPlan plan_log(const Contents& contents, const Buffer& buffer) const;
  void logged(Buffer& buffer) noexcept;
  [[nodiscard]] bool stays_inline(const Contents& contents, const Buffer& buffer) const noexcept;
  [[nodiscard]] std::vector<std::string> removals(const FlushState& state) const;
  [[nodiscard]] Result<void> restore(Ino ino, const Contents& contents, Buffer& buffer,
                                     const format::LoggedWrite& write);

  // inspect.cpp
  [[nodiscard]] Result<bool> reclaim(Ino ino, Contents& contents, Change& change,
                                     std::size_t blocks_max);
  [[nodiscard]] Result<void> for_each_block(Ino ino,
                                            const std::function<void(const BlockInfo&)>& visit);
  [[nodiscard]] Result<void> verify_block(Ino ino, std::uint64_t index);

  [[nodiscard]] BlockFile& file() noexcept { return file_; }

  [[nodiscard]] Space& space() noexcept { return space_; }

  [[nodiscard]] const BlockIndex& index() const noexcept { return index_; }

  [[nodiscard]] Tree volume() const noexcept { return volume_; }

  [[nodiscard]] const Layout& layout() const noexcept { return layout_; }

  [[nodiscard]] const DataOptions& options() const noexcept { return options_; }

  [[nodiscard]] std::uint64_t buffered_bytes() const noexcept {
    return buffered_bytes_.load(std::memory_order_relaxed);  // a gauge; orders nothing
  }

 private:
  struct Promise {
    std::uint64_t index;
    std::uint32_t units;  // in all, for this block
    ByteSpan changed{};   // of the block; empty: it is only named
  };

  [[nodiscard]] Result<void> check_change(std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] Layer& activate(const Contents& contents, Buffer& buffer);
  [[nodiscard]] Result<std::uint64_t> promise(Ino ino, const Contents& contents,
                                              const Buffer& buffer,
                                              std::span<const Promise> wanted);
  [[nodiscard]] std::vector<Promise> promises_for(const Contents& contents, const Buffer& buffer,
                                                  std::uint64_t offset, std::uint64_t end) const;
  void apply_promises(Layer& layer, std::span<const Promise> wanted, std::uint64_t granted);
  [[nodiscard]] bool fits_in_place(const Block& block, const Promise& need) const noexcept;
  [[nodiscard]] Result<std::uint64_t> count_holes(Ino ino, const Contents& contents,
                                                  const Buffer& buffer, BlockRange range) const;
  void put_back(FlushState& state, Layer&& layer) noexcept;
  // `first`: the first block that would go, if none were logged.
  void split(const Contents& contents, Buffer& buffer, Layer& layer, std::uint64_t first);
  [[nodiscard]] std::uint64_t promise_again(Ino ino, const Contents& contents, const Buffer& buffer,
                                            std::span<const Promise> wanted);

  // A pending change takes away what extents have of this block; its space too.
  [[nodiscard]] static bool is_voided(const Buffer& buffer, std::uint64_t index) noexcept;
  [[nodiscard]] static bool is_punched(const Buffer& buffer, std::uint64_t index) noexcept;

  // clear.cpp
  struct ClearPlan;
  [[nodiscard]] Result<bool> reads_as_zeros(Ino ino, const Contents& contents, const Buffer& buffer,
                                            std::uint64_t index) const;
  [[nodiscard]] Result<ClearPlan> plan_clear(Ino ino, const Contents& contents,
                                             const Buffer& buffer,
                                             const FileBytes::Range& range) const;
  [[nodiscard]] Result<std::uint64_t> voided_units(Ino ino, const Contents& contents,
                                                   const Buffer& buffer, BlockRange range,
                                                   bool unwritten_too) const;

  [[nodiscard]] std::uint32_t units_of(std::uint64_t bytes) const noexcept {
    return static_cast<std::uint32_t>((bytes + unit_bytes - 1) / unit_bytes);
  }

  void account(std::uint64_t before, std::uint64_t after) noexcept {
    buffered_bytes_.fetch_add(after - before, std::memory_order_relaxed);  // a gauge
  }

  Store& store_;
  const Tree volume_;
  const Layout layout_;
  const DataOptions options_;
  const std::uint64_t block_units_;
  BlockFile file_;
  const BlockIndex index_;
  Space space_;
  std::atomic<std::uint64_t> buffered_bytes_{0};
};

}  // namespace artfs::data
