// SPDX-License-Identifier: Apache-2.0
#include "support/wal_log.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace artfs;
using namespace artfs::test;
using namespace std::chrono_literals;
using io::MemoryDirectory;

namespace {

std::vector<LogEntry> fill(wal::Log& log, std::size_t count, std::uint64_t seed,
                           std::size_t bytes_max = 300) {
  std::mt19937_64 random(seed);
  std::vector<LogEntry> entries;
  for (std::size_t i = 0; i < count; ++i) {
    std::string payload = random_payload(random, bytes_max);
    const auto appended = append(log, payload);
    entries.push_back({appended.lsn, std::move(payload)});
  }
  return entries;
}

}  // namespace

TEST_CASE("wal log: what was appended is replayed in order with its LSNs", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  std::vector<LogEntry> entries;
  {
    auto opened = open_log(directory, log_first);
    REQUIRE(opened);
    CHECK(opened->replayed.empty());
    CHECK(opened->log->end() == opened->log->durable());
    entries = fill(*opened->log, 1000, 1);
    CHECK(opened->log->bytes_since_cut() > 1000 * 48);
    REQUIRE(opened->log->close());
    REQUIRE(opened->log->close());
  }
  for (int round = 0; round < 3; ++round) {
    const auto opened = open_log(directory, log_first);
    REQUIRE(opened);
    CHECK(opened->replayed == entries);
    CHECK(opened->log->end() > entries.back().lsn);
  }
}

TEST_CASE("wal log: records of many segments and of 4 MiB are replayed", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, Lsn{12345}));
  std::vector<LogEntry> entries;
  {
    auto opened = open_log(directory, Lsn{12345});
    REQUIRE(opened);
    for (std::size_t i = 0; i < 12; ++i) {
      std::string payload(i % 2 == 0 ? wal::payload_bytes_max : 100 + i, static_cast<char>(i));
      const auto appended = append(*opened->log, payload);
      CHECK(appended.lsn > Lsn{12345});
      entries.push_back({appended.lsn, std::move(payload)});
    }
    CHECK(opened->log->stats().segments >= 2);
    CHECK(opened->log->reserve(wal::payload_bytes_max + 1).error().code ==
          Errc::transaction_too_large);
  }
  const auto opened = open_log(directory, Lsn{12345});
  REQUIRE(opened);
  CHECK(opened->replayed == entries);
}

TEST_CASE("P3: a sync returns only when its own record is durable", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  directory.set_sync_delay(2ms);
  wal::Log& log = *opened->log;
  std::mutex results_mutex;
  bool all_found = true;
  const auto writer = [&](int thread) {
    for (int i = 0; i < 25; ++i) {
      const std::string payload = std::to_string(thread) + "/" + std::to_string(i);
      const auto appended = try_append(log, payload);  // no assertions beside another thread's
      const bool synced = appended && log.sync_to(appended->end);
      const auto after = directory.clone_durable();
      wal::LogOptions options;
      options.read_only = true;
      const auto seen = open_log(*after, log_first, options);
      const bool found = synced && seen &&
                         std::any_of(seen->replayed.begin(), seen->replayed.end(),
                                     [&](const LogEntry& e) { return e.payload == payload; });
      const std::lock_guard lock(results_mutex);
      all_found = all_found && found;
    }
  };
  std::thread first(writer, 1);
  std::thread second(writer, 2);
  first.join();
  second.join();
  CHECK(all_found);
  // Group commit: the two shared syncs.
  CHECK(log.stats().syncs <= 50);
  CHECK(log.stats().sync_waits >= 25);
}

