// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "io/aligned_buffer.hpp"
#include "io/device.hpp"
#include "support/temporary_directory.hpp"

namespace artfs::io {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

std::vector<std::byte> pattern(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> data(bytes);
  for (auto& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

constexpr OpenFlags create_flags{.create = true};

}  // namespace

TEST_CASE("posix file: many buffers are written one behind the other and read back", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  const auto file = directory->open("f", create_flags).value();
  std::vector<std::vector<std::byte>> parts;
  std::vector<std::span<const std::byte>> buffers;
  std::vector<std::byte> all;
  for (std::size_t i = 0; i < 300; ++i) {  // more than one pwritev takes; some of them empty
    parts.push_back(pattern(i * 7 % 1000, i));
  }
  for (const auto& part : parts) {
    buffers.emplace_back(part);
    all.insert(all.end(), part.begin(), part.end());
  }
  REQUIRE(file->write_at(123, buffers));
  CHECK(file->size().value() == 123 + all.size());
  std::vector<std::byte> back(all.size() + 50);
  CHECK(file->read_at(123, back).value() == all.size());  // stops at the end of the file
  back.resize(all.size());
  CHECK(back == all);
  CHECK(file->sync_data());
}

TEST_CASE("posix file: a direct file falls back where the filesystem refuses", "[unit][io]") {
  const TemporaryDirectory temp;
  for (const std::string& path : {temp.path(), std::string("/dev/shm")}) {
    const auto directory = open_posix_directory(path).value();
    const std::string name = "artfs-direct-" + std::to_string(::getpid());
    const auto file =
        directory->open(name, {.create = true, .exclusive = true, .direct = true}).value();
    const AlignedBuffer out(3 * direct_alignment_bytes);
    std::fill_n(out.data(), out.size(), std::byte{7});
    REQUIRE(file->write_at(direct_alignment_bytes, out.span()));
    const AlignedBuffer back(8 * direct_alignment_bytes);
    CHECK(file->read_at(0, back.span()).value() == 4 * direct_alignment_bytes);
    CHECK(back.data()[0] == std::byte{0});
    CHECK(back.data()[4 * direct_alignment_bytes - 1] == std::byte{7});
    CHECK(directory->remove(name));
  }
}

TEST_CASE("posix file: reads of a direct file stop at an odd end", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  REQUIRE(directory->open("f", create_flags).value()->write_at(0, pattern(5000, 1)));
  const auto file = directory->open("f", {.direct = true}).value();
  const AlignedBuffer back(4 * direct_alignment_bytes);
  CHECK(file->read_at(0, back.span()).value() == 5000);
}

TEST_CASE("posix file: allocate extends with zeros, keeps contents, and punch zeroes",
          "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  const auto file = directory->open("f", create_flags).value();
  const auto data = pattern(10000, 3);
  REQUIRE(file->write_at(0, data));
  REQUIRE(file->allocate(0, 100000));
  CHECK(file->size().value() == 100000);
  std::vector<std::byte> back(100000);
  CHECK(file->read_at(0, back).value() == back.size());
  CHECK(std::equal(data.begin(), data.end(), back.begin()));
  CHECK(back[50000] == std::byte{0});
  REQUIRE(file->punch(0, 8192));
  CHECK(file->size().value() == 100000);
  CHECK(file->read_at(0, back).value() == back.size());
  CHECK(back[8191] == std::byte{0});
  CHECK(back[8192] == data[8192]);
  REQUIRE(file->truncate(10));
  CHECK(file->size().value() == 10);
}

TEST_CASE("posix file: an allocation that fails leaves the size as it was", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  const auto file = directory->open("f", create_flags).value();
  REQUIRE(file->allocate(0, 4096));
  const auto failed = file->allocate(0, std::uint64_t{1} << 50U);
  REQUIRE_FALSE(failed);
  CHECK(file->size().value() == 4096);
}

TEST_CASE("posix directory: names, and the errors of names", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  CHECK(directory->open("missing", {}).error().code == Errc::store_missing);
  REQUIRE(directory->open("a", create_flags));
  CHECK(directory->open("a", {.create = true, .exclusive = true}).error().code ==
        Errc::store_exists);
  CHECK(directory->rename("a", "b"));
  CHECK_FALSE(directory->exists("a").value());
  CHECK(directory->exists("b").value());
  CHECK(directory->list().value() == std::vector<std::string>{"b"});
  CHECK(directory->sync());
  CHECK(directory->remove("b"));
  CHECK(directory->remove("b").error().code == Errc::store_missing);
  CHECK(directory->free_bytes().value() > 0);
  fs::create_directory(temp.path("d"));
  CHECK(directory->open("d", {.read_only = true}).error().code == Errc::store_foreign);
}

TEST_CASE("posix directory: a store is made only in a new or empty directory", "[unit][io]") {
  const TemporaryDirectory temp;
  CHECK(open_posix_directory(temp.path("none")).error().code == Errc::store_missing);
  REQUIRE(create_posix_directory(temp.path("new")));
  CHECK((fs::status(temp.path("new")).permissions() & fs::perms::others_all) == fs::perms::none);
  REQUIRE(create_posix_directory(temp.path("new")));
  REQUIRE(open_posix_directory(temp.path("new")).value()->open("f", create_flags));
  CHECK(create_posix_directory(temp.path("new")).error().code == Errc::store_exists);
  CHECK(create_posix_directory(temp.path("new/f")).error().code == Errc::store_exists);
  CHECK(open_posix_directory(temp.path("new/f")).error().code == Errc::store_missing);
  CHECK(create_posix_directory(temp.path("no/parent")).error().code == Errc::entry_not_found);
}

TEST_CASE("posix directory: files are private and closed on exec", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  REQUIRE(directory->open("f", create_flags));
  const auto mode = fs::status(temp.path("f")).permissions();
  CHECK((mode & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
  const auto file = directory->open("f", {}).value();
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = fs::read_symlink(entry.path(), gone).string();
    if (gone || target.rfind(temp.path(), 0) != 0) continue;
    CHECK((::fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("two live openers of one directory: the second waits, then names the holder",
          "[unit][io]") {
  const TemporaryDirectory temp;
  const auto first = open_posix_directory(temp.path()).value();
  const auto second = open_posix_directory(temp.path()).value();
  auto held = first->lock("lock", false, std::chrono::milliseconds(0));
  REQUIRE(held);
  const auto refused = second->lock("lock", false, std::chrono::milliseconds(50));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{Errc::store_locked, static_cast<std::uint64_t>(::getpid())});
  CHECK(second->lock("lock", true, std::chrono::milliseconds(0)).error().code ==
        Errc::store_locked);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    held->reset();
  });
  CHECK(second->lock("lock", false, std::chrono::milliseconds(5000)));
  later.join();
  const auto reader = first->lock("lock", true, std::chrono::milliseconds(0));
  CHECK(second->lock("lock", true, std::chrono::milliseconds(0)));
  CHECK(second->lock("lock", false, std::chrono::milliseconds(0)).error().code ==
        Errc::store_locked);
}

TEST_CASE("posix file: what was allocated and never written is no data", "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  const auto file = directory->open("f", create_flags).value();
  REQUIRE(file->allocate(0, 4 << 20));
  const auto none = file->end_of_data(0);
  REQUIRE(none);
  if (*none == 4 << 20) {
    WARN("this filesystem does not tell allocated space from data");
    return;
  }
  CHECK(*none == 0);
  REQUIRE(file->write_at(1 << 20, pattern(5000, 1)));
  const std::uint64_t end = file->end_of_data(0).value();
  CHECK(end >= (1 << 20) + 5000);
  CHECK(end < 2 << 20);
  CHECK(file->end_of_data((1 << 20) + 4000).value() == end);
  CHECK(file->end_of_data(3 << 20).value() == 3 << 20);
  REQUIRE(file->write_at((4 << 20) - 1, pattern(1, 2)));
  CHECK(file->end_of_data(0).value() == 4 << 20);
}

TEST_CASE("posix file: a quota or limit that stops a write is an error, not a short write",
          "[unit][io]") {
  const TemporaryDirectory temp;
  const auto directory = open_posix_directory(temp.path()).value();
  // In a child: the limit would hit the test's own output too.
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto file = directory->open("f", create_flags);
    const auto result = (*file)->write_at(0, pattern(3 << 20, 1));
    ::_exit(!result && result.error() == Error{Errc::io_failed, EFBIG} ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

}  // namespace artfs::io
