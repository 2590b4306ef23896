// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fuse/latency_histogram.hpp"
#include "tool/top_view.hpp"

using artfs::tool::top_figures;
using artfs::tool::top_text;
using nlohmann::json;

namespace {

json answer(std::uint64_t at_ns, std::uint64_t creates) {
  std::vector<std::uint64_t> buckets(artfs::fuse::latency_buckets);
  buckets[artfs::fuse::latency_bucket_of(1000)] = creates;
  return {{"at_ns", at_ns},
          {"mount_point", "/mnt\x1b"},
          {"mount",
           {{"requests", {{"create", creates}, {"forget", creates / 2}, {"read", 5}}},
            {"errors", {{"create", {{"ENOSPC", creates / 10}}}}},
            {"in_flight", 1},
            {"oldest_request_seconds", 0.5},
            {"slow_requests", 2}}},
          {"latency_buckets", {{"create", {{"buckets", buckets}, {"sum_ns", creates * 1000}}}}},
          {"hot_directories", {{{"ino", 1}, {"path", "/a\nb"}, {"requests", 3}}}},
          {"hot_sampled", 4},
          {"stats",
           {{"store",
             {{"cache", {{"hits", creates * 3}, {"misses", creates}}},
              {"log", {{"syncs", creates / 100}, {"appended_bytes", creates * 100}}}}}}}};
}

}  // namespace

TEST_CASE("top: figures are differences by the time between", "[unit][tool]") {
  const json figures = top_figures(answer(1'000'000'000, 100), answer(3'000'000'000, 1100));
  CHECK(figures["seconds"] == 2.0);
  REQUIRE(figures["operations"].size() == 2);  // reads stood still
  CHECK(figures["operations"][0]["operation"] == "create");
  CHECK(figures["operations"][0]["per_second"] == 500.0);
  CHECK(figures["operations"][0]["errors_per_second"] == 50.0);
  CHECK(figures["operations"][0]["mean_ns"] == 1000.0);
  CHECK(figures["operations"][0]["p99_ns"].get<double>() == Approx(1000).epsilon(0.25));
  CHECK(figures["operations"][1]["operation"] == "forget");
  CHECK_FALSE(figures["operations"][1].contains("p50_ns"));
  CHECK(figures["cache"]["hit_ratio"] == 0.75);
  CHECK(figures["block_cache"]["hit_ratio"].is_null());
  CHECK(figures["log"]["bytes_per_second"] == 50000.0);
  CHECK(figures["log"]["syncs_per_second"] == 5.0);
}

TEST_CASE("top: counters of another daemon are not negative rates", "[unit][tool]") {
  const json figures = top_figures(answer(1'000'000'000, 1100), answer(2'000'000'000, 100));
  CHECK(figures["operations"].empty());
  CHECK(figures["log"]["bytes_per_second"] == 0.0);
  CHECK_FALSE(top_figures(json::object(), json::object()).empty());
}

TEST_CASE("top: text has a line for each operation and directory, and no control characters",
          "[unit][tool]") {
  const json figures = top_figures(answer(0, 0), answer(1'000'000'000, 1000));
  const std::string text = top_text(figures, 0);
  CHECK(text.find("create                 1000.0      100.0") != text.npos);
  CHECK(text.find("forget") != text.npos);
  CHECK(text.find("75.0 %") != text.npos);
  CHECK(text.find('\x1b') == text.npos);
  CHECK(text.find("/a\nb") == text.npos);
  CHECK(top_text(figures, 1).find("forget") == std::string::npos);
}
