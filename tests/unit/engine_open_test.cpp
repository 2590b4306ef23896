// SPDX-License-Identifier: Apache-2.0
// What create and open refuse, and that they change nothing then.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "engine/verify.hpp"
#include "support/engine_store.hpp"

namespace artfs {

namespace {

using test::small_options;
using test::TemporaryDirectory;

Errc open_error(const std::string& path, const StoreOptions& options = small_options()) {
  const auto store = Store::open(path, options);
  REQUIRE_FALSE(store.has_value());
  return store.error().code;
}

TEST_CASE("open: a missing, empty or foreign directory is named as such and left alone",
          "[unit][engine]") {
  const TemporaryDirectory directory;
  CHECK(open_error(directory.path("store")) == Errc::store_missing);
  std::filesystem::create_directory(directory.path("store"));
  CHECK(open_error(directory.path("store")) == Errc::store_missing);
  std::ofstream(directory.path("store") + "/photo.jpg") << "x";
  CHECK(open_error(directory.path("store")) == Errc::store_foreign);
  CHECK(Store::create(directory.path("store"), {}).error().code == Errc::store_exists);
  const auto files = std::filesystem::directory_iterator(directory.path("store"));
  CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("open: options outside their range are refused", "[unit][engine]") {
  const TemporaryDirectory directory;
  REQUIRE(Store::create(directory.path("store"), {.label = "volume of tests"}).has_value());
  CHECK(Store::create(directory.path("store"), {}).error().code == Errc::store_exists);
  StoreOptions options = small_options();
  options.cache_bytes = mib;
  CHECK(open_error(directory.path("store"), options) == Errc::option_invalid);
  options = small_options();
  options.checkpoint_log_bytes = gib;
  CHECK(open_error(directory.path("store"), options) == Errc::option_invalid);
  CHECK(
      Store::create(directory.path("store") + "2", {.label = std::string(64, 'l')}).error().code ==
      Errc::option_invalid);
  const auto store = Store::open(directory.path("store"), small_options());
  REQUIRE(store.has_value());
  CHECK((*store)->stats().label == "volume of tests");
  CHECK((*store)->stats().uuid.size() == 36);
}

TEST_CASE("open: a store on real files comes back, direct or not, by io_uring or by pread",
          "[unit][engine]") {
  const TemporaryDirectory directory;
  REQUIRE(Store::create(directory.path("store"), {}).has_value());
  StoreOptions options = small_options();
  for (int life = 0; life < 4; ++life) {
    options.direct_io = life % 2 == 0;
    options.io_uring = life < 2;
    const auto store = Store::open(directory.path("store"), options);
    if (!store) FAIL(to_text(store.error()));
    const std::string io = (*store)->stats().io;
    CHECK((io == "pread" || (options.io_uring && io == "io_uring")));  // a kernel may refuse
    const Tree tree = life == 0 ? *(*store)->create_tree("t") : *(*store)->open_tree("t");
    for (int number = 0; number < 5000; ++number) {
      const std::string key = std::to_string(number);
      if (life > 0 && tree.get(key)->value != key + std::to_string(life - 1)) FAIL("get " << key);
      if (!tree.put(key, key + std::to_string(life))) FAIL("put " << key);
    }
    if (life == 2) REQUIRE((*store)->checkpoint().has_value());
    test::require_clean(**store);
  }
  const auto report = engine::check_store(directory.path("store"), small_options());
  REQUIRE(report.has_value());
  CHECK(report->problems.empty());
  CHECK(report->keys == 5000);
}

TEST_CASE("P11: check: damage of a frame is a line that names it, not an end", "[unit][engine]") {
  const TemporaryDirectory directory;
  REQUIRE(Store::create(directory.path("store"), {}).has_value());
  {
    const auto store = Store::open(directory.path("store"), small_options());
    const Tree tree = *(*store)->create_tree("t");
    const std::string value(1000, 'v');
    for (int number = 0; number < 5000; ++number) {
      if (!tree.put("key-" + std::to_string(number), value)) FAIL("put");
    }
  }
  {
    // Somewhere in the second frame's used pages.
    std::fstream file(directory.path("store") + "/frames.dat",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(512 * 1024 + 4096 * 3 + 100);
    file.put('\x7e');
    file.put('\x7d');
  }
  const auto report = engine::check_store(directory.path("store"), small_options());
  REQUIRE(report.has_value());
  REQUIRE_FALSE(report->problems.empty());
  CHECK(report->problems.front().find("frame") != std::string::npos);
  CHECK(report->frames > 1);
  // Live: what the frame held is an error, never other bytes; the rest is there.
  const auto store = Store::open(directory.path("store"), small_options());
  REQUIRE(store.has_value());
  const Tree tree = *(*store)->open_tree("t");
  std::uint64_t readable = 0;
  std::uint64_t damaged = 0;
  for (int number = 0; number < 5000; ++number) {
    const auto record = tree.get("key-" + std::to_string(number));
    if (record) {
      CHECK(record->value == std::string(1000, 'v'));
      ++readable;
    } else {
      CHECK(record.error().code == Errc::frame_corrupt);
      ++damaged;
    }
  }
  CHECK(readable > 0);
  CHECK(damaged > 0);
  CHECK(engine::check_store(directory.path("store") + "/none", small_options()).error().code ==
        Errc::store_missing);
}

}  // namespace

}  // namespace artfs
