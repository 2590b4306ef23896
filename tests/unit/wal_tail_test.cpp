// SPDX-License-Identifier: Apache-2.0
// The end of the log: torn tails, garbage, stale records, damage, and what an open may change.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/borrowed_directory.hpp"
#include "support/wal_log.hpp"
#include "wal/record_codec.hpp"
#include "wal/segment.hpp"

using namespace artfs;
using namespace artfs::test;
using namespace std::chrono_literals;
using io::MemoryDirectory;

namespace {

struct Written {
  std::unique_ptr<MemoryDirectory> directory = std::make_unique<MemoryDirectory>();
  std::vector<LogEntry> entries;
  std::vector<Lsn> ends;
  std::string file;  // the segment they are in
  Lsn start;
};

// `synced` records, each durable before the next, then `lazy` ones that one last sync covers.
Written write_log(std::size_t synced, std::size_t lazy) {
  Written written;
  REQUIRE(wal::Log::create(*written.directory, log_uuid, log_first, small_segment_bytes));
  auto opened = open_log(*written.directory, log_first, quiet_options());
  REQUIRE(opened);
  written.start = Lsn{opened->log->end().raw & ~std::uint64_t{small_segment_bytes - 1}};
  written.file = wal::segment_name(written.start);
  for (std::size_t i = 0; i < synced + lazy; ++i) {
    std::string payload = "record " + std::to_string(i);
    const auto appended = append(*opened->log, payload);
    written.entries.push_back({appended.lsn, std::move(payload)});
    written.ends.push_back(appended.end);
    if (i < synced) REQUIRE(opened->log->sync_to(appended.end));
  }
  REQUIRE(opened->log->close());
  return written;
}

void overwrite(io::Directory& directory, const std::string& name, std::uint64_t offset,
               const std::string& bytes) {
  const auto file = directory.open(name, {});
  REQUIRE(file);
  REQUIRE((*file)->write_at(offset, base::as_bytes(bytes)));
  REQUIRE((*file)->sync_data());
}

std::string random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string record_as_string(Lsn lsn, Lsn durable, const std::string& payload) {
  auto header = wal::prepare_header(format::LogRecordKind::transaction, base::as_bytes(payload));
  wal::seal_header(header, {lsn, durable});
  std::string bytes(base::as_chars(base::object_bytes(header)));
  bytes += payload;
  bytes.resize(wal::record_bytes(payload.size()));
  return bytes;
}

void copy_file(io::Directory& directory, const std::string& from, const std::string& to) {
  const auto source = directory.open(from, {.read_only = true});
  const auto target = directory.open(to, {.create = true});
  REQUIRE((source && target));
  std::vector<std::byte> bytes(*(*source)->size());
  REQUIRE((*source)->read_at(0, bytes));
  REQUIRE((*target)->write_at(0, bytes));
  REQUIRE((*target)->sync_data());
  REQUIRE(directory.sync());
}

// As filesystems do that store no zero blocks.
class Sparse final : public io::File {
 public:
  explicit Sparse(std::unique_ptr<io::File> file) : file_(std::move(file)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    return file_->read_at(offset, out);
  }

  using io::File::write_at;

  Result<void> write_at(std::uint64_t offset,
                        std::span<const std::span<const std::byte>> buffers) override {
    return file_->write_at(offset, buffers);
  }

  Result<void> sync_data() override { return file_->sync_data(); }

  Result<std::uint64_t> size() override { return file_->size(); }

  Result<std::uint64_t> end_of_data(std::uint64_t from) override {
    std::vector<std::byte> bytes(*file_->size());
    (void)*file_->read_at(0, bytes);
    std::uint64_t end = bytes.size();
    while (end > from && bytes[end - 1] == std::byte{0}) --end;
    return std::max(from, end);
  }

  Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }

  Result<void> allocate(std::uint64_t offset, std::uint64_t length) override {
    return file_->allocate(offset, length);
  }

  Result<void> punch(std::uint64_t offset, std::uint64_t length) override {
    return file_->punch(offset, length);
  }

  [[nodiscard]] bool is_direct() const noexcept override { return false; }

 private:
  std::unique_ptr<io::File> file_;
};

class SparseDirectory final : public BorrowedDirectory {
 public:
  using BorrowedDirectory::BorrowedDirectory;

