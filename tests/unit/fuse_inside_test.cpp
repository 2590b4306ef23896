// SPDX-License-Identifier: Apache-2.0
// What a mount tells of itself, without a mount: histograms, the ring of answered requests, metrics.
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cmath>
#include <random>
#include <sstream>
#include <thread>

#include "artfs/volume.hpp"

#include "fuse/access_ring.hpp"
#include "fuse/hot_directories.hpp"
#include "fuse/latency_histogram.hpp"
#include "fuse/mount_report.hpp"
#include "fuse/prometheus_text.hpp"
#include "fuse/request_meter.hpp"
#include "fuse/tunables.hpp"
#include "fuse/watchdog.hpp"

using namespace artfs::fuse;  // NOLINT(google-build-using-namespace): the subject of every case
using artfs::Ino;
using artfs::Volume;
using std::chrono::milliseconds;

namespace {

LatencyCounts counts_of(const LatencyHistogram& histogram) {
  LatencyCounts counts;
  histogram.read_into(counts);
  return counts;
}

fuse_in_header header_of(std::uint32_t opcode, std::uint64_t unique, std::uint64_t ino) {
  fuse_in_header header{};
  header.opcode = opcode;
  header.unique = unique;
  header.nodeid = ino;
  header.pid = 4711;
  return header;
}

LatencyCounts latency_of(const std::string& operation) {
  for (const OperationLatency& one : operation_latencies()) {
    if (one.operation == operation) return one.latency;
  }
  return {};
}

std::uint64_t errors_of(const std::string& operation, int error) {
  for (const RequestErrors& one : request_errors()) {
    if (one.operation == operation && one.error == error) return one.count;
  }
  return 0;
}

std::unique_ptr<Volume> make_volume() {
  auto volume = Volume::open_in_memory({}, {});
  REQUIRE(volume);
  return *std::move(volume);
}

}  // namespace

TEST_CASE("latency histogram: bounds rise, and every bound ends its own bucket", "[unit][fuse]") {
  for (std::size_t i = 0; i + 1 < latency_buckets; ++i) {
    const std::uint64_t bound = latency_bound_ns(i);
    CAPTURE(i, bound);
    if (i > 0) REQUIRE(bound > latency_bound_ns(i - 1));
    REQUIRE(latency_bucket_of(bound) == i);
    REQUIRE(latency_bucket_of(bound + 1) == i + 1);
  }
  CHECK(latency_bucket_of(0) == 0);
  CHECK(latency_bucket_of(UINT64_MAX) == latency_buckets - 1);
  CHECK(latency_bound_ns(latency_buckets - 2) == std::uint64_t{1} << latency_last_bit);
}

TEST_CASE("latency histogram: quantiles are within an eighth of the true ones", "[unit][fuse]") {
  const auto seed = GENERATE(range(1U, 6U));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> latencies(9.0, 1.5);  // around 8 us
  LatencyHistogram histogram;
  std::vector<std::uint64_t> sorted;
  std::uint64_t sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto ns = static_cast<std::uint64_t>(latencies(random)) + 129;
    histogram.add(ns);
    sorted.push_back(ns);
    sum += ns;
  }
  std::sort(sorted.begin(), sorted.end());
  const LatencyCounts counts = counts_of(histogram);
  CHECK(counts.count() == sorted.size());
  CHECK(counts.sum_ns == sum);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    const auto wanted = static_cast<double>(sorted[rank]);
    CAPTURE(share, wanted, counts.quantile_ns(share));
    CHECK(std::abs(counts.quantile_ns(share) - wanted) <= 0.26 * wanted);
  }
  for (std::size_t i = 0; i + 1 < latency_buckets; ++i) {
    const auto end = std::upper_bound(sorted.begin(), sorted.end(), latency_bound_ns(i));
    REQUIRE(counts.count_up_to(latency_bound_ns(i)) ==
            static_cast<std::uint64_t>(end - sorted.begin()));
  }
}

TEST_CASE("latency counts: differences are of what came in between", "[unit][fuse]") {
  LatencyHistogram histogram;
  histogram.add(1000);
  const LatencyCounts before = counts_of(histogram);
  histogram.add(1000000);
  LatencyCounts between = counts_of(histogram);
  between -= before;
  CHECK(between.count() == 1);
  CHECK(between.quantile_ns(0.5) > 800000);
  LatencyCounts backwards = before;
  backwards -= counts_of(histogram);
  CHECK(backwards.count() == 0);
  CHECK(backwards.sum_ns == 0);
  CHECK(LatencyCounts{}.quantile_ns(0.99) == 0);
}

