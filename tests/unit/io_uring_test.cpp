// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "io/aligned_buffer.hpp"
#include "io/file_store.hpp"
#include "io/uring_file.hpp"
#include "support/temporary_directory.hpp"

namespace artfs::io {
namespace {

using test::TemporaryDirectory;

base::UniqueFd open_fd(const TemporaryDirectory& directory) {
  return base::UniqueFd(::open(directory.path("file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

Result<std::unique_ptr<Uring>> refuse(int /*descriptor*/) {
  return fail(Errc::io_failed, EPERM);
}

// Does what a kernel may do to us: every third transfer is interrupted, or cut short.
class RudeUring final : public Uring {
 public:
  explicit RudeUring(int descriptor) noexcept : descriptor_(descriptor) {}

  void run(std::span<Transfer> transfers) noexcept override {
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      Transfer& one = transfers[i];
      const auto count = static_cast<int>(one.vectors.size());
      const auto offset = static_cast<off_t>(one.offset);
      if (i % 3 == 1) {
        one.result = i % 2 == 0 ? -EINTR : -EAGAIN;
        continue;
      }
      iovec whole = one.vectors[0];
      if (i % 3 == 2) whole.iov_len /= 2;
      const iovec* const vectors = i % 3 == 2 ? &whole : one.vectors.data();
      const int used = i % 3 == 2 ? 1 : count;
      one.result = one.is_write ? ::pwritev(descriptor_, vectors, used, offset)
                                : ::preadv(descriptor_, vectors, used, offset);
    }
  }

 private:
  int descriptor_;
};

class BrokenUring final : public Uring {
 public:
  void run(std::span<Transfer> transfers) noexcept override {
    for (Transfer& one : transfers) one.result = one.is_write ? -ENOSPC : -EIO;
  }
};

AlignedBuffer random_bytes(std::size_t bytes, std::uint64_t seed) {
  AlignedBuffer buffer(bytes);
  std::mt19937_64 random(seed);
  std::generate_n(buffer.data(), bytes, [&] { return static_cast<std::byte>(random()); });
  return buffer;
}

// More transfers than a ring has entries, of one to three buffers each; then read back.
void check_batches(File& file, std::uint64_t seed) {
  constexpr std::size_t count = 200;
  const AlignedBuffer bytes = random_bytes(count * page_bytes, seed);
  std::vector<std::vector<std::span<const std::byte>>> pieces(count);
  std::vector<FileWrite> writes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto page = bytes.span().subspan(i * page_bytes, page_bytes);
    const std::size_t first = i % 3 == 0 ? page_bytes : 512 * (i % 7 + 1);
    pieces[i].push_back(page.first(first));
    if (first < page_bytes) pieces[i].push_back(page.subspan(first));
    writes.push_back({(count - 1 - i) * 2 * page_bytes, pieces[i]});
  }
  REQUIRE(file.write_many(writes));
  const AlignedBuffer back(count * page_bytes);
  std::vector<FileRead> reads;
  for (std::size_t i = 0; i < count; ++i) {
    reads.push_back(
        {(count - 1 - i) * 2 * page_bytes, back.span().subspan(i * page_bytes, page_bytes), 0});
  }
  REQUIRE(file.read_many(reads));
  for (const FileRead& read : reads) REQUIRE(read.got == page_bytes);
  REQUIRE(std::equal(bytes.data(), bytes.data() + bytes.size(), back.data()));
}

// The filter answers io_uring_setup with EPERM, as containers do.
bool forbid_io_uring() {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// In a process of its own: 0 when the store works and is not queued.
int use_store_without_uring(const std::string& path) {
  if (!forbid_io_uring()) return 77;
  const auto directory = open_posix_directory(path);
  if (!directory) return 2;
  const auto store = FileStore::open(**directory, "frames", {.create = true});
  if (!store || (*store)->is_queued()) return 3;
  if (!(*store)->reserve(1)) return 4;
  const SlotId slot = (*store)->allocate();
  const AlignedBuffer page = random_bytes(page_bytes, 1);
  const AlignedBuffer back(page_bytes);
  const std::vector<PageWrite> writes{{slot, 3, page.span()}, {slot, 9, page.span()}};
  if (!(*store)->write(writes)) return 5;
  const std::vector<PageRead> reads{{slot, 9, back.span()}};
  if (!(*store)->read_batch(reads)) return 6;
  return std::equal(page.data(), page.data() + page_bytes, back.data()) ? 0 : 7;
}

}  // namespace

TEST_CASE("uring file: batches larger than the queue arrive whole", "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  auto file = UringFile::open(fd, false);
  if (!file) {
    WARN("io_uring is refused here: " << to_text(file.error()));
    return;
  }
  CHECK((*file)->is_queued());
  check_batches(**file, 1);
  // Beyond the end there is nothing, and no error.
  const AlignedBuffer page(page_bytes);
  const AlignedBuffer other(page_bytes);
  std::vector<FileRead> reads{{1000 * page_bytes, page.span(), 7}, {0, other.span(), 0}};
  REQUIRE((*file)->read_many(reads));
  CHECK(reads[0].got == 0);
  CHECK(reads[1].got == page_bytes);
}

TEST_CASE("uring file: more threads than rings still get their bytes", "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  auto file = UringFile::open(fd, false);
  if (!file) return;
  check_batches(**file, 2);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      const AlignedBuffer first(page_bytes);
      const AlignedBuffer again(page_bytes);
      for (std::uint64_t i = 0; i < 50; ++i) {
        std::vector<FileRead> reads{{i * 2 * page_bytes, first.span(), 0},
                                    {i * 2 * page_bytes, again.span(), 0}};
        const bool equal = (*file)->read_many(reads) && reads[0].got == page_bytes &&
                           std::equal(first.data(), first.data() + page_bytes, again.data());
        if (!equal) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("uring file: what comes back short or interrupted is finished", "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  auto file = UringFile::open(fd, false, [](int descriptor) -> Result<std::unique_ptr<Uring>> {
    return std::make_unique<RudeUring>(descriptor);
  });
  REQUIRE(file);
  check_batches(**file, 3);
}

TEST_CASE("uring file: a failed transfer is the batch's error, and full is told from broken",
          "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  auto file = UringFile::open(fd, false, [](int /*descriptor*/) -> Result<std::unique_ptr<Uring>> {
    return std::make_unique<BrokenUring>();
  });
  REQUIRE(file);
  const AlignedBuffer page(page_bytes);
  const std::vector<std::span<const std::byte>> buffer{page.span()};
  const std::vector<FileWrite> writes{{0, buffer}, {page_bytes, buffer}};
  CHECK((*file)->write_many(writes).error().code == Errc::no_space);
  std::vector<FileRead> reads{{0, page.span(), 0}, {page_bytes, page.span(), 0}};
  const auto failed = (*file)->read_many(reads);
  CHECK(failed.error().code == Errc::io_failed);
  CHECK(failed.error().detail == EIO);
}

TEST_CASE("uring file: a refusal leaves the descriptor for the plain file", "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  const auto refused = UringFile::open(fd, false, &refuse);
  REQUIRE(!refused);
  CHECK(refused.error().detail == EPERM);
  REQUIRE(fd);
  PosixFile plain(std::move(fd), false);
  CHECK(!plain.is_queued());
  check_batches(plain, 4);
}

TEST_CASE("uring file: rings refused later leave the one there is", "[unit][io]") {
  const TemporaryDirectory directory;
  base::UniqueFd fd = open_fd(directory);
  std::atomic<int> asked{0};
  auto file = UringFile::open(fd, false, [&](int descriptor) -> Result<std::unique_ptr<Uring>> {
    if (asked++ > 0) return fail(Errc::io_failed, ENOMEM);
    return std::make_unique<RudeUring>(descriptor);
  });
  REQUIRE(file);
  check_batches(**file, 5);
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const AlignedBuffer page(page_bytes);
      const AlignedBuffer other(page_bytes);
      for (std::uint64_t i = 0; i < 100; ++i) {
        std::vector<FileRead> reads{{0, page.span(), 0}, {2 * page_bytes, other.span(), 0}};
        if (!(*file)->read_many(reads) || reads[0].got + reads[1].got != 2 * page_bytes) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
}

TEST_CASE("file store: where the kernel refuses io_uring it works by pread", "[unit][io]") {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(use_store_without_uring(directory.path()));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    WARN("this system grants no seccomp filters");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("file store: ARTFS_IO=pread and the option keep io_uring out", "[unit][io]") {
  const TemporaryDirectory path;
  const auto directory = open_posix_directory(path.path()).value();
  CHECK(!FileStore::open(*directory, "a", {.create = true, .queued = false}).value()->is_queued());
  REQUIRE(::setenv("ARTFS_IO", "pread", 1) == 0);
  CHECK(!FileStore::open(*directory, "b", {.create = true}).value()->is_queued());
  REQUIRE(::unsetenv("ARTFS_IO") == 0);
}

TEST_CASE("file store: on a real file both ways read what was written", "[unit][io]") {
  const bool queued = GENERATE(true, false);
  const TemporaryDirectory path;
  const auto directory = open_posix_directory(path.path()).value();
  const auto store =
      FileStore::open(*directory, "frames", {.create = true, .queued = queued}).value();
  constexpr std::size_t slots = 5;
  REQUIRE(store->reserve(slots));
  for (std::size_t i = 0; i < slots; ++i) static_cast<void>(store->allocate());
  constexpr std::size_t count = 150;
  const AlignedBuffer bytes = random_bytes(count * page_bytes, 6);
  const AlignedBuffer back(count * page_bytes);
  std::vector<PageWrite> writes;
  std::vector<PageRead> reads;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t page = i * 4 % (slots * pages_per_frame - 1);  // no two alike: 639 is odd
    const SlotId slot{page / pages_per_frame + 1};
    const auto in_slot = static_cast<std::uint32_t>(page % pages_per_frame);
    writes.push_back({slot, in_slot, bytes.span().subspan(i * page_bytes, page_bytes)});
    reads.push_back({slot, in_slot, back.span().subspan(i * page_bytes, page_bytes)});
  }
  REQUIRE(store->write(writes));
  REQUIRE(store->sync());
  REQUIRE(store->read_batch(reads));
  CHECK(std::equal(bytes.data(), bytes.data() + bytes.size(), back.data()));
}

}  // namespace artfs::io
