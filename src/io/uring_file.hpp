// SPDX-License-Identifier: Apache-2.0
// UringFile: a PosixFile whose batches go through io_uring.
//
// Contract:   single transfers stay pread and pwritev: they are as fast and cost less. A batch takes a
//             ring of its own for as long as it runs; when all are taken, or the kernel refuses
//             another, it is done one transfer after the other. So is the rest of a transfer that came
//             back short or interrupted.
// Threading:  any thread; Rank::leaf for the list of rings, never over I/O.
// Cost:       a ring: two mapped pages or so, made when first needed, kept until the file closes.
// Errors:     as io/device.hpp; open: io_failed when the kernel refuses the first ring.
//
// Measured (ext4, O_DIRECT, 128 MiB, 4 KiB pages at random, batches of 1024, against one system call
// each): writes 390 to 70-99 ms, reads 410 to 72-126 ms, processor time to a seventh. Batches of 8 reads:
// 205 to 55-78 ms; of one: the same. Whole frames: the same to 1.4 times. Registering buffers saved 3 to
// 6 % of the processor's time and nothing else, and takes locked memory (8 MiB by default): left out.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.hpp"
#include "io/posix_file.hpp"
#include "io/uring.hpp"

namespace artfs::io {

using UringFactory = std::function<Result<std::unique_ptr<Uring>>(int descriptor)>;

class UringFile final : public PosixFile {
 public:
  // Takes the descriptor only when the factory gives a first ring; the errno of the refusal otherwise.
  [[nodiscard]] static Result<std::unique_ptr<File>> open(base::UniqueFd& fd, bool direct,
                                                          UringFactory factory = &Uring::create);

  // Use open().
  UringFile(base::UniqueFd fd, bool direct, UringFactory factory, std::unique_ptr<Uring> first);

  [[nodiscard]] Result<void> read_many(std::span<FileRead> reads) override;
  [[nodiscard]] Result<void> write_many(std::span<const FileWrite> writes) override;

  [[nodiscard]] bool is_queued() const noexcept override { return true; }

 private:
  // More batches at once than this gain nothing on the disks seen.
  static constexpr std::size_t rings_max = 8;

  class Lease;

  [[nodiscard]] std::unique_ptr<Uring> take_ring();
  void give_ring(std::unique_ptr<Uring> ring) noexcept;

  const UringFactory factory_;
  base::Mutex mutex_{base::Rank::leaf};
  std::vector<std::unique_ptr<Uring>> idle_ ARTFS_GUARDED_BY(mutex_);
  std::size_t rings_ ARTFS_GUARDED_BY(mutex_) = 1;
};

}  // namespace artfs::io
