// SPDX-License-Identifier: Apache-2.0
// Log: the write-ahead log: append, group commit, replay, cut.
//
// Contract:   append() assigns the record its LSN and returns that and the LSN of its end; the caller
//             holds the commit gate shared from before append() until the change is applied.
//             Records reach the file within 10 ms and the device within the commit interval, or
//             when somebody waits in sync_to(). The order of LSNs is the order of the log. Every
//             writable open starts a segment of its own above every LSN that was ever handed out:
//             an LSN is never used twice, and nothing of an earlier life can be replayed in a later
//             one.
// Threading:  append: any thread, short mutex (Rank::log_tail), never waits for the device. reserve: any
//             thread, without gate and latches; writes them out when 8 MiB are unwritten, also while a sync hangs.
//             sync_to: any thread, blocks on the device; one leader syncs for everybody who waits
//             (no polling thread). cut: one thread.
// Cost:       append: one copy of the payload. sync_to: at most one fdatasync per leader round.
// Errors:     log_full, no_space from reserve(); log_corrupt (detail: LSN) from open; after any failed
//             write or sync every call returns io_failed: the log never retries (P16).
// Invariants: W2D (with the engine): nothing reaches the data file whose record is not durable.
//             I2 the log is cut only at a committed checkpoint's cut.
//             EOL the log ends at the first record that does not verify, unless one behind it
//             verifies and says that it was durable: then open fails with log_corrupt.
// Source:     group commit by leader and followers: Hagmann, "Reimplementing the Cedar File System"
//             (SOSP 1987); end-LSN acknowledgement: ARIES.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "artfs/result.hpp"
#include "artfs/stats.hpp"
#include "artfs/types.hpp"

#include "format/log.hpp"
#include "io/device.hpp"

namespace artfs::wal {

inline constexpr std::size_t payload_bytes_max = format::log_payload_bytes_max;  // 4 MiB
// At the bound reserve() returns log_full. Every open that writes takes one segment of 16 MiB of
// it.
inline constexpr std::uint64_t log_bytes_max = 256 * mib;

struct LogOptions {
  std::chrono::milliseconds commit_interval{1000};
  std::chrono::milliseconds write_interval{10};
  bool read_only = false;
  // Called by the leader before each device sync, without locks: makes durable what the records
  // appended before the call refer to (file contents). Also called by open(), when it replayed
  // records that a killed process may have left in the page cache. A failure stops the log.
  std::function<Result<void>()> before_sync;
};

struct Appended {
  Lsn lsn;  // of the record: the version of what it writes
  Lsn end;  // wait for this one to know the record durable
};

class Log {
 public:
  // Makes the first segment, durable. Every record will have an LSN above `first`, which is what
  // the first open passes as `from`. `segment_bytes`: a power of two, 64 KiB to 16 MiB; small ones
  // are for tests, and bound the log to 16 of them.
  [[nodiscard]] static Result<void> create(io::Directory& directory, std::array<std::byte, 16> uuid,
                                           Lsn first,
                                           std::size_t segment_bytes = format::log_segment_bytes);

  using ReplayFn =
      std::function<Result<void>(Lsn lsn, Lsn end, std::span<const std::byte> payload)>;
  // Replays every transaction at or above `from` in order, cuts the torn tail off, makes the rest
  // durable, and is ready to append. An error of `replay` ends the open. A read-only log changes
  // nothing on disk; reserve() and append() on it return store_read_only. The payload is valid
  // during the call. `directory` outlives the log.
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(io::Directory& directory,
                                                         std::array<std::byte, 16> uuid, Lsn from,
                                                         const LogOptions& options,
                                                         const ReplayFn& replay);
  virtual ~Log() = default;

  // Makes sure that an append of that payload size (1 to payload_bytes_max) cannot fail for lack of
  // space. Called before the commit gate; the right is given back when the object dies or is used
  // by append(). A thread holds at most one.
  class [[nodiscard]] Reserve;
  // log_full when the log is at its bound, no_space when the device has no more for it: checkpoint, then
  // try again. The spare segment is kept for the next open; `takes_spare`, when a checkpoint did not
  // help: the next one will bring a segment back.
  [[nodiscard]] virtual Result<Reserve> reserve(std::size_t payload_size,
                                                bool takes_spare = false) = 0;
  // Cannot fail for lack of space. io_failed once the log has stopped: then nothing was appended.
  [[nodiscard]] virtual Result<Appended> append(Reserve reserve,
                                                std::span<const std::byte> payload) = 0;

  // Of the last record appended; after open, where the first one may come.
  [[nodiscard]] virtual Lsn end() const noexcept = 0;
  [[nodiscard]] virtual Lsn durable() const noexcept = 0;  // everything below is on the device
  [[nodiscard]] virtual Result<void> sync_to(Lsn end) = 0;

  // Segments wholly below `cut` are recycled or removed. `cut` is an end of a record, or end().
  [[nodiscard]] virtual Result<void> cut(Lsn cut) = 0;
  [[nodiscard]] virtual std::uint64_t bytes_since_cut() const noexcept = 0;

  // Writes and syncs everything, stops the background writer. Idempotent.
  [[nodiscard]] virtual Result<void> close() = 0;
  [[nodiscard]] virtual LogStats stats() const noexcept = 0;

  class Reserve {
   public:
    Reserve() noexcept = default;

    Reserve(Reserve&& other) noexcept : log_(other.log_), bytes_(other.bytes_) {
      other.log_ = nullptr;
    }

    Reserve& operator=(Reserve&& other) noexcept {
      std::swap(log_, other.log_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }

    ~Reserve() {
      if (log_ != nullptr) log_->unreserve(bytes_);
    }

   private:
    friend class Log;
    friend class LogImpl;

    Reserve(Log* log, std::size_t bytes) noexcept : log_(log), bytes_(bytes) {}

    Log* log_ = nullptr;
    std::size_t bytes_ = 0;
  };

 protected:
  virtual void unreserve(std::size_t bytes) noexcept = 0;
};

}  // namespace artfs::wal