  Result<std::unique_ptr<io::File>> open(std::string_view name, io::OpenFlags flags) override {
    auto file = ARTFS_TRY(BorrowedDirectory::open(name, flags));
    return std::make_unique<Sparse>(std::move(file));
  }
};

}  // namespace

TEST_CASE("P5: garbage behind the last log record does not stop the open", "[unit][wal]") {
  const Written written = write_log(5, 5);
  const std::uint64_t tail = written.ends.back().raw - written.start.raw;
  const std::string garbage = GENERATE(std::string(4096, '\0'), random_bytes(4096, 1),
                                       random_bytes(50000, 2), std::string(100, '\xff'));
  overwrite(*written.directory, written.file, tail, garbage);
  for (int life = 0; life < 3; ++life) {
    auto opened = open_log(*written.directory, log_first);
    REQUIRE(opened);
    REQUIRE(opened->replayed.size() == 10 + static_cast<std::size_t>(life));
    CHECK(std::equal(written.entries.begin(), written.entries.end(), opened->replayed.begin()));
    const auto appended = append(*opened->log, "later " + std::to_string(life));
    REQUIRE(opened->log->sync_to(appended.end));
    CHECK(opened->log->close());
  }
}

TEST_CASE("wal reader: records lost out of order end the log at the first hole", "[unit][wal]") {
  Written written = write_log(3, 7);
  // The lazy records were written after the last sync they know of: any of them may be missing.
  const std::size_t hole = GENERATE(3U, 5U, 8U);
  overwrite(*written.directory, written.file, written.entries[hole].lsn.raw - written.start.raw + 8,
            "zap");
  auto opened = open_log(*written.directory, log_first);
  REQUIRE(opened);
  written.entries.resize(hole);
  CHECK(opened->replayed == written.entries);
  const auto appended = append(*opened->log, "new life");
  written.entries.push_back({appended.lsn, "new life"});
  REQUIRE(opened->log->close());
  // The whole records behind the hole never come back.
  for (int i = 0; i < 3; ++i) {
    const auto again = open_log(*written.directory, log_first);
    REQUIRE(again);
    CHECK(again->replayed == written.entries);
  }
}

TEST_CASE("wal reader: damage below what was durable fails the open with its LSN", "[unit][wal]") {
  const Written written = write_log(10, 0);
  const std::size_t victim = GENERATE(0U, 4U, 8U);
  const Lsn lsn = written.entries[victim].lsn;
  REQUIRE(written.directory->flip_bit(written.file, (lsn.raw - written.start.raw + 50) * 8));
  const auto changes = written.directory->counters().changes;
  const auto opened = open_log(*written.directory, log_first);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == Error{Errc::log_corrupt, lsn.raw});
  CHECK(written.directory->counters().changes == changes);
}

TEST_CASE("wal reader: damage is found across lives and segments too", "[unit][wal]") {
  const Written written = write_log(1, 3);
  {
    // The next life proves that all four were whole, even without a record of its own.
    const auto opened = open_log(*written.directory, log_first, quiet_options());
    REQUIRE(opened);
    if (GENERATE(false, true)) {
      const auto appended = append(*opened->log, "proof");
      REQUIRE(opened->log->sync_to(appended.end));
    }
  }
  const Lsn lsn = written.entries[2].lsn;
  REQUIRE(written.directory->flip_bit(written.file, (lsn.raw - written.start.raw + 30) * 8));
  const auto opened = open_log(*written.directory, log_first);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == Error{Errc::log_corrupt, lsn.raw});
}

TEST_CASE("wal reader: a damaged segment header is no silent end", "[unit][wal]") {
  const Written written = write_log(5, 0);
  const std::uint64_t bit = GENERATE(0U, 8U * 0x10, 8U * 0x24, 8U * 0x30);
  REQUIRE(written.directory->flip_bit(written.file, bit));
  const auto opened = open_log(*written.directory, log_first);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::log_corrupt);
}

