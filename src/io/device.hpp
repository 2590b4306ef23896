// SPDX-License-Identifier: Apache-2.0
// File and Directory: the only way artfs reaches storage, so that tests can put a faulty one beneath it.
//
// Contract:   names are plain file names inside the directory. A File keeps its own descriptor and may
//             outlive the Directory. After a failed sync the file's unsynced contents are unknown:
//             callers stop (DESIGN 10), they never retry.
// Threading:  all calls from any thread; overlapping writes are the caller's affair.
// Cost:       one system call each unless said; reads and writes loop over short transfers.
// Errors:     no_space (ENOSPC, EDQUOT), permission_denied (EACCES, EPERM, EROFS on open),
//             io_failed with the errno in `detail`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artfs/result.hpp"

namespace artfs::io {

// O_DIRECT transfers: address, offset and length are multiples of this.
inline constexpr std::size_t direct_alignment_bytes = 4096;

// One of several transfers that are asked for together.
struct FileRead {
  std::uint64_t offset = 0;
  std::span<std::byte> out;
  std::size_t got = 0;  // bytes read, as read_at() returns them
};

struct FileWrite {
  std::uint64_t offset = 0;
  std::span<const std::span<const std::byte>> buffers;  // one after the other from `offset`
};

class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  // Reads until `out` is full or the file ends; returns the bytes read.
  [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset,
                                                    std::span<std::byte> out) = 0;
  // Writes all buffers one after the other from `offset`.
  [[nodiscard]] virtual Result<void> write_at(
      std::uint64_t offset, std::span<const std::span<const std::byte>> buffers) = 0;

  // All of them, in any order, several at a time where the file is queued. After a failure any of them
  // may have happened. They do not overlap.
  [[nodiscard]] virtual Result<void> read_many(std::span<FileRead> reads) {
    for (FileRead& read : reads) read.got = ARTFS_TRY(read_at(read.offset, read.out));
    return {};
  }

  [[nodiscard]] virtual Result<void> write_many(std::span<const FileWrite> writes) {
    for (const FileWrite& write : writes) ARTFS_TRY(write_at(write.offset, write.buffers));
    return {};
  }

  // fdatasync: data and the size are on the device.
  [[nodiscard]] virtual Result<void> sync_data() = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;

  // Where the data ends that begins at or behind `from`: what follows in the file reads as zero. The size
  // where the filesystem cannot tell. What was allocated and never written is no data.
  [[nodiscard]] virtual Result<std::uint64_t> end_of_data(std::uint64_t /*from*/) { return size(); }

  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size_bytes) = 0;
  // Backs the range with space and extends the size; new bytes read as zero. Falls back to writing
  // zeros where the filesystem cannot.
  [[nodiscard]] virtual Result<void> allocate(std::uint64_t offset, std::uint64_t length) = 0;
  // Gives the range's space back; it reads as zero. No-op where unsupported.
  [[nodiscard]] virtual Result<void> punch(std::uint64_t offset, std::uint64_t length) = 0;
  // True when transfers must be aligned (O_DIRECT is in force).
  [[nodiscard]] virtual bool is_direct() const noexcept = 0;

  // True when read_many and write_many keep several transfers in flight (io_uring).
  [[nodiscard]] virtual bool is_queued() const noexcept { return false; }

  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::span<const std::byte> data) {
    return write_at(offset, std::span(&data, 1));
  }
};

struct OpenFlags {
  bool create = false;     // make the file when missing
  bool exclusive = false;  // with create: fail with store_exists when present
  bool direct = false;     // O_DIRECT where supported; is_direct() tells
  bool read_only = false;
  bool queued = false;  // io_uring where the kernel grants it; is_queued() tells
};

// Held for as long as the object lives.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

class Directory {
 public:
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  virtual ~Directory() = default;

  // store_missing when absent and not created.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(std::string_view name,
                                                           OpenFlags flags) = 0;
  [[nodiscard]] virtual Result<bool> exists(std::string_view name) = 0;
  [[nodiscard]] virtual Result<void> remove(std::string_view name) = 0;
  [[nodiscard]] virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list() = 0;
  // Makes creations, renames and removals durable.
  [[nodiscard]] virtual Result<void> sync() = 0;
  // flock on the file `name` (created when missing, unless `shared` on a read-only directory), with our
  // pid written in it when exclusive. store_locked with the holder's pid in `detail` after `wait`.
  [[nodiscard]] virtual Result<std::unique_ptr<DirectoryLock>> lock(
      std::string_view name, bool shared, std::chrono::milliseconds wait) = 0;
  // Bytes an unprivileged writer can still allocate on the device.
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes() = 0;
};

// store_missing when `path` is no directory.
[[nodiscard]] Result<std::unique_ptr<Directory>> open_posix_directory(const std::string& path);
// Creates `path` (one level) when missing; store_exists when it is there and not empty.
[[nodiscard]] Result<std::unique_ptr<Directory>> create_posix_directory(const std::string& path);

}  // namespace artfs::io
