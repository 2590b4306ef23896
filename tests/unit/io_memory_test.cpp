// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "base/bytes.hpp"
#include "io/memory_directory.hpp"

namespace artfs::io {
namespace {

using base::as_bytes;

constexpr OpenFlags create_flags{.create = true};

std::string contents(MemoryDirectory& directory, std::string_view name) {
  const auto file = directory.open(name, {}).value();
  std::string text(static_cast<std::size_t>(file->size().value()), '\0');
  CHECK(file->read_at(0, std::as_writable_bytes(std::span(text))).value() == text.size());
  return text;
}

}  // namespace

TEST_CASE("memory directory: files read back what was written, holes are zero", "[unit][io]") {
  MemoryDirectory directory;
  const auto file = directory.open("f", create_flags).value();
  REQUIRE(file->write_at(200000, as_bytes("end")));
  REQUIRE(file->write_at(5, as_bytes("start")));
  std::string expected(200003, '\0');
  expected.replace(5, 5, "start").replace(200000, 3, "end");
  CHECK(contents(directory, "f") == expected);
  REQUIRE(file->truncate(7));
  REQUIRE(file->allocate(0, 100));
  CHECK(contents(directory, "f") == std::string("\0\0\0\0\0st", 7) + std::string(93, '\0'));
  REQUIRE(file->punch(5, 1));
  CHECK(contents(directory, "f")[5] == '\0');
}

TEST_CASE("memory directory: a power cut keeps what was synced, at every seed", "[unit][io]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    MemoryDirectory directory;
    const auto file = directory.open("f", create_flags).value();
    REQUIRE(file->write_at(0, as_bytes(std::string(20000, 'a'))));
    REQUIRE(file->sync_data());
    REQUIRE(directory.sync());
    REQUIRE(file->write_at(8192, as_bytes(std::string(30000, 'b'))));
    REQUIRE(file->write_at(4096, as_bytes(std::string(100, 'c'))));
    directory.power_cut(seed);
    CHECK(file->size().error().code == Errc::io_failed);
    const std::string after = contents(directory, "f");
    REQUIRE(after.size() >= 20000);
    CHECK(after.substr(0, 4096) == std::string(4096, 'a'));
    // A write shorter than a sector is there whole or not at all.
    const std::string middle = after.substr(4096, 100);
    CHECK((middle == std::string(100, 'a') || middle == std::string(100, 'c')));
    CHECK(after.find_first_not_of(std::string("abc\0", 4)) == std::string::npos);
    CHECK(after.substr(8192).find('c') == std::string::npos);
  }
}

TEST_CASE("memory directory: power cuts lose, tear and reorder, by seed", "[unit][io]") {
  bool kept_all = false;
  bool lost_all = false;
  bool torn = false;
  bool reordered = false;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    MemoryDirectory directory;
    const auto file = directory.open("f", create_flags).value();
    REQUIRE(file->allocate(0, 16384));
    REQUIRE(file->sync_data());
    REQUIRE(directory.sync());
    REQUIRE(file->write_at(0, as_bytes(std::string(4096, 'x'))));
    REQUIRE(file->write_at(8192, as_bytes(std::string(4096, 'y'))));
    const auto after = directory.clone_after_power_cut(seed);
    const std::string text = contents(*after, "f");
    const bool has_x = text.substr(0, 4096) == std::string(4096, 'x');
    const bool has_y = text.substr(8192, 4096) == std::string(4096, 'y');
    kept_all = kept_all || (has_x && has_y);
    lost_all = lost_all || text == std::string(16384, '\0');
    reordered = reordered || (text[0] == '\0' && text[4095] == '\0' && has_y);
    torn = torn || (!has_x && text.find('x') != std::string::npos);
    CHECK(contents(directory, "f").substr(0, 4096) == std::string(4096, 'x'));  // not touched
  }
  CHECK(kept_all);
  CHECK(lost_all);
  CHECK(torn);
  CHECK(reordered);
}

TEST_CASE("P17: names are lost in a power cut until the directory was synced", "[unit][io]") {
  bool lost = false;
  bool kept = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDirectory directory;
    const auto old_file = directory.open("target", create_flags).value();
    REQUIRE(old_file->write_at(0, as_bytes("old")));
    REQUIRE(old_file->sync_data());
    REQUIRE(directory.sync());
    const auto file = directory.open("new", create_flags).value();
    REQUIRE(file->write_at(0, as_bytes("new")));
    REQUIRE(file->sync_data());
    REQUIRE(directory.rename("new", "target"));
    directory.power_cut(seed);
    const std::string text = contents(directory, "target");
    CHECK((text == "old" || text == "new"));
    lost = lost || text == "old";
    kept = kept || text == "new";
  }
  CHECK(lost);
  CHECK(kept);
}

TEST_CASE("P16: what a failed sync covered is not durable after a sync that succeeds",
          "[unit][io]") {
  MemoryDirectory directory;
  const auto file = directory.open("f", create_flags).value();
  REQUIRE(directory.sync());
  REQUIRE(file->write_at(0, as_bytes("data")));
  directory.fail_call(1, Errc::io_failed);
  CHECK(file->sync_data().error().code == Errc::io_failed);
  CHECK(file->sync_data());
  CHECK(contents(*directory.clone_durable(), "f").empty());
  CHECK(contents(*directory.clone_current(), "f") == "data");
}

