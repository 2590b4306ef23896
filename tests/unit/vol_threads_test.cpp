// SPDX-License-Identifier: Apache-2.0
// Many threads on one volume: no loops of directories, no lost names, no lost bytes.
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/scale.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs {
namespace {

using test::volume_in_memory;

void run_threads(unsigned count, const std::function<void(unsigned)>& work) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

VolumeOptions busy_options() {
  VolumeOptions options = test::small_volume_options();
  options.store.commit_interval = std::chrono::milliseconds(20);  // the flusher is always about
  return options;
}

TEST_CASE("threads: directories moved among each other never form a loop", "[unit][vol]") {
  const auto volume = volume_in_memory(busy_options());
  std::vector<Ino> dirs = {root_ino};
  for (int i = 0; i < 8; ++i) {
    dirs.push_back(
        volume->mkdir(dirs[static_cast<std::size_t>(i) / 2], "d" + std::to_string(i), 0755, {})
            ->ino);
  }
  const std::uint64_t rounds = test::scaled(1500);
  run_threads(4, [&](unsigned thread) {
    std::mt19937_64 rng(thread);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const Ino from = dirs[rng() % dirs.size()];
      const Ino to = dirs[rng() % dirs.size()];
      const std::string name = "d" + std::to_string(rng() % 8);
      const std::string other = "d" + std::to_string(rng() % 8);
      const bool exchange = rng() % 3 == 0;
      (void)volume->rename({from, name}, {to, exchange ? other : name},
                           {.no_replace = !exchange, .exchange = exchange});
    }
  });
  test::require_clean(*volume);
  CHECK(volume->check()->directories == dirs.size());
}

TEST_CASE("threads: names come and go in shared directories and the counts agree", "[unit][vol]") {
  const auto volume = volume_in_memory(busy_options());
  const Ino left = volume->mkdir(root_ino, "left", 0755, {})->ino;
  const Ino right = volume->mkdir(root_ino, "right", 0755, {})->ino;
  const std::uint64_t rounds = test::scaled(2000);
  run_threads(4, [&](unsigned thread) {
    std::mt19937_64 rng(thread + 100);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const Ino dir = rng() % 2 == 0 ? left : right;
      const Ino other = rng() % 2 == 0 ? left : right;
      const std::string name = std::to_string(rng() % 20);
      const std::string to = std::to_string(rng() % 20);
      switch (rng() % 7) {
        case 0:
          (void)volume->mknod(dir, name, 0100644, 0, {});
          break;
        case 1:
          (void)volume->unlink(dir, name);
          break;
        case 2:
          (void)volume->rename({dir, name}, {other, to}, {});
          break;
        case 3:
          (void)volume->rename({dir, name}, {other, to}, {.no_replace = false, .exchange = true});
          break;
        case 4: {
          const Result<Attr> attr = volume->lookup(dir, name);
          if (attr) (void)volume->link(attr->ino, other, to);
          break;
        }
        case 5: {
          const Result<Attr> attr = volume->lookup(dir, name);
          if (attr) (void)test::write_at(*volume, attr->ino, rng() % 5000, std::string(100, 'x'));
          break;
        }
        default:
          (void)volume->mkdir(dir, name, 0755, {});
          (void)volume->rmdir(dir, name);
      }
    }
  });
  test::require_clean(*volume);
}

TEST_CASE("threads: writers of one file beside flushes and syncs lose nothing", "[unit][vol]") {
  const auto volume = volume_in_memory(busy_options());
  const Ino ino = volume->create(root_ino, "file", 0644, {})->ino;
  constexpr std::size_t piece = 700;
  const std::uint64_t rounds = test::scaled(300);
  run_threads(4, [&](unsigned thread) {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const std::string data(piece, static_cast<char>('a' + thread));
      const std::uint64_t offset = (i * 4 + thread) * piece;
      if (!test::write_at(*volume, ino, offset, data)) std::abort();
      if (i % 50 == thread && !volume->fsync(ino)) std::abort();
      if (volume->getattr(ino)->size < offset + piece) std::abort();
    }
  });
  const std::string all = test::read_all(*volume, ino);
  REQUIRE(all.size() == rounds * 4 * piece);
  for (std::size_t at = 0; at < all.size(); ++at) {
    if (all[at] != static_cast<char>('a' + at / piece % 4)) FAIL("byte " << at);
  }
  volume->release(ino);
  test::require_clean(*volume);
}

