// SPDX-License-Identifier: Apache-2.0
// A volume on a directory that the test keeps: in memory, with faults and power cuts.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "artfs/volume.hpp"

#include "io/memory_directory.hpp"
#include "support/engine_store.hpp"
#include "vol/volume_impl.hpp"

namespace artfs::test {

inline VolumeOptions small_volume_options() {
  VolumeOptions options;
  options.store = small_options();
  options.write_buffer_bytes = mib;
  return options;
}

inline Result<std::unique_ptr<Volume>> open_volume(io::Directory& disk,
                                                   const VolumeOptions& options) {
  std::unique_ptr<Store> store = ARTFS_TRY(open_on(disk, options.store));
  return std::make_unique<Volume>(
      ARTFS_TRY(vol::VolumeImpl::open_store(std::move(store), options)));
}

inline std::unique_ptr<Volume> must_open_volume(io::Directory& disk, const VolumeOptions& options) {
  Result<std::unique_ptr<Volume>> volume = open_volume(disk, options);
  if (!volume) FAIL("open: " << to_text(volume.error()));
  return *std::move(volume);
}

inline void must_format(io::Directory& disk, const FormatOptions& format = {}) {
  must_create(disk);
  const auto store = must_open(disk, small_options());
  const Result<void> made = vol::VolumeImpl::format_store(*store, format);
  if (!made) FAIL("format: " << to_text(made.error()));
  REQUIRE(store->close().has_value());
}

inline std::unique_ptr<Volume> volume_in_memory(
    const VolumeOptions& options = small_volume_options(), const FormatOptions& format = {}) {
  Result<std::unique_ptr<Volume>> volume = Volume::open_in_memory(format, options);
  if (!volume) FAIL("open: " << to_text(volume.error()));
  return *std::move(volume);
}

inline void require_clean(Volume& volume) {
  const Result<CheckReport> report = volume.check({.read_contents = true});
  if (!report) FAIL("check: " << to_text(report.error()));
  for (const std::string& problem : report->problems) UNSCOPED_INFO(problem);
  REQUIRE(report->problems.empty());
}

inline std::string read_all(Volume& volume, Ino ino) {
  std::string out(volume.getattr(ino)->size, '\0');
  const auto bytes = std::as_writable_bytes(std::span(out.data(), out.size()));
  const Result<std::size_t> read = volume.read(ino, 0, bytes);
  if (!read) FAIL("read: " << to_text(read.error()));
  out.resize(*read);
  return out;
}

inline Result<void> write_at(Volume& volume, Ino ino, std::uint64_t offset, std::string_view data) {
  return volume.write(ino, offset, std::as_bytes(std::span(data.data(), data.size())), {});
}

inline int errno_of(const Error& error) {
  return to_errno(error);
}

template <typename T>
int errno_of(const Result<T>& result) {
  return result ? 0 : to_errno(result.error());
}

}  // namespace artfs::test