TEST_CASE("memory directory: the n-th change fails, once or from then on", "[unit][io]") {
  MemoryDirectory directory;
  const auto file = directory.open("f", create_flags).value();
  directory.fail_call(2, Errc::no_space);
  CHECK(file->write_at(0, as_bytes("1234")));
  CHECK(file->write_at(4, as_bytes("5678")).error().code == Errc::no_space);
  CHECK(contents(directory, "f") == "123456");  // half of it got through (TRAPS P12)
  CHECK(file->write_at(4, as_bytes("5678")));
  directory.fail_call(1, Errc::io_failed, MemoryDirectory::Repeat::for_ever);
  CHECK_FALSE(file->write_at(0, as_bytes("x")));
  CHECK_FALSE(file->allocate(0, 10));
  CHECK_FALSE(file->truncate(0));
  CHECK_FALSE(directory.sync());
  CHECK_FALSE(directory.rename("f", "g"));
  CHECK(directory.counters().changes == 9);
  directory.fail_read(1, Errc::io_failed);
  std::byte byte{};
  CHECK_FALSE(file->read_at(0, std::span(&byte, 1)));
  CHECK(file->read_at(0, std::span(&byte, 1)));
}

TEST_CASE("memory directory: a clone and its original do not see each other's changes",
          "[unit][io]") {
  MemoryDirectory directory;
  const auto file = directory.open("f", create_flags).value();
  REQUIRE(file->write_at(0, as_bytes(std::string(200000, 'a'))));
  const auto clone = directory.clone_current();
  const auto copy = clone->open("f", {}).value();
  REQUIRE(copy->write_at(70000, as_bytes("b")));
  REQUIRE(file->punch(0, 70000));
  CHECK(contents(directory, "f") == std::string(70000, '\0') + std::string(130000, 'a'));
  CHECK(contents(*clone, "f") == std::string(70000, 'a') + 'b' + std::string(129999, 'a'));
}

TEST_CASE("memory directory: the n-th sync fails, of whatever it is", "[unit][io]") {
  MemoryDirectory directory;
  const auto file = directory.open("f", create_flags).value();
  directory.fail_sync(3, Errc::no_space);
  REQUIRE(file->write_at(0, as_bytes("x")));
  CHECK(directory.sync());
  CHECK(file->sync_data());
  CHECK(file->sync_data().error().code == Errc::no_space);
  CHECK(file->sync_data());
}

TEST_CASE("memory directory: a dropped write is acknowledged and never stored", "[unit][io]") {
  bool whole = false;
  bool partly = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDirectory directory;
    const auto file = directory.open("f", create_flags).value();
    directory.damage_write(2, MemoryDirectory::WriteFault::dropped, seed);
    REQUIRE(file->write_at(0, as_bytes(std::string(4096, 'a'))));
    REQUIRE(file->write_at(2048, as_bytes(std::string(4096, 'b'))));
    REQUIRE(file->sync_data());
    const std::string text = contents(directory, "f");
    CAPTURE(directory.damage());
    REQUIRE(text.size() == 6144);
    const auto lost = text.find_first_not_of('b', 2048);
    REQUIRE(lost != std::string::npos);
    CHECK(lost % 512 == 0);
    whole = whole || text.find('b') == std::string::npos;
    partly = partly || text.find('b') != std::string::npos;
  }
  CHECK(whole);
  CHECK(partly);
}

TEST_CASE("memory directory: a misdirected write damages another place too", "[unit][io]") {
  bool same_file = false;
  bool other_file = false;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    MemoryDirectory directory;
    const auto file = directory.open("f", create_flags).value();
    const auto other = directory.open("g", create_flags).value();
    REQUIRE(file->write_at(0, as_bytes(std::string(16384, 'a'))));
    REQUIRE(other->write_at(0, as_bytes(std::string(16384, 'c'))));
    directory.damage_write(1, MemoryDirectory::WriteFault::misdirected, seed);
    REQUIRE(file->write_at(4096, as_bytes(std::string(512, 'b'))));
    const std::string text = contents(directory, "f");
    same_file = same_file || (text.find('b') != std::string::npos && text[4096] == 'a');
    other_file = other_file || contents(directory, "g").find('b') != std::string::npos;
    CHECK(text.size() == 16384);
  }
  CHECK(same_file);
  CHECK(other_file);
}

TEST_CASE("memory directory: a full device refuses and changes nothing", "[unit][io]") {
  MemoryDirectory directory;
  directory.set_capacity(1000);
  const auto file = directory.open("f", create_flags).value();
  REQUIRE(file->allocate(0, 900));
  CHECK(directory.free_bytes().value() == 100);
  CHECK(file->allocate(0, 1001).error().code == Errc::no_space);
  CHECK(file->write_at(950, as_bytes(std::string(51, 'x'))).error().code == Errc::no_space);
  CHECK(file->size().value() == 900);
  CHECK(file->write_at(100, as_bytes(std::string(800, 'x'))));
}

TEST_CASE("memory directory: locks exclude, wait, and go with the power", "[unit][io]") {
  MemoryDirectory directory;
  auto held = directory.lock("lock", false, std::chrono::milliseconds(0));
  REQUIRE(held);
  CHECK(directory.lock("lock", true, std::chrono::milliseconds(10)).error().code ==
        Errc::store_locked);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    held->reset();
  });
  auto second = directory.lock("lock", false, std::chrono::milliseconds(5000));
  CHECK(second);
  later.join();
  directory.power_cut(1);
  const auto third = directory.lock("lock", false, std::chrono::milliseconds(0));
  CHECK(third);
  second->reset();  // of the time before the cut: frees nothing now
  CHECK_FALSE(directory.lock("lock", false, std::chrono::milliseconds(0)));
}

}  // namespace artfs::io
