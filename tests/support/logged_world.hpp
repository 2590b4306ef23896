// SPDX-License-Identifier: Apache-2.0
// LoggedWorld: a volume in which nothing happens but what the test asks for, and its crashes.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "format/key.hpp"
#include "format/volume.hpp"
#include "support/volume_on_disk.hpp"

namespace artfs::test {

inline VolumeOptions quiet_options() {
  VolumeOptions options = small_volume_options();
  options.store.commit_interval = std::chrono::hours(1);
  options.store.checkpoint_interval = std::chrono::hours(1);
  options.store.checkpoint_log_bytes = 64 * mib;
  options.write_buffer_bytes = 64 * mib;
  return options;
}

struct LoggedWorld {
  std::unique_ptr<io::MemoryDirectory> disk = std::make_unique<io::MemoryDirectory>();
  std::unique_ptr<Volume> volume;

  explicit LoggedWorld(const FormatOptions& format = {}) {
    must_format(*disk, format);
    volume = must_open_volume(*disk, quiet_options());
    wait_for_quiet();
  }

  // An open log prepares a segment in the background, which is a sync.
  void wait_for_quiet() const {
    for (std::uint64_t last = 0; last != syncs();) {
      last = syncs();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  Ino make(const std::string& name) {
    const Result<Attr> made = volume->create(root_ino, name, 0644, {});
    REQUIRE(made.has_value());
    return made->ino;
  }

  // A file whose bytes stand in blocks.
  Ino make_stored(const std::string& name, const std::string& bytes) {
    const Ino ino = make(name);
    write(ino, 0, bytes);
    REQUIRE(volume->sync().has_value());
    return ino;
  }

  void write(Ino ino, std::uint64_t offset, const std::string& bytes) {
    REQUIRE(write_at(*volume, ino, offset, bytes).has_value());
  }

  void fsync(Ino ino) { REQUIRE(volume->fsync(ino).has_value()); }

  void write_and_fsync(Ino ino, std::uint64_t offset, const std::string& bytes) {
    write(ino, offset, bytes);
    fsync(ino);
  }

  void truncate(Ino ino, std::uint64_t size) {
    SetAttr changes;
    changes.size = size;
    REQUIRE(volume->setattr(ino, changes, {}).has_value());
  }

  // Only what was synced is left.
  void crash(const VolumeOptions& options = quiet_options()) {
    std::unique_ptr<io::MemoryDirectory> after = disk->clone_durable();
    volume.reset();
    disk = std::move(after);
    volume = must_open_volume(*disk, options);
    wait_for_quiet();
  }

  std::uint64_t records() {
    const Tree tree = *volume->store().open_tree(format::volume_tree_name);
    Scan scan = tree.scan({.prefix = format::logged_class, .keys_only = true});
    std::uint64_t count = 0;
    while (*scan.next()) ++count;
    return count;
  }

  std::uint64_t syncs() const { return disk->counters().file_syncs; }
};

inline std::string bytes_of(char first, std::size_t count) {
  std::string out(count, '\0');
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<char>(first + static_cast<int>(i % 23));
  return out;
}

}  // namespace artfs::test