// Asks until it is so: a machine may be as slow as it likes, but not for ever.
template <typename Condition>
bool eventually(const Condition& condition) {
  for (int attempt = 0; attempt < 3000; ++attempt) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

TEST_CASE("P6: records reach the file by themselves, long before anybody syncs", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  wal::LogOptions options;
  options.commit_interval = std::chrono::hours(1);
  auto opened = open_log(directory, log_first, options);
  REQUIRE(opened);
  const auto entries = fill(*opened->log, 100, 7);
  CHECK(eventually([&] {
    const auto killed = directory.clone_current();
    const auto seen = open_log(*killed, log_first);
    return seen && seen->replayed == entries;
  }));
  CHECK(opened->log->durable() < opened->log->end());
}

TEST_CASE("P6: a sync that hangs keeps no record from its file, and no writer waiting",
          "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  std::atomic<bool> is_held{true};
  std::atomic<bool> is_syncing{false};
  wal::LogOptions options;
  options.commit_interval = 10ms;
  options.before_sync = [&]() -> Result<void> {
    is_syncing = true;
    while (is_held) std::this_thread::sleep_for(1ms);
    return {};
  };
  auto opened = open_log(directory, log_first, options);
  REQUIRE(opened);
  auto entries = fill(*opened->log, 1, 7);
  REQUIRE(eventually([&] { return is_syncing.load(); }));
  // Three times what the log keeps in memory, then a record that fills nothing.
  for (int i = 0; i < 24; ++i) {
    std::string payload(mib, static_cast<char>('a' + i));
    entries.push_back({append(*opened->log, payload).lsn, std::move(payload)});
  }
  entries.push_back({append(*opened->log, "last").lsn, "last"});
  CHECK(eventually([&] {
    const auto killed = directory.clone_current();
    wal::LogOptions reading;
    reading.read_only = true;
    const auto seen = open_log(*killed, log_first, reading);
    return seen && seen->replayed == entries;
  }));
  is_held = false;
  CHECK(opened->log->sync_to(opened->log->end()));
}

TEST_CASE("P6: records reach the device by themselves at the commit interval", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  wal::LogOptions options;
  options.commit_interval = 20ms;
  auto opened = open_log(directory, log_first, options);
  REQUIRE(opened);
  const auto entries = fill(*opened->log, 100, 7);
  CHECK(eventually([&] { return opened->log->durable() == opened->log->end(); }));
  const auto cut_off = directory.clone_durable();
  const auto seen = open_log(*cut_off, log_first);
  REQUIRE(seen);
  CHECK(seen->replayed == entries);
}

TEST_CASE("wal log: a small sync in new space writes zeros ahead, once for many", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  std::vector<LogEntry> entries;
  {
    auto opened = open_log(directory, log_first, quiet_options());
    REQUIRE(opened);
    std::vector<std::uint64_t> written;
    for (std::uint64_t round = 0; round < 20; ++round) {
      const std::uint64_t before = directory.counters().bytes_written;
      for (LogEntry& entry : fill(*opened->log, 1, round, 100)) entries.push_back(std::move(entry));
      REQUIRE(opened->log->sync_to(opened->log->end()));
      written.push_back(directory.counters().bytes_written - before);
    }
    constexpr std::uint64_t record_bytes_max = 256;
    const auto ahead = [](std::uint64_t bytes) { return bytes > record_bytes_max; };
    CHECK(ahead(written.front()));
    CHECK(std::count_if(written.begin() + 1, written.end(), ahead) <= 4);
  }
  const auto after = directory.clone_durable();
  const auto seen = open_log(*after, log_first);
  REQUIRE(seen);
  CHECK(seen->replayed == entries);
}

TEST_CASE("P6: close writes everything", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  const auto entries = fill(*opened->log, 100, 3);
  REQUIRE(opened->log->close());
  CHECK(try_append(*opened->log, "late").error().code == Errc::io_failed);
  const auto after = directory.clone_durable();
  const auto seen = open_log(*after, log_first);
  REQUIRE(seen);
  CHECK(seen->replayed == entries);
}

TEST_CASE("P8: the log is cut under load and its files are used again", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, small_segment_bytes));
  Lsn cut = log_first;
  std::vector<LogEntry> entries;
  std::size_t files_max = 0;
  {
    auto opened = open_log(directory, log_first);
    REQUIRE(opened);
    wal::Log& log = *opened->log;
    std::atomic<bool> stop{false};
    std::atomic<bool> failed{false};
    std::thread load([&] {
      std::mt19937_64 random(5);
      while (!stop) {
        std::string payload = random_payload(random, 900);
        const auto appended = try_append(log, payload);
        if (!appended && appended.error().code == Errc::log_full) {
          std::this_thread::sleep_for(1ms);
          continue;
        }
        failed = !appended;
        if (!appended) return;
        entries.push_back({appended->lsn, std::move(payload)});
      }
    });
    while (log.end().raw <= 40 * small_segment_bytes && !failed) {
      std::this_thread::sleep_for(3ms);
      cut = log.end();
      if (!log.sync_to(cut) || !log.cut(cut)) break;
      files_max = std::max(files_max, directory.list()->size());
    }
    stop = true;
    load.join();
    CHECK_FALSE(failed);
    CHECK(log.stats().cut_lsn == cut.raw);
    CHECK(log.stats().segments <= 16);
    REQUIRE(log.close());
  }
  CHECK(files_max <= 16 + 4 + 1);
  const auto seen = open_log(directory, cut);
  REQUIRE(seen);
  entries.erase(entries.begin(), std::find_if(entries.begin(), entries.end(),
                                              [&](const auto& e) { return e.lsn >= cut; }));
  CHECK(seen->replayed == entries);
}

