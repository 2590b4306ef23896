// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "format/key.hpp"

namespace artfs::format {
namespace {

TEST_CASE("format key: keys of each class are spelled as the design says", "[unit][format]") {
  using namespace std::string_literals;
  const std::string number = "\0\0\0\0\0\0\x01\x02"s;
  CHECK(dirent_key(Ino{0x102}, "name").view() == "d/" + number + "/name");
  CHECK(inode_key(Ino{0x102}).view() == "i/" + number);
  CHECK(extent_key(Ino{0x102}, 0x102).view() == "e/" + number + "/" + number);
  CHECK(xattr_key(Ino{0x102}, "user.a").view() == "x/" + number + "/user.a");
  CHECK(orphan_key(Ino{0x102}).view() == "o/" + number);
  CHECK(logged_key(Ino{0x102}, 0x102).view() == "p/" + number + "/" + number);
  CHECK(parse_key(logged_key(Ino{0x102}, 7))->number == 7);
}

TEST_CASE("format key: key order is the order of the numbers", "[unit][format]") {
  CHECK(inode_key(Ino{0xff}).view() < inode_key(Ino{0x100}).view());
  CHECK(inode_key(Ino{~std::uint64_t{0} - 1}).view() < inode_key(Ino{~std::uint64_t{0}}).view());
  CHECK(extent_key(Ino{7}, 255).view() < extent_key(Ino{7}, 256).view());
}

TEST_CASE("format key: what was made is taken apart again, for any bytes in names",
          "[unit][format]") {
  const std::string name = std::string("a\xff\n/", 4) + std::string(251, 'z');
  const Key dirent_bytes = dirent_key(Ino{42}, name);  // what parse_key returns points into it
  const auto dirent = parse_key(dirent_bytes);
  REQUIRE(dirent.has_value());
  CHECK(dirent->kind == 'd');
  CHECK(dirent->ino == Ino{42});
  CHECK(dirent->name == name);
  const auto extent = parse_key(extent_key(Ino{0x2f2f2f2f2f2f2f2f}, 0x2f));
  REQUIRE(extent.has_value());
  CHECK(extent->ino == Ino{0x2f2f2f2f2f2f2f2f});
  CHECK(extent->block == 0x2f);
  CHECK(parse_key(inode_key(Ino{1}))->kind == 'i');
  CHECK(parse_key(orphan_key(Ino{1}))->kind == 'o');
  const Key xattr = xattr_key(Ino{1}, "user.x");
  CHECK(parse_key(xattr)->name == "user.x");
}

TEST_CASE("format key: nothing else is accepted", "[unit][format]") {
  const std::vector<std::string> whole = {
      std::string(dirent_key(Ino{1}, "n").view()), std::string(inode_key(Ino{1}).view()),
      std::string(extent_key(Ino{1}, 2).view()), std::string(xattr_key(Ino{1}, "n").view()),
      std::string(orphan_key(Ino{1}).view())};
  for (const std::string& key : whole) {
    for (std::size_t bytes = 0; bytes < key.size(); ++bytes) {
      CHECK_FALSE(parse_key(std::string_view(key).substr(0, bytes)).has_value());
    }
  }
  CHECK_FALSE(parse_key(whole[1] + "x").has_value());
  CHECK_FALSE(parse_key(whole[2] + "x").has_value());
  CHECK_FALSE(parse_key(dirents_prefix(Ino{1})).has_value());
  CHECK_FALSE(parse_key(numbers_prefix(Ino{1})).has_value());
  CHECK_FALSE(parse_key(number_key(Ino{1}, 7).add("x")).has_value());
  const Key numbered = number_key(Ino{1}, 7);
  REQUIRE(parse_key(numbered).has_value());
  CHECK(parse_key(numbered)->number == 7);
  CHECK(parse_key(numbered)->kind == 'n');
  CHECK_FALSE(parse_key(inode_key(Ino{0})).has_value());
  std::string unknown = whole[1];
  unknown[0] = 'q';
  CHECK_FALSE(parse_key(unknown).has_value());
  const std::string too_long = std::string(dirents_prefix(Ino{1}).view()) + std::string(256, 'n');
  CHECK_FALSE(parse_key(too_long).has_value());
}

}  // namespace
}  // namespace artfs::format
