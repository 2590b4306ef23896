// SPDX-License-Identifier: Apache-2.0
// MemoryDirectory: a Directory in memory that fails, and loses power, on demand.
//
// Contract:   behaves as a POSIX filesystem at its least helpful: file contents are durable only after
//             File::sync_data, names only after Directory::sync, sizes like contents. Files outlive
//             the directory. power_cut() turns it into what a machine finds after the power
//             came back; files opened before answer io_failed from then on, locks are gone.
// Threading:  any thread; one mutex (Rank::device).
// Cost:       memory of the touched chunks, and of unsynced changes twice.
// Errors:     as io/device.hpp. Injected ones as asked for; no_space beyond set_capacity().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/device.hpp"

namespace artfs::io {

class MemoryDirectory final : public Directory {
 public:
  struct Options {
    bool direct = false;  // files opened direct insist on alignment, as O_DIRECT does
  };

  // Calls so far, failed ones included.
  struct Counters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t file_syncs = 0;
    std::uint64_t directory_syncs = 0;
    std::uint64_t allocates = 0;
    // Everything that fail_call() counts: writes, allocates, truncates, punches, both syncs, and
    // creations, removals and renames of names.
    std::uint64_t changes = 0;
  };

  enum class Repeat : std::uint8_t { once, for_ever };

  // What a device does to a write that it acknowledges all the same.
  enum class WriteFault : std::uint8_t {
    dropped,      // it is never stored
    misdirected,  // it is stored at another place, of the same file or of another one
  };

  struct State;  // private to src/io

  MemoryDirectory() : MemoryDirectory(Options{}) {}

  explicit MemoryDirectory(Options options);
  explicit MemoryDirectory(std::shared_ptr<State> state);
  ~MemoryDirectory() override;

  [[nodiscard]] Result<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override;
  [[nodiscard]] Result<bool> exists(std::string_view name) override;
  [[nodiscard]] Result<void> remove(std::string_view name) override;
  [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] Result<std::vector<std::string>> list() override;
  [[nodiscard]] Result<void> sync() override;
  [[nodiscard]] Result<std::unique_ptr<DirectoryLock>> lock(
      std::string_view name, bool shared, std::chrono::milliseconds wait) override;
  [[nodiscard]] Result<std::uint64_t> free_bytes() override;

  // The n-th change from now (1 is the next one) fails with `code`; with for_ever all after it too. A
  // write that fails leaves its first half behind, a failed sync makes nothing durable for good.
  // n == 0 takes back a failure that has not happened.
  void fail_call(std::uint64_t n, Errc code, Repeat repeat = Repeat::once);
  // The n-th read from now fails.
  void fail_read(std::uint64_t n, Errc code);
  // The n-th sync from now, of a file or of the directory, fails.
  void fail_sync(std::uint64_t n, Errc code);
  // The n-th write from now meets the fault: all of it or, for half of the seeds, some of its sectors.
  // The seed also picks the wrong place.
  void damage_write(std::uint64_t n, WriteFault fault, std::uint64_t seed);
  // What damage_write() did, for people; empty while it has not happened.
  [[nodiscard]] std::string damage() const;
  // The sum of file sizes that fits.
  void set_capacity(std::uint64_t bytes);
  // Each sync of a file takes this long, without the mutex: to widen races.
  void set_sync_delay(std::chrono::microseconds delay);

  // Keeps what was synced and some of the rest (see MemoryInode): the same seed, the same choice.
  void power_cut(std::uint64_t seed);
  // The same as a new directory; this one is not touched. Faults and capacity are not inherited.
  [[nodiscard]] std::unique_ptr<MemoryDirectory> clone_after_power_cut(std::uint64_t seed) const;
  // Only what was synced.
  [[nodiscard]] std::unique_ptr<MemoryDirectory> clone_durable() const;
  // Everything as written, as after a kill of the process.
  [[nodiscard]] std::unique_ptr<MemoryDirectory> clone_current() const;

  // Flips one bit of a file's contents, on the device too. False beyond the end or without the file.
  bool flip_bit(std::string_view name, std::uint64_t bit);

  [[nodiscard]] Counters counters() const;

 private:
  // Shared with the files and locks, which may outlive the directory.
  std::shared_ptr<State> state_;
};

}  // namespace artfs::io