TEST_CASE("wal log: at its bound it says so, and goes on after a cut", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, small_segment_bytes));
  auto opened = open_log(directory, log_first);
  REQUIRE(opened);
  wal::Log& log = *opened->log;
  Result<wal::Appended> appended = wal::Appended{};
  Lsn last;
  for (int i = 0; i < 100000 && appended; ++i) {
    appended = try_append(log, std::string(500, 'x'));
    if (appended) last = appended->end;
  }
  CHECK(appended.error().code == Errc::log_full);
  CHECK(last.raw > 12 * small_segment_bytes);
  REQUIRE(log.sync_to(last));
  REQUIRE(log.cut(last));
  CHECK(log.bytes_since_cut() == 0);
  append(log, "more");
}

TEST_CASE("P9: an LSN is never handed out twice, whatever a crash took", "[unit][wal]") {
  MemoryDirectory first;
  REQUIRE(wal::Log::create(first, log_uuid, log_first, small_segment_bytes));
  std::unique_ptr<MemoryDirectory> directory = first.clone_current();
  Lsn highest;
  for (int life = 0; life < 12; ++life) {
    auto opened = open_log(*directory, log_first, quiet_options());
    REQUIRE(opened);
    CHECK(opened->log->end() > highest);
    for (int i = 0; i < 20; ++i) {
      const auto appended = append(*opened->log, std::string(1000, static_cast<char>(life)));
      CHECK(appended.lsn > highest);
      highest = appended.lsn;
    }
    auto next = directory->clone_durable();  // nothing of this life was synced
    REQUIRE(opened->log->close());
    opened->log.reset();
    directory = std::move(next);
  }
}

TEST_CASE("P16: after a failed sync the log takes and acknowledges nothing", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  wal::Log& log = *opened->log;
  // The first one, this life's, and one ready: nothing but the sync calls the device from here on.
  REQUIRE(eventually([&] { return log.stats().segments == 3; }));
  const auto appended = append(log, "doomed");
  const bool fail_write = GENERATE(true, false);
  directory.fail_call(fail_write ? 1 : 2, fail_write ? Errc::no_space : Errc::io_failed);
  const auto synced = log.sync_to(appended.end);
  REQUIRE_FALSE(synced);
  CHECK(synced.error().code == Errc::io_failed);
  for (int i = 0; i < 3; ++i) {
    CHECK(log.sync_to(appended.end).error().code == Errc::io_failed);
    CHECK(log.reserve(10).error().code == Errc::io_failed);
  }
  CHECK(log.durable() < appended.end);
  CHECK(log.close().error().code == Errc::io_failed);
}