TEST_CASE("access ring: the last entries, oldest first", "[unit][fuse]") {
  AccessRing ring;
  std::vector<AccessEntry> all;
  ring.copy(all);
  CHECK(all.empty());
  for (std::uint64_t i = 0; i < AccessRing::capacity + 10; ++i) {
    ring.put({.started_ns = i,
              .took_ns = i * 3,
              .ino = ~i,
              .uid = UINT32_MAX,
              .pid = static_cast<std::uint32_t>(i),
              .opcode = 255,
              .error = ENOENT});
  }
  ring.copy(all);
  REQUIRE(all.size() == AccessRing::capacity - 1);  // the oldest may be under way of being replaced
  for (std::size_t k = 0; k < all.size(); ++k) {
    const std::uint64_t i = k + 11;
    REQUIRE(all[k] == AccessEntry{.started_ns = i,
                                  .took_ns = i * 3,
                                  .ino = ~i,
                                  .uid = UINT32_MAX,
                                  .pid = static_cast<std::uint32_t>(i),
                                  .opcode = 255,
                                  .error = ENOENT});
  }
}

TEST_CASE("access ring: a copy made while entries are put has no torn one", "[unit][fuse]") {
  AccessRing ring;
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i < 40000; ++i) {
      ring.put({.started_ns = i, .took_ns = i, .ino = i, .uid = 0, .pid = 0, .opcode = 1});
    }
    is_done = true;
  });
  std::uint64_t torn = 0;
  std::uint64_t out_of_order = 0;
  while (!is_done) {
    std::vector<AccessEntry> entries;
    ring.copy(entries);
    std::uint64_t last = 0;
    for (const AccessEntry& entry : entries) {
      if (entry.ino != entry.started_ns || entry.took_ns != entry.started_ns) ++torn;
      if (entry.started_ns <= last) ++out_of_order;
      last = entry.started_ns;
    }
  }
  writer.join();
  CHECK(torn == 0);
  CHECK(out_of_order == 0);
}

TEST_CASE("request meter: an answered request is timed, a failed one counted by errno",
          "[unit][fuse]") {
  const std::uint64_t before = latency_of("mkdir").count();
  const std::uint64_t errors_before = errors_of("mkdir", EDQUOT);
  begin_request(header_of(FUSE_MKDIR, 100, 7));
  {
    const auto in_flight = requests_in_flight();
    REQUIRE(in_flight.size() == 1);
    CHECK(in_flight[0].unique == 100);
    CHECK(in_flight[0].ino == 7);
    CHECK(in_flight[0].pid == 4711);
    CHECK(in_flight[0].operation == "mkdir");
  }
  end_request(99, 0);  // of another request, or a notification
  CHECK(requests_in_flight().size() == 1);
  end_request(100, EDQUOT);
  CHECK(requests_in_flight().empty());
  end_request(100, EDQUOT);  // twice is once
  CHECK(latency_of("mkdir").count() == before + 1);
  CHECK(errors_of("mkdir", EDQUOT) == errors_before + 1);
  begin_request(header_of(FUSE_FORGET, 101, 7));  // has no reply
  CHECK(requests_in_flight().empty());
}

TEST_CASE("request meter: counts of threads add up and outlive them", "[unit][fuse]") {
  const std::uint64_t before = latency_of("rmdir").count();
  const auto serve = [](std::uint64_t base) {
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      begin_request(header_of(FUSE_RMDIR, base + i, i));
      end_request(base + i, 0);
    }
  };
  for (int round = 0; round < 3; ++round) {
    std::thread one(serve, 1000000);
    std::thread two(serve, 2000000);
    one.join();
    two.join();
  }
  CHECK(latency_of("rmdir").count() == before + 6000);
  CHECK(requests_in_flight().empty());
}

TEST_CASE("watchdog: a request that takes too long is counted once, while it does",
          "[unit][fuse]") {
  Watchdog watchdog(milliseconds(100));
  begin_request(header_of(FUSE_FSYNC, 555, 9));
  while (watchdog.slow_count() == 0) std::this_thread::sleep_for(milliseconds(5));
  REQUIRE(Watchdog::state_text().size() == 1);
  CHECK(Watchdog::state_text()[0].find("request 555: fsync of inode 9 by process 4711") == 0);
  std::this_thread::sleep_for(milliseconds(250));  // some looks more
  CHECK(watchdog.slow_count() == 1);
  end_request(555, 0);
  CHECK(Watchdog::state_text().empty());
}

TEST_CASE("watchdog: it can be switched off and on", "[unit][fuse]") {
  Watchdog watchdog(milliseconds(0));
  begin_request(header_of(FUSE_FSYNC, 556, 9));
  std::this_thread::sleep_for(milliseconds(120));
  CHECK(watchdog.slow_count() == 0);
  watchdog.set_bound(milliseconds(100));
  while (watchdog.slow_count() == 0) std::this_thread::sleep_for(milliseconds(5));
  end_request(556, 0);
}

