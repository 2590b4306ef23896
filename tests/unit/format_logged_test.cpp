// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "format/logged.hpp"

namespace artfs::format {
namespace {

constexpr Ino ino{7};

LoggedWrite example() {
  return {.size = 5000,
          .cut = 4096,
          .cleared = {{.first = 1, .count = 2}, {.first = 9, .count = 1}},
          .spans = {{.offset = 0, .bytes = "abc"}, {.offset = 4990, .bytes = "0123456789"}}};
}

void check_refused(const LoggedWrite& good, std::size_t at, char byte) {
  std::string record = encode(good);
  record[at] = byte;
  const Result<LoggedWrite> decoded = decode_logged(ino, record);
  CAPTURE(at);
  REQUIRE_FALSE(decoded.has_value());
  CHECK(decoded.error() == Error{Errc::record_corrupt, ino.raw});
}

TEST_CASE("format logged: what is encoded is decoded", "[unit][format]") {
  const LoggedWrite write = example();
  const std::string record = encode(write);
  CHECK(record.size() == encoded_bytes(write));
  REQUIRE(decode_logged(ino, record).has_value());
  CHECK(*decode_logged(ino, record) == write);
  const LoggedWrite growth{.size = 17, .cut = logged_no_cut, .cleared = {}, .spans = {}};
  CHECK(*decode_logged(ino, encode(growth)) == growth);
}

TEST_CASE("format logged: a record is as long as it says, and nothing else is accepted",
          "[unit][format]") {
  const LoggedWrite write = example();
  const std::string record = encode(write);
  for (std::size_t bytes = 0; bytes < record.size(); ++bytes) {
    CAPTURE(bytes);
    REQUIRE_FALSE(decode_logged(ino, std::string_view(record).substr(0, bytes)).has_value());
  }
  CHECK_FALSE(decode_logged(ino, record + "x").has_value());
  check_refused(write, 0, 2);          // version
  check_refused(write, 1, 1);          // zero bytes
  check_refused(write, 0x0c, 1);       // reserved
  check_refused(write, 0x04, 1);       // one count less than there is
  check_refused(write, 0x08, 3);       // one more
  check_refused(write, 0x1f, '\x80');  // a size that no file has
  check_refused(write, 0x18, 0);       // a size before the end of a span
  check_refused(write, 0x28, 0);       // no blocks cleared
  check_refused(write, 0x48, 0);       // a span without bytes
}

TEST_CASE("format logged: spans that overlap or go back are refused", "[unit][format]") {
  LoggedWrite write{.size = 100, .cut = logged_no_cut, .cleared = {}, .spans = {}};
  write.spans = {{.offset = 10, .bytes = "0123456789"}, {.offset = 20, .bytes = "x"}};
  REQUIRE(decode_logged(ino, encode(write)).has_value());
  check_refused(write, 0x2c, 19);  // offset of the second span
  check_refused(write, 0x2c, 5);
}

TEST_CASE("format logged: bytes at random are refused or mean themselves", "[unit][format]") {
  std::mt19937_64 random(5);
  const std::string good = encode(example());
  for (int round = 0; round < 5000; ++round) {
    std::string record = good;
    for (int change = 0; change < 3; ++change) {
      record[random() % record.size()] = static_cast<char>(random());
    }
    const Result<LoggedWrite> decoded = decode_logged(ino, record);
    if (decoded) REQUIRE(encode(*decoded) == record);
  }
}

}  // namespace
}  // namespace artfs::format