TEST_CASE("wal log: a reserve made before the failure is refused at append", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  auto opened = open_log(directory, log_first, quiet_options());
  REQUIRE(opened);
  REQUIRE(eventually([&] { return opened->log->stats().segments == 3; }));
  auto reserve = opened->log->reserve(4);
  REQUIRE(reserve);
  const auto appended = append(*opened->log, "x");
  directory.fail_call(1, Errc::io_failed);
  CHECK_FALSE(opened->log->sync_to(appended.end));
  const std::string payload = "late";
  CHECK_FALSE(opened->log->append(std::move(*reserve), base::as_bytes(payload)));
}

TEST_CASE("wal log: the hook runs before each sync, and its failure stops the log", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  wal::LogOptions options = quiet_options();
  int calls = 0;
  bool good = true;
  options.before_sync = [&]() -> Result<void> {
    ++calls;
    if (!good) return fail(Errc::no_space);
    return {};
  };
  {
    auto opened = open_log(directory, log_first, options);
    REQUIRE(opened);
    CHECK(calls == 0);
    REQUIRE(opened->log->sync_to(append(*opened->log, "a").end));
    CHECK(calls == 1);
    good = false;
    CHECK(opened->log->sync_to(append(*opened->log, "b").end).error().code == Errc::io_failed);
    CHECK(opened->log->reserve(1).error().code == Errc::io_failed);
  }
  good = true;
  calls = 0;
  const auto opened = open_log(directory, log_first, options);
  REQUIRE(opened);
  CHECK(opened->replayed.size() == 1);
  CHECK(calls == 1);  // replayed records may be in the page cache only
}

TEST_CASE("wal log: small transactions succeed on a full disk", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first, small_segment_bytes));
  auto opened = open_log(directory, log_first);
  REQUIRE(opened);
  wal::Log& log = *opened->log;
  // The first one, this life's, and one ready.
  REQUIRE(eventually([&] { return log.stats().segments == 3; }));
  directory.set_capacity(0);
  std::size_t bytes = 0;
  Lsn last;
  for (;;) {
    const auto appended = try_append(log, std::string(100, 'u'));
    if (!appended) {
      CHECK(appended.error().code == Errc::no_space);
      break;
    }
    bytes += 100;
    last = appended->end;
  }
  CHECK(bytes > small_segment_bytes);
  REQUIRE(log.sync_to(last));
  // A checkpoint gives the space back, without any from the disk.
  REQUIRE(log.cut(last));
  append(log, "after the cut");
  REQUIRE(log.close());
  opened->log.reset();
  auto again = open_log(directory, last);  // nor does an open need any
  REQUIRE(again);
  CHECK(again->replayed.size() == 1);
}

TEST_CASE("wal log: many writers and syncers, everything once and in order", "[unit][wal]") {
  MemoryDirectory directory;
  REQUIRE(wal::Log::create(directory, log_uuid, log_first));
  std::vector<std::vector<LogEntry>> of_thread(4);
  {
    wal::LogOptions options;
    options.commit_interval = 10ms;
    options.write_interval = 1ms;
    auto opened = open_log(directory, log_first, options);
    REQUIRE(opened);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < of_thread.size(); ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(t);
        for (int i = 0; i < 2000; ++i) {
          std::string payload = random_payload(random, i % 500 == 0 ? 200000 : 400);
          const auto appended = try_append(*opened->log, payload);
          if (!appended) return;
          if (i % 50 == 0 && !opened->log->sync_to(appended->end)) return;
          of_thread[t].push_back({appended->lsn, std::move(payload)});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<LogEntry> all;
  for (const auto& entries : of_thread) {
    CHECK(entries.size() == 2000);
    all.insert(all.end(), entries.begin(), entries.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.lsn < b.lsn; });
  const auto seen = open_log(directory, log_first);
  REQUIRE(seen);
  CHECK((seen->replayed == all));
}