TEST_CASE("threads: files made, written, opened and removed at once leave nothing", "[unit][vol]") {
  VolumeOptions options = busy_options();
  options.reclaim_on_forget = GENERATE(false, true);
  const auto volume = volume_in_memory(options);
  const std::uint64_t rounds = test::scaled(400);
  run_threads(4, [&](unsigned thread) {
    std::mt19937_64 rng(thread);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const std::string name = std::to_string(thread) + "-" + std::to_string(i);
      const Result<Attr> made = volume->create(root_ino, name, 0644, {});
      if (!made) std::abort();
      const std::size_t size = rng() % 8 == 0 ? 100000 : rng() % 3000;
      if (size > 0 && !test::write_at(*volume, made->ino, 0, std::string(size, 'q'))) std::abort();
      if (rng() % 2 == 0) volume->release(made->ino);
      const bool open = rng() % 2 == 0 && volume->open_file(made->ino).has_value();
      if (!volume->unlink(root_ino, name)) std::abort();
      if (open) volume->release(made->ino);
      volume->release(made->ino);  // one too many is ignored
      volume->forget(made->ino);
    }
  });
  REQUIRE(volume->sync().has_value());
  CHECK(volume->stats().orphans == 0);
  CHECK(volume->stats().inodes == 1);
  CHECK(volume->stats().content_bytes_used == 0);
  test::require_clean(*volume);
}

TEST_CASE("threads: readers beside a writer see each block old or new, and never an error",
          "[unit][vol]") {
  VolumeOptions options = busy_options();
  options.block_cache_bytes = GENERATE(std::uint64_t{0}, mib);
  const auto volume = volume_in_memory(options);
  constexpr std::size_t block = 64 * kib;
  constexpr std::size_t blocks = 6;
  const Ino ino = volume->create(root_ino, "f", 0644, {})->ino;
  const auto fill = [&](std::uint64_t at, char with) {
    const std::string bytes(block, with);
    REQUIRE(volume->write(ino, at * block, std::as_bytes(std::span(bytes)), {}));
  };
  for (std::uint64_t i = 0; i < blocks; ++i) fill(i, 'a');
  REQUIRE(volume->fsync(ino));
  std::atomic<bool> done{false};
  std::atomic<unsigned> errors{0};
  std::atomic<unsigned> mixed{0};
  run_threads(4, [&](unsigned thread) {
    std::mt19937_64 rng(thread);
    if (thread == 0) {
      const std::uint64_t rounds = test::scaled(300);
      for (std::uint64_t i = 0; i < rounds; ++i) {
        fill(rng() % blocks, static_cast<char>('a' + i % 26));
        // What is freed may be used again only after a checkpoint.
        if (i % 8 == 0) (void)volume->fsync(ino);
        if (i % 32 == 0) (void)volume->store().checkpoint();
      }
      done = true;
      return;
    }
    std::string out;
    while (!done) {
      const std::uint64_t first = rng() % blocks;
      out.assign(rng() % 2 == 0 ? 4096 : 2 * block, '?');
      const auto got = volume->read(ino, first * block,
                                    std::as_writable_bytes(std::span(out.data(), out.size())));
      if (!got) {
        ++errors;
        continue;
      }
      for (std::size_t at = 0; at < *got; at += block) {
        const std::string part = out.substr(at, std::min(block, *got - at));
        if (part.find_first_not_of(part[0]) != std::string::npos) ++mixed;
      }
    }
  });
  CHECK(errors == 0);
  CHECK(mixed == 0);
  test::require_clean(*volume);
}

}  // namespace
}  // namespace artfs
