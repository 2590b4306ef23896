// SPDX-License-Identifier: Apache-2.0
// Stores for tests: on a directory in memory that the test keeps, or in a temporary directory.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "artfs/store.hpp"

#include "base/log.hpp"
#include "engine/store_impl.hpp"
#include "engine/superblock.hpp"
#include "io/memory_directory.hpp"
#include "support/borrowed_directory.hpp"
#include "support/temporary_directory.hpp"
#include "wal/log.hpp"

namespace artfs::test {

// 16 frames, the least: eviction and dirty pressure come early.
inline StoreOptions small_options() {
  StoreOptions options;
  options.cache_bytes = 8 * mib;
  options.checkpoint_log_bytes = mib;
  options.lock_wait = std::chrono::milliseconds(0);
  return options;
}

inline Result<std::unique_ptr<Store>> open_on(io::Directory& disk, const StoreOptions& options) {
  auto impl = engine::StoreImpl::open(std::make_unique<BorrowedDirectory>(disk),
                                      {.path = "(test)", .options = options, .skip_replay = false});
  if (!impl) return fail(impl.error());
  return std::make_unique<Store>(*std::move(impl));
}

// The store, or a failure of the test that says why.
inline std::unique_ptr<Store> must_open(io::Directory& disk, const StoreOptions& options) {
  auto store = open_on(disk, options);
  if (!store) FAIL("open: " << to_text(store.error()));
  return *std::move(store);
}

inline void must_create(io::Directory& disk) {
  const Result<void> made = engine::StoreImpl::create(disk, {.label = "test"});
  if (!made) FAIL("create: " << to_text(made.error()));
}

// As must_create(), with log segments of 512 KiB: an open looks through the rest of the last one.
inline void must_create_small(io::MemoryDirectory& disk) {
  must_create(disk);
  const auto superblock = engine::read_superblock(disk, true);
  REQUIRE(superblock.has_value());
  const std::vector<std::string> names = disk.list().value();
  for (const std::string& name : names) {
    if (name.starts_with("log-")) REQUIRE(disk.remove(name).has_value());
  }
  REQUIRE(wal::Log::create(disk, superblock->uuid, Lsn{0}, 512 * kib).has_value());
  REQUIRE(disk.sync().has_value());
}

// A store with the tree "t", closed; rounds begin with clones of it.
inline std::unique_ptr<io::MemoryDirectory> empty_store() {
  io::MemoryDirectory disk;
  must_create_small(disk);
  const auto store = must_open(disk, small_options());
  REQUIRE(store->create_tree("t").has_value());
  REQUIRE(store->close().has_value());
  return disk.clone_current();
}

// Thousands of rounds that fail on purpose say so thousands of times; ARTFS_TEST_LOG=1 lets them.
inline void silence_log() {
  if (std::getenv("ARTFS_TEST_LOG") == nullptr) REQUIRE(base::set_log_file("/dev/null"));
}

inline void require_clean(Store& store) {
  const Result<VerifyReport> report = store.verify();
  REQUIRE(report.has_value());
  for (const std::string& problem : report->problems) UNSCOPED_INFO(problem);
  REQUIRE(report->problems.empty());
}

}  // namespace artfs::test
