// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tool/entry_text.hpp"

namespace artfs::tool {
namespace {

TEST_CASE("entry text: modes as ls(1) writes them", "[unit][tool]") {
  CHECK(mode_text(0100644) == "-rw-r--r--");
  CHECK(mode_text(0041777) == "drwxrwxrwt");
  CHECK(mode_text(0041776) == "drwxrwxrwT");
  CHECK(mode_text(0106711) == "-rws--s--x");
  CHECK(mode_text(0106600) == "-rwS--S---");
  CHECK(mode_text(0120777) == "lrwxrwxrwx");
  CHECK(mode_text(0020600) == "crw-------");
}

TEST_CASE("entry text: sizes for people are rounded up", "[unit][tool]") {
  CHECK(human_text(0) == "0");
  CHECK(human_text(1023) == "1023");
  CHECK(human_text(1024) == "1.0K");
  CHECK(human_text(1025) == "1.1K");
  CHECK(human_text(10 * 1024) == "10K");
  CHECK(human_text(10 * 1024 + 1) == "11K");
  CHECK(human_text(1023 * 1024 + 1) == "1.0M");
  CHECK(human_text(gib) == "1.0G");
  CHECK(human_text(~std::uint64_t{0}) == "16E");
}

TEST_CASE("entry text: JSON keeps UTF-8 and escapes each other byte", "[unit][tool]") {
  CHECK(json_text("plain") == R"("plain")");
  CHECK(json_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
  CHECK(json_text("a\"b\\c\n\x7f") == R"("a\"b\\c\u000a\u007f")");
  CHECK(json_text("\xff\x80") == R"("\udcff\udc80")");
  CHECK(json_text("\xc3") == R"("\udcc3")");                      // cut off
  CHECK(json_text("\xc0\xaf") == R"("\udcc0\udcaf")");            // too long
  CHECK(json_text("\xed\xa0\x80") == R"("\udced\udca0\udc80")");  // half of a pair
  CHECK(json_text("\xf5\x80\x80\x80") == R"("\udcf5\udc80\udc80\udc80")");
}

TEST_CASE("entry text: JSON of an entry, with times before 1970", "[unit][tool]") {
  WalkEntry entry;
  entry.attr.ino = Ino{5};
  entry.attr.mode = 0120777;
  entry.attr.nlink = 1;
  entry.attr.mtime = {-1, 500'000'000};
  entry.target = "x";
  CHECK(
      entry_json("p", entry) ==
      R"({"path":"p","type":"l","ino":5,"mode":"0777","nlink":1,"uid":0,"gid":0,"size":0,"blocks":0,)"
      R"("atime":0.000000000,"mtime":-0.500000000,"ctime":0.000000000,"btime":0.000000000,"target":"x"})");
}

TEST_CASE("entry text: names as find -ls quotes them", "[unit][tool]") {
  CHECK(quoted_text("a b\n\t\\\"\xff\x01") == R"(a\ b\n\t\\\"\377\001)");
}

}  // namespace
}  // namespace artfs::tool
