// SPDX-License-Identifier: Apache-2.0
// Lives of a log, each ended by a power cut or a kill, with failing calls in between: what was durable
// is replayed, the rest is a prefix in the order of the log, and the next life goes on.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/wal_log.hpp"

using namespace artfs;
using namespace artfs::test;
using namespace std::chrono_literals;
using io::MemoryDirectory;

namespace {

constexpr std::uint64_t seeds = 250;

class Lives {
 public:
  explicit Lives(std::uint64_t seed) : random_(seed) {
    REQUIRE(wal::Log::create(*directory_, log_uuid, log_first, small_segment_bytes));
  }

  void live_once() {
    wal::LogOptions options = quiet_options();
    if (random_() % 4 == 0) {
      options.write_interval = 1ms;
      options.commit_interval = 2ms;
    }
    auto opened = open_log(*directory_, cut_, options);
    if (!opened) FAIL(to_text(opened.error()));
    check_replay(opened->replayed);
    if (random_() % 2 == 0) {
      directory_->fail_call(1 + random_() % 30,
                            random_() % 2 == 0 ? Errc::no_space : Errc::io_failed);
    }
    act(*opened->log);
    durable_ = std::max(durable_, opened->log->durable());
    const bool killed = random_() % 4 == 0;
    auto next = killed ? directory_->clone_current() : directory_->clone_after_power_cut(random_());
    (void)opened->log->close();
    opened->log.reset();
    directory_ = std::move(next);
  }

  // An open that fails or loses power half way must not hurt the next one.
  void interrupted_open() {
    auto attempt = directory_->clone_current();
    attempt->fail_call(1 + random_() % 8, Errc::io_failed, MemoryDirectory::Repeat::for_ever);
    { const auto opened = open_log(*attempt, cut_, quiet_options()); }
    attempt->fail_call(0, Errc::io_failed);
    directory_ = attempt->clone_after_power_cut(random_());
  }

 private:
  void act(wal::Log& log) {
    for (std::uint64_t step = random_() % 300; step > 0; --step) {
      std::string payload = random_payload(random_, random_() % 40 == 0 ? 30000 : 600);
      const auto appended = try_append(log, payload);
      if (appended) {
        if (!appended_.empty()) REQUIRE(appended->lsn > appended_.back().lsn);
        appended_.push_back({appended->lsn, std::move(payload)});
      } else if (appended.error().code == Errc::log_full) {
        if (log.sync_to(log.end())) checkpoint(log, log.end());
      } else if (appended.error().code != Errc::no_space) {
        return;
      }
      if (random_() % 30 == 0 && !log.sync_to(log.end())) return;
      if (random_() % 100 == 0 && log.durable() > cut_) checkpoint(log, log.durable());
    }
  }

  // The engine's manifest takes the cut before the log is cut: a crash may come in between.
  void checkpoint(wal::Log& log, Lsn cut) {
    cut_ = cut;
    if (random_() % 4 != 0) (void)log.cut(cut);
  }

  // Everything below durable_ is there, in order; beyond it the replay may stop anywhere.
  void check_replay(const std::vector<LogEntry>& replayed) {
    const auto first =
        std::lower_bound(appended_.begin(), appended_.end(), cut_,
                         [](const LogEntry& entry, Lsn lsn) { return entry.lsn < lsn; });
    const auto expected = static_cast<std::size_t>(appended_.end() - first);
    REQUIRE(replayed.size() <= expected);
    REQUIRE(std::equal(replayed.begin(), replayed.end(), first));
    const auto left = first + static_cast<std::ptrdiff_t>(replayed.size());
    if (left != appended_.end()) REQUIRE(left->lsn >= durable_);
    appended_.erase(left, appended_.end());
  }

  std::mt19937_64 random_;
  std::unique_ptr<MemoryDirectory> directory_ = std::make_unique<MemoryDirectory>();
  std::vector<LogEntry> appended_;  // of all lives, without what was lost
  Lsn cut_ = log_first;
  Lsn durable_;
};

}  // namespace

TEST_CASE(
    "wal log: after any power cut or kill, what was synced is replayed and a prefix of the rest",
    "[unit][wal]") {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    CAPTURE(seed);
    Lives lives(seed);
    for (int life = 0; life < 8; ++life) {
      lives.live_once();
      if (life % 3 == 2) lives.interrupted_open();
    }
  }
}
