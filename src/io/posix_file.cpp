// SPDX-License-Identifier: Apache-2.0
#include "io/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "artfs/types.hpp"

#include "io/aligned_buffer.hpp"
#include "io/posix_error.hpp"

namespace artfs::io {

namespace {

// Vectors per pwritev: below IOV_MAX (1024), and 4 KiB of stack.
constexpr std::size_t vectors_max = 256;

off_t to_off(std::uint64_t offset) noexcept {
  return static_cast<off_t>(offset);
}

bool is_multiple(std::uint64_t number) noexcept {
  return number % direct_alignment_bytes == 0;
}

// The part of `buffers` that starts `skip` bytes in, as iovecs; returns their number.
struct Window {
  std::array<iovec, vectors_max> vectors;
  int count = 0;
};

void fill_window(std::span<const std::span<const std::byte>> buffers, std::size_t skip,
                 Window& window) noexcept {
  window.count = 0;
  for (const auto& buffer : buffers) {
    if (static_cast<std::size_t>(window.count) == vectors_max) return;
    if (buffer.size() <= skip) {
      skip -= buffer.size();
      continue;
    }
    iovec& vector = window.vectors[static_cast<std::size_t>(window.count++)];
    // pwritev takes void* for data it only reads.
    vector.iov_base = const_cast<std::byte*>(buffer.data() + skip);
    vector.iov_len = buffer.size() - skip;
    skip = 0;
  }
}

}  // namespace

bool PosixFile::should_retry(int number) noexcept {
  if (number == EINTR) return true;
  if (number != EINVAL || !is_direct()) return false;
  // Some filesystems let O_DIRECT pass at open and refuse the transfer.
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags & ~O_DIRECT) != 0) return false;
  direct_.store(false, std::memory_order_relaxed);
  return true;
}

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  ARTFS_ASSERT(!is_direct() ||
               (is_multiple(offset) && is_multiple(out.size()) && is_aligned(out.data())));
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_.get(), out.data() + done, out.size() - done, to_off(offset + done));
    if (got < 0) {
      if (should_retry(errno)) continue;
      return fail(io_error(errno));
    }
    done += static_cast<std::size_t>(got);
    // A direct read stops off the grid only at the end of the file; going on from there is EINVAL.
    if (got == 0 || (is_direct() && !is_multiple(done))) break;
  }
  return done;
}

Result<void> PosixFile::write_at(std::uint64_t offset,
                                 std::span<const std::span<const std::byte>> buffers) {
  std::size_t total = 0;
  for (const auto& buffer : buffers) {
    ARTFS_ASSERT(!is_direct() || (is_multiple(buffer.size()) && is_aligned(buffer.data())));
    total += buffer.size();
  }
  ARTFS_ASSERT(!is_direct() || is_multiple(offset));
  std::size_t done = 0;      // of everything
  std::size_t in_first = 0;  // of buffers.front()
  while (done < total) {
    Window window;
    fill_window(buffers, in_first, window);
    const ssize_t put =
        ::pwritev(fd_.get(), window.vectors.data(), window.count, to_off(offset + done));
    if (put < 0) {
      if (should_retry(errno)) continue;
      return fail(write_error(errno));
    }
    // A device that takes nothing without an error would make this loop endless.
    if (put == 0) return fail(io_error(EIO));
    done += static_cast<std::size_t>(put);
    in_first += static_cast<std::size_t>(put);
    while (!buffers.empty() && in_first >= buffers.front().size()) {
      in_first -= buffers.front().size();
      buffers = buffers.subspan(1);
    }
  }
  return {};
}

Result<void> PosixFile::sync_data() {
  // EINTR comes before the device was asked; any other failure is final (TRAPS P16).
  while (::fdatasync(fd_.get()) != 0) {
    if (errno != EINTR) return fail(io_error(errno));
  }
  return {};
}

Result<std::uint64_t> PosixFile::size() {
  struct stat attributes {};

  if (::fstat(fd_.get(), &attributes) != 0) return fail(io_error(errno));
  return static_cast<std::uint64_t>(attributes.st_size);
}

Result<std::uint64_t> PosixFile::end_of_data(std::uint64_t from) {
  std::uint64_t end = from;
  for (;;) {
    // The file offset that lseek moves is used by nobody.
    const off_t data = ::lseek(fd_.get(), to_off(end), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return end;
    if (data < 0) return size();
    const off_t hole = ::lseek(fd_.get(), data, SEEK_HOLE);
    if (hole <= data) return size();
    end = static_cast<std::uint64_t>(hole);
  }
}

Result<void> PosixFile::truncate(std::uint64_t size_bytes) {
  while (::ftruncate(fd_.get(), to_off(size_bytes)) != 0) {
    if (errno != EINTR) return fail(write_error(errno));
  }
  return {};
}

Result<void> PosixFile::write_zeros(std::uint64_t from, std::uint64_t to) {
  constexpr std::size_t chunk_bytes = 256 * kib;
  const AlignedBuffer zeros(chunk_bytes);
  std::fill_n(zeros.data(), chunk_bytes, std::byte{0});
  while (from < to) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, chunk_bytes));
    ARTFS_TRY(write_at(from, zeros.span().first(bytes)));
    from += bytes;
  }
  return {};
}

Result<void> PosixFile::allocate(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t before = ARTFS_TRY(size());
  int status = 0;
  do {
    status = ::fallocate(fd_.get(), 0, to_off(offset), to_off(length));
  } while (status != 0 && errno == EINTR);
  if (status == 0) return {};
  Result<void> result = fail(write_error(errno));
  if (errno == EOPNOTSUPP || errno == ENOSYS) {
    // Holes inside the file stay holes: their zeros cannot be told from data.
    result = write_zeros(std::max(offset, before), offset + length);
  }
  if (!result) {
    // ext4 extends the size as far as it got.
    const auto now = size();
    if (now && *now > before) static_cast<void>(::ftruncate(fd_.get(), to_off(before)));
  }
  return result;
}

Result<void> PosixFile::punch(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {};
  int status = 0;
  do {
    status = ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to_off(offset),
                         to_off(length));
  } while (status != 0 && errno == EINTR);
  if (status == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return {};
  return fail(write_error(errno));
}

}  // namespace artfs::io
