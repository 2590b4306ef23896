// SPDX-License-Identifier: Apache-2.0
#include "io/file_store.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "io/aligned_buffer.hpp"

namespace artfs::io {

namespace {

using base::MutexLock;

// Growth: a quarter of the file, so that the number of extents stays small and a small store small.
constexpr std::uint64_t step_slots_min = 4 * mib / frame_bytes;
constexpr std::uint64_t step_slots_max = 64 * mib / frame_bytes;
// ... but never more than this share of what the device has left: the log needs room too.
constexpr std::uint64_t free_share = 16;

constexpr std::size_t bounce_bytes = 1 * mib;

std::uint64_t offset_of(SlotId slot, std::uint32_t page) noexcept {
  ARTFS_ASSERT(slot);
  return (slot.raw - 1) * frame_bytes + std::uint64_t{page} * page_bytes;
}

// Writes buffers whose address does not suit O_DIRECT.
class Bouncer {
 public:
  explicit Bouncer(File& file) noexcept : file_(file) {}

  [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> data) {
    if (buffer_.size() == 0) buffer_ = AlignedBuffer(bounce_bytes);
    while (!data.empty()) {
      const std::size_t bytes = std::min(data.size(), bounce_bytes);
      std::copy_n(data.data(), bytes, buffer_.data());
      ARTFS_TRY(file_.write_at(offset, std::span<const std::byte>(buffer_.data(), bytes)));
      offset += bytes;
      data = data.subspan(bytes);
    }
    return {};
  }

 private:
  File& file_;
  AlignedBuffer buffer_;
};

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(Directory& directory, std::string_view name,
                                                   Options options) {
  auto file = ARTFS_TRY(directory.open(name, {.create = options.create,
                                              .exclusive = options.create,
                                              .direct = options.direct,
                                              .read_only = options.read_only,
                                              .queued = options.queued}));
  const std::uint64_t size = ARTFS_TRY(file->size());
  return std::make_unique<FileStore>(directory, std::move(file), size);
}

FileStore::FileStore(Directory& directory, std::unique_ptr<File> file, std::uint64_t size_bytes)
    : directory_(directory), file_(std::move(file)), size_bytes_(size_bytes) {
  book_.restore({}, size_bytes / frame_bytes);
}

Result<void> FileStore::read(SlotId slot, std::uint32_t first_page, std::span<std::byte> out) {
  ARTFS_ASSERT(out.size() % page_bytes == 0 && is_aligned(out.data()));
  ARTFS_ASSERT(first_page * page_bytes + out.size() <= frame_bytes);
  const std::size_t got = ARTFS_TRY(file_->read_at(offset_of(slot, first_page), out));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(got), out.end(), std::byte{0});
  return {};
}

Result<void> FileStore::read_batch(std::span<const PageRead> reads) {
  std::vector<FileRead> transfers;
  transfers.reserve(reads.size());
  for (const PageRead& read : reads) {
    ARTFS_ASSERT(read.out.size() % page_bytes == 0 && is_aligned(read.out.data()));
    ARTFS_ASSERT(read.first_page * page_bytes + read.out.size() <= frame_bytes);
    transfers.push_back({offset_of(read.slot, read.first_page), read.out, 0});
  }
  ARTFS_TRY(file_->read_many(transfers));
  for (const FileRead& done : transfers) {
    std::fill(done.out.begin() + static_cast<std::ptrdiff_t>(done.got), done.out.end(),
              std::byte{0});
  }
  return {};
}

Result<void> FileStore::write(std::span<const PageWrite> writes) {
  std::vector<PageWrite> sorted(writes.begin(), writes.end());
  std::sort(sorted.begin(), sorted.end(), [](const PageWrite& a, const PageWrite& b) {
    return std::pair(a.slot, a.first_page) < std::pair(b.slot, b.first_page);
  });
  Bouncer bouncer(*file_);
  std::vector<std::span<const std::byte>> buffers;
  buffers.reserve(sorted.size());  // the transfers point into it
  std::vector<FileWrite> transfers;
  for (std::size_t i = 0; i < sorted.size();) {
    const std::uint64_t start = offset_of(sorted[i].slot, sorted[i].first_page);
    std::uint64_t end = start;
    const std::size_t first = buffers.size();
    for (; i < sorted.size() && offset_of(sorted[i].slot, sorted[i].first_page) == end; ++i) {
      const auto pages = sorted[i].pages;
      ARTFS_ASSERT(pages.size() % page_bytes == 0);
      if (file_->is_direct() && !is_aligned(pages.data())) {
        ARTFS_TRY(bouncer.write(end, pages));
        ++i;
        break;  // what was gathered stands before this piece and follows below
      }
      if (buffers.size() > first && buffers.back().data() + buffers.back().size() == pages.data()) {
        buffers.back() = {buffers.back().data(), buffers.back().size() + pages.size()};
      } else {
        buffers.push_back(pages);
      }
      end += pages.size();
    }
    if (buffers.size() > first) transfers.push_back({start, std::span(buffers).subspan(first)});
  }
  return file_->write_many(transfers);
}

Result<void> FileStore::sync() {
  return file_->sync_data();
}

bool FileStore::try_promise(std::size_t count) {
  const MutexLock lock(mutex_);
  if (book_.available() < count) return false;
  book_.promise(count);
  return true;
}

std::uint64_t FileStore::step_slots(std::uint64_t capacity) {
  const std::uint64_t wanted = std::clamp(capacity / 4, step_slots_min, step_slots_max);
  const auto free = directory_.free_bytes();
  return free ? std::min(wanted, *free / free_share / frame_bytes) : wanted;
}

Result<void> FileStore::grow(std::uint64_t slots_min) {
  MutexLock lock(mutex_);
  const std::uint64_t capacity = book_.capacity();
  lock.unlock();
  for (std::uint64_t slots = std::max(slots_min, step_slots(capacity));;) {
    const auto grown = file_->allocate(capacity * frame_bytes, slots * frame_bytes);
    if (grown) {
      lock.lock();
      book_.grow(capacity + slots);
      size_bytes_.store((capacity + slots) * frame_bytes, std::memory_order_relaxed);
      return {};
    }
    if (grown.error().code != Errc::no_space || slots == slots_min) return grown;
    slots = std::max(slots_min, slots / 2);
  }
}

Result<void> FileStore::reserve(std::size_t count) {
  if (try_promise(count)) return {};
  const MutexLock growing(growth_);
  while (!try_promise(count)) {
    MutexLock lock(mutex_);
    const std::uint64_t available = book_.available();
    lock.unlock();
    // Less is missing only when slots were freed meanwhile.
    if (available < count) ARTFS_TRY(grow(count - available));
  }
  return {};
}

void FileStore::unreserve(std::size_t count) noexcept {
  const MutexLock lock(mutex_);
  book_.take_back(count);
}

SlotId FileStore::allocate() noexcept {
  const MutexLock lock(mutex_);
  return book_.allocate();
}

void FileStore::free(SlotId slot) noexcept {
  const MutexLock lock(mutex_);
  book_.free(slot);
}

void FileStore::restore(std::span<const SlotId> in_use) {
  const MutexLock lock(mutex_);
  book_.restore(in_use, size_bytes_.load(std::memory_order_relaxed) / frame_bytes);
}

std::uint64_t FileStore::size_bytes() const noexcept {
  return size_bytes_.load(std::memory_order_relaxed);
}

}  // namespace artfs::io