TEST_CASE("wal reader: a missing segment is no silent end", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, small_segment_bytes));
  {
    auto opened = open_log(directory, log_first);
    REQUIRE(opened);
    for (int i = 0; i < 400; ++i) append(*opened->log, std::string(900, 'x'));
    REQUIRE(opened->log->sync_to(opened->log->end()));
    append(*opened->log, "knows");
  }
  const auto listing = wal::list_segments(directory, log_uuid);
  REQUIRE(listing);
  REQUIRE(listing->segments.size() > 5);
  const std::size_t victim = GENERATE(0U, 1U, 3U);
  const auto damaged = directory.clone_current();
  REQUIRE(damaged->remove(wal::segment_name(listing->segments[victim].start)));
  const auto opened = open_log(*damaged, log_first);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::log_corrupt);
}

TEST_CASE("P5: stale records of an earlier life are never replayed", "[unit][wal]") {
  Written written = write_log(2, 0);
  // As a lost life may have left them: whole, with fitting LSNs, behind the end and in the segment
  // that would come next.
  const Lsn gap{written.ends.back().raw + 64};
  overwrite(*written.directory, written.file, gap.raw - written.start.raw,
            record_as_string(gap, written.ends.back(), "stale, same segment"));
  const Lsn next{written.start.raw + small_segment_bytes};
  const std::string next_file = wal::segment_name(next);
  if (!*written.directory->exists(next_file)) {
    REQUIRE(
        wal::SegmentPool(*written.directory, log_uuid, small_segment_bytes, {}).make({next, next}));
  }
  overwrite(*written.directory, next_file, 4096,
            record_as_string(Lsn{next.raw + 4096}, written.ends.back(), "stale, next segment"));
  for (int life = 0; life < 6; ++life) {
    auto opened = open_log(*written.directory, log_first, quiet_options());
    REQUIRE(opened);
    CHECK(opened->replayed == written.entries);
    CHECK(opened->log->end() > next);
    // Enough to reach into further segments, and to use old files again.
    for (int i = 0; i < 90; ++i) {
      std::string payload = "life " + std::to_string(life) + std::string(900, '.');
      const auto appended = append(*opened->log, payload);
      written.entries.push_back({appended.lsn, std::move(payload)});
    }
    REQUIRE(opened->log->close());
  }
}

TEST_CASE("wal reader: an unknown kind of record is an error, not an end", "[unit][wal]") {
  const Written written = write_log(1, 0);
  const Lsn lsn = written.ends.back();
  auto header = wal::prepare_header(format::LogRecordKind{77}, {});
  wal::seal_header(header, {lsn, lsn});
  overwrite(*written.directory, written.file, lsn.raw - written.start.raw,
            std::string(base::as_chars(base::object_bytes(header))));
  const auto opened = open_log(*written.directory, log_first);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == Error{Errc::log_corrupt, lsn.raw});
}

TEST_CASE("wal log: segments of another store are refused", "[unit][wal]") {
  const Written written = write_log(3, 0);
  const auto opened = wal::Log::open(*written.directory, {std::byte{1}}, log_first, {},
                                     [](Lsn, Lsn, auto) -> Result<void> { return {}; });
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::log_corrupt);
}

TEST_CASE("wal log: a segment under another's name is not read", "[unit][wal]") {
  const Written written = write_log(3, 0);
  copy_file(*written.directory, written.file,
            wal::segment_name(Lsn{written.start.raw + 16 * small_segment_bytes}));
  auto opened = open_log(*written.directory, log_first);
  REQUIRE(opened);
  CHECK(opened->replayed == written.entries);
  CHECK(opened->log->end().raw > written.start.raw + 16 * small_segment_bytes);
}

TEST_CASE("wal log: a read-only open replays, and changes nothing on disk", "[unit][wal]") {
  const Written written = write_log(3, 4);
  overwrite(*written.directory, written.file, written.ends.back().raw - written.start.raw,
            random_bytes(3000, 9));  // over the last word of the log, too
  const auto changes = written.directory->counters().changes;
  wal::LogOptions options;
  options.read_only = true;
  {
    const auto opened = open_log(*written.directory, written.ends[1], options);
    REQUIRE(opened);
    CHECK(opened->replayed.size() == 5);
    CHECK(opened->log->end() >= written.ends.back());
    CHECK(opened->log->durable() == opened->log->end());
    CHECK(opened->log->reserve(1).error().code == Errc::store_read_only);
    CHECK(opened->log->cut(written.ends[3]).error().code == Errc::store_read_only);
    CHECK(opened->log->sync_to(opened->log->end()));
    CHECK(opened->log->close());
  }
  CHECK(written.directory->counters().changes == changes);
}

