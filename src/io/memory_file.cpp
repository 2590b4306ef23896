// SPDX-License-Identifier: Apache-2.0
#include "io/memory_file.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

#include "io/aligned_buffer.hpp"

namespace artfs::io {

using base::MutexLock;

namespace {

bool is_multiple(std::uint64_t number) noexcept {
  return number % direct_alignment_bytes == 0;
}

Error dead_error() noexcept {
  return Error{Errc::io_failed, EIO};
}

}  // namespace

Result<void> MemoryFile::begin_change() {
  if (is_dead()) return fail(dead_error());
  ARTFS_ASSERT(!mode_.read_only);
  if (const auto error = state_->next_change()) return fail(*error);
  return {};
}

Result<std::size_t> MemoryFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  ARTFS_ASSERT(!mode_.direct ||
               (is_multiple(offset) && is_multiple(out.size()) && is_aligned(out.data())));
  const MutexLock lock(state_->mutex);
  if (is_dead()) return fail(dead_error());
  if (const auto error = state_->next_read()) return fail(*error);
  if (offset >= inode_->size()) return std::size_t{0};
  const auto bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), inode_->size() - offset));
  inode_->current().read(offset, out.first(bytes));
  state_->counters.bytes_read += bytes;
  return bytes;
}

Result<void> MemoryFile::write_at(std::uint64_t offset,
                                  std::span<const std::span<const std::byte>> buffers) {
  std::vector<std::byte> data;
  for (const auto& buffer : buffers) {
    ARTFS_ASSERT(!mode_.direct || (is_multiple(buffer.size()) && is_aligned(buffer.data())));
    data.insert(data.end(), buffer.begin(), buffer.end());
  }
  ARTFS_ASSERT(!mode_.direct || is_multiple(offset));
  const MutexLock lock(state_->mutex);
  ++state_->counters.writes;
  const auto begun = begin_change();
  if (!begun) {
    // What got through before the failure (TRAPS P12).
    if (!is_dead()) inode_->write(offset, std::span(data).first(data.size() / 2));
    return begun;
  }
  const std::uint64_t end = offset + data.size();
  if (!state_->has_room(end > inode_->size() ? end - inode_->size() : 0))
    return fail(Errc::no_space);
  state_->store(inode_, offset, data);
  state_->counters.bytes_written += data.size();
  return {};
}

Result<void> MemoryFile::sync_data() {
  MutexLock lock(state_->mutex);
  ++state_->counters.file_syncs;
  const std::uint64_t seen = inode_->changes_seen();
  if (is_dead()) return fail(dead_error());
  if (const auto error = state_->next_sync()) {
    inode_->sync_failed(seen);
    return fail(*error);
  }
  if (const auto delay = state_->sync_delay; delay.count() > 0) {
    lock.unlock();
    std::this_thread::sleep_for(delay);
    lock.lock();
    if (is_dead()) return fail(dead_error());
  }
  inode_->synced(seen);
  return {};
}

Result<std::uint64_t> MemoryFile::size() {
  const MutexLock lock(state_->mutex);
  if (is_dead()) return fail(dead_error());
  return inode_->size();
}

Result<void> MemoryFile::truncate(std::uint64_t size_bytes) {
  const MutexLock lock(state_->mutex);
  ARTFS_TRY(begin_change());
  if (size_bytes != inode_->size()) inode_->resize(size_bytes);
  return {};
}

Result<void> MemoryFile::allocate(std::uint64_t offset, std::uint64_t length) {
  const MutexLock lock(state_->mutex);
  ++state_->counters.allocates;
  ARTFS_TRY(begin_change());
  const std::uint64_t end = offset + length;
  if (end <= inode_->size()) return {};
  if (!state_->has_room(end - inode_->size())) return fail(Errc::no_space);
  inode_->resize(end);
  return {};
}

Result<void> MemoryFile::punch(std::uint64_t offset, std::uint64_t length) {
  const MutexLock lock(state_->mutex);
  ARTFS_TRY(begin_change());
  inode_->zero(offset, length);
  return {};
}

}  // namespace artfs::io
