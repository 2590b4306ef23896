// SPDX-License-Identifier: Apache-2.0
#include "io/uring_file.hpp"

#include <cerrno>
#include <utility>

#include "base/assert.hpp"
#include "io/posix_error.hpp"

namespace artfs::io {

using base::MutexLock;

namespace {

// What the plain calls know how to go on from: interruptions, a queue that was full, a filesystem that
// refuses O_DIRECT only now.
[[nodiscard]] bool is_unfinished(std::int64_t result, std::size_t wanted) noexcept {
  if (result >= 0) return static_cast<std::uint64_t>(result) < wanted;
  return result == -EINTR || result == -EAGAIN || result == -EINVAL || result == -ECANCELED;
}

[[nodiscard]] int errno_of(const Uring::Transfer& transfer) noexcept {
  return static_cast<int>(-transfer.result);
}

[[nodiscard]] std::size_t bytes_of(const FileWrite& write) noexcept {
  std::size_t bytes = 0;
  for (const auto& buffer : write.buffers) bytes += buffer.size();
  return bytes;
}

}  // namespace

// A ring for one batch; none when all are in use.
class UringFile::Lease {
 public:
  explicit Lease(UringFile& file) : file_(file), ring_(file.take_ring()) {}

  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  ~Lease() {
    if (ring_) file_.give_ring(std::move(ring_));
  }

  [[nodiscard]] Uring* ring() const noexcept { return ring_.get(); }

 private:
  UringFile& file_;
  std::unique_ptr<Uring> ring_;
};

Result<std::unique_ptr<File>> UringFile::open(base::UniqueFd& fd, bool direct,
                                              UringFactory factory) {
  auto first = ARTFS_TRY(factory(fd.get()));
  return std::make_unique<UringFile>(std::move(fd), direct, std::move(factory), std::move(first));
}

UringFile::UringFile(base::UniqueFd fd, bool direct, UringFactory factory,
                     std::unique_ptr<Uring> first)
    : PosixFile(std::move(fd), direct), factory_(std::move(factory)) {
  idle_.reserve(rings_max);  // give_ring() never allocates
  idle_.push_back(std::move(first));
}

std::unique_ptr<Uring> UringFile::take_ring() {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Uring> ring = std::move(idle_.back());
      idle_.pop_back();
      return ring;
    }
    if (rings_ == rings_max) return nullptr;
    ++rings_;
  }
  auto made = factory_(descriptor());
  if (made) return std::move(*made);
  const MutexLock lock(mutex_);
  --rings_;
  return nullptr;
}

void UringFile::give_ring(std::unique_ptr<Uring> ring) noexcept {
  const MutexLock lock(mutex_);
  idle_.push_back(std::move(ring));
}

Result<void> UringFile::read_many(std::span<FileRead> reads) {
  if (reads.size() < 2) return PosixFile::read_many(reads);
  const Lease lease(*this);
  if (lease.ring() == nullptr) return PosixFile::read_many(reads);
  std::vector<iovec> vectors;
  std::vector<Uring::Transfer> transfers;
  vectors.reserve(reads.size());
  transfers.reserve(reads.size());
  for (const FileRead& read : reads) {
    vectors.push_back({read.out.data(), read.out.size()});
    transfers.push_back({false, read.offset, std::span(&vectors.back(), 1), 0});
  }
  lease.ring()->run(transfers);
  for (std::size_t i = 0; i < reads.size(); ++i) {
    FileRead& read = reads[i];
    if (is_unfinished(transfers[i].result, read.out.size())) {
      read.got = ARTFS_TRY(read_at(read.offset, read.out));
    } else if (transfers[i].result < 0) {
      return fail(io_error(errno_of(transfers[i])));
    } else {
      read.got = static_cast<std::size_t>(transfers[i].result);
    }
  }
  return {};
}

Result<void> UringFile::write_many(std::span<const FileWrite> writes) {
  if (writes.size() < 2) return PosixFile::write_many(writes);
  const Lease lease(*this);
  if (lease.ring() == nullptr) return PosixFile::write_many(writes);
  constexpr std::size_t vectors_max = 1024;  // IOV_MAX
  std::size_t buffers = 0;
  for (const FileWrite& write : writes) buffers += write.buffers.size();
  std::vector<iovec> vectors;
  std::vector<Uring::Transfer> transfers;
  vectors.reserve(buffers);  // the transfers point into it
  transfers.reserve(writes.size());
  for (const FileWrite& write : writes) {
    const std::size_t first = vectors.size();
    for (const auto& buffer : write.buffers) {
      // writev takes void* for data it only reads.
      vectors.push_back({const_cast<std::byte*>(buffer.data()), buffer.size()});
    }
    // More than the kernel takes at once comes back short, and the plain call goes on.
    const std::size_t count = std::min(vectors.size() - first, vectors_max);
    transfers.push_back({true, write.offset, std::span(vectors).subspan(first, count), 0});
  }
  lease.ring()->run(transfers);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (is_unfinished(transfers[i].result, bytes_of(writes[i]))) {
      ARTFS_TRY(write_at(writes[i].offset, writes[i].buffers));
    } else if (transfers[i].result < 0) {
      return fail(write_error(errno_of(transfers[i])));
    }
  }
  return {};
}

}  // namespace artfs::io