TEST_CASE("wal log: replay starts at the cut and stops at what it is told", "[unit][wal]") {
  const Written written = write_log(6, 0);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto copy = written.directory->clone_current();
    const auto opened = open_log(*copy, written.ends[i]);
    REQUIRE(opened);
    CHECK(opened->replayed.size() == 5 - i);
  }
  const auto refused = wal::Log::open(
      *written.directory, log_uuid, log_first, {},
      [](Lsn lsn, Lsn, auto) -> Result<void> { return fail(Errc::no_space, lsn.raw); });
  CHECK(refused.error() == Error{Errc::no_space, written.entries[0].lsn.raw});
  CHECK(open_log(*written.directory, Lsn{1ULL << 40}).error().code == Errc::log_corrupt);
}

TEST_CASE(
    "wal log: after a clean close an open reads little, and believes nothing behind the close",
    "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  Lsn end;
  {
    auto opened = open_log(directory, log_first);
    REQUIRE(opened);
    end = append(*opened->log, "last").end;
    REQUIRE(opened->log->close());
  }
  const auto before = directory.counters().bytes_read;
  const auto opened = open_log(directory, end);
  REQUIRE(opened);
  CHECK(opened->replayed.empty());
  CHECK(directory.counters().bytes_read - before < mib);
}

TEST_CASE("wal log: the first open of a new log reads little", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  const auto before = directory.counters().bytes_read;
  const auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  CHECK(opened->replayed.empty());
  CHECK(directory.counters().bytes_read - before < mib);
}

TEST_CASE("R9: an open after a kill reads the log once, and no more than two segments again",
          "[unit][wal]") {
  constexpr std::size_t segment_bytes = mib;
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, segment_bytes));
  auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  Lsn end;
  constexpr std::size_t records = 9000;
  for (std::size_t i = 0; i < records; ++i) end = append(*opened->log, std::string(1000, 'k')).end;
  REQUIRE(opened->log->sync_to(end));
  const auto killed = directory.clone_durable();
  const auto before = killed->counters().bytes_read;
  std::size_t replayed = 0;
  const auto log = wal::Log::open(*killed, log_uuid, log_first, quiet_options(),
                                  [&](Lsn, Lsn, std::span<const std::byte>) -> Result<void> {
                                    ++replayed;
                                    return {};
                                  });
  REQUIRE(log);
  CHECK(replayed == records);
  // What a segment begins with is read a second time when there is more: a quarter MiB each.
  CHECK(killed->counters().bytes_read - before < records * 1048 * 5 / 4 + 3 * segment_bytes);
}

TEST_CASE("wal reader: the zeros at the end of a record may lie where no data is", "[unit][wal]") {
  MemoryDirectory disk;
  SparseDirectory directory(disk);
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, 1 * mib));
  std::vector<LogEntry> entries;
  {
    auto opened = open_log(directory, log_first, quiet_options());
    REQUIRE(opened);
    // The last one, longer than what an open reads first, ends in zeros: nothing stands behind them.
    for (const std::size_t zeros : {10UL, 5000UL, 400000UL}) {
      std::string payload = "z" + std::string(zeros, '\0');
      const auto done = append(*opened->log, payload);
      REQUIRE(opened->log->sync_to(done.end));
      entries.push_back({done.lsn, std::move(payload)});
    }
    const auto killed = disk.clone_durable();
    SparseDirectory after(*killed);
    const auto seen = open_log(after, log_first, quiet_options());
    REQUIRE(seen);
    CHECK(seen->replayed == entries);
  }
}

TEST_CASE("P17: a new segment's name is durable before a record in it is acknowledged",
          "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, small_segment_bytes));
  auto opened = open_log(directory, log_first);
  REQUIRE(opened);
  std::size_t count = 0;
  for (int round = 0; round < 30; ++round) {
    Lsn end;
    for (int i = 0; i < 20; ++i, ++count) end = append(*opened->log, std::string(1000, 'p')).end;
    REQUIRE(opened->log->sync_to(end));
    const auto after = directory.clone_durable();
    const auto seen = open_log(*after, log_first);
    REQUIRE(seen);
    CHECK(seen->replayed.size() == count);
  }
}