TEST_CASE("prometheus text: labels and help are escaped, numbers are read back as they were",
          "[unit][fuse]") {
  PrometheusText text;
  text.family("a_total", "counter", "Back\\slash and\nline.");
  text.sample(std::uint64_t{7}, {{"x", "q\"b\\n\nl"}, {"y", "\xff"}});
  text.sample(0.1);
  CHECK(std::move(text).take() ==
        "# HELP a_total Back\\\\slash and\\nline.\n# TYPE a_total counter\n"
        "a_total{x=\"q\\\"b\\\\n\\nl\",y=\"\xef\xbf\xbd\"} 7\na_total 0.1\n");
  CHECK(prometheus_number(INFINITY) == "+Inf");
  CHECK(prometheus_number(-INFINITY) == "-Inf");
  CHECK(prometheus_number(NAN) == "NaN");
  CHECK(std::stod(prometheus_number(1.0 / 3)) == 1.0 / 3);
}

TEST_CASE("prometheus text: histogram buckets are cumulative and end with all", "[unit][fuse]") {
  LatencyHistogram histogram;
  for (const std::uint64_t ns : {1ULL, 512ULL, 513ULL, 1000000ULL, 1000000000000ULL}) {
    histogram.add(ns);
  }
  PrometheusText text;
  text.family("t_seconds", "histogram", "T.");
  text.histogram(counts_of(histogram), {"operation", "read"});
  std::istringstream lines(std::move(text).take());
  std::uint64_t last = 0;
  std::string line;
  std::string sum;
  while (std::getline(lines, line)) {
    if (line.starts_with("t_seconds_sum")) sum = line;
    if (!line.starts_with("t_seconds_bucket")) continue;
    const std::uint64_t count = std::stoull(line.substr(line.rfind(' ')));
    CHECK(count >= last);
    last = count;
    if (line.find("le=\"5.12e-07\"") != line.npos) CHECK(count == 2);
    if (line.find("le=\"1.024e-06\"") != line.npos) CHECK(count == 3);
    if (line.find("le=\"34.359738368\"") != line.npos) CHECK(count == 4);
  }
  CHECK(last == 5);
  CHECK(sum == "t_seconds_sum{operation=\"read\"} 1000.001001026");
}

TEST_CASE("metrics: a store that is not mounted has no requests", "[unit][fuse]") {
  const auto volume = make_volume();
  const std::string bare = metrics_text(volume->stats(), nullptr);
  CHECK(bare.find("artfs_inodes 1\n") != bare.npos);
  CHECK(bare.find("artfs_request") == bare.npos);
  const MountReport report = collect_mount_report();
  CHECK(metrics_text(volume->stats(), &report).find("artfs_requests_in_flight 0\n") !=
        std::string::npos);
}

TEST_CASE("hot directories: paths by number, most requests first", "[unit][fuse]") {
  const auto volume = make_volume();
  const auto a = volume->mkdir(artfs::root_ino, "a", 0755, {});
  REQUIRE(a);
  const auto b = volume->mkdir(a->ino, "b", 0755, {});
  REQUIRE(b);
  std::vector<AccessEntry> requests(10);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].opcode = i == 9 ? FUSE_READ : FUSE_CREATE;
    requests[i].ino = i < 5 ? b->ino.raw : i < 8 ? artfs::root_ino.raw : 12345;
  }
  const HotDirectories hot = hot_directories(*volume, requests, 3);
  CHECK(hot.sampled == 9);
  REQUIRE(hot.directories.size() == 3);
  CHECK(hot.directories[0].path == "/a/b");
  CHECK(hot.directories[0].requests == 5);
  CHECK(hot.directories[1].path == "/");
  CHECK(hot.directories[2].path == "inode 12345");
  std::uint64_t too_few = 0;
  CHECK(path_of_directory(*volume, b->ino, too_few).empty());
}

TEST_CASE("tunables: all lines are checked before the first is taken", "[unit][fuse]") {
  const auto volume = make_volume();
  Serving serving{.volume = *volume, .mount_point = {}};
  Watchdog watchdog(milliseconds(10000));
  Tunables tunables(watchdog, false);
  CHECK(tunables.text(serving) ==
        "log_level = info\nwatchdog = 10\naccesslog = on\ndurability = fsync\n");
  for (const char* wrong : {"watchdog", "watchdog = ", "watchdog = 0.01", "watchdog = 1 2",
                            "accesslog = yes", "log_level = loud", "durability = strict",
                            "cache = 1G", "= 3", "watchdog = 3\naccesslog = maybe\n"}) {
    CAPTURE(wrong);
    CHECK_FALSE(tunables.set(wrong, serving));
  }
  CHECK(watchdog.bound() == milliseconds(10000));
  REQUIRE(tunables.set("watchdog=2.5\n\n  accesslog off\ndurability = relaxed", serving));
  CHECK(watchdog.bound() == milliseconds(2500));
  CHECK_FALSE(keeps_recent_requests());
  CHECK_FALSE(serving.fsync_waits);
  REQUIRE(tunables.set("accesslog = on\n", serving));
  CHECK(keeps_recent_requests());
  Tunables strict(watchdog, true);
  CHECK_FALSE(strict.set("durability = relaxed", serving));
  CHECK(strict.text(serving).find("durability = strict") != std::string::npos);
}
