// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "format/dirent.hpp"
#include "format/inode.hpp"
#include "format/key.hpp"
#include "format/logged.hpp"
#include "tool/key_text.hpp"

using namespace artfs;
using namespace artfs::tool;

TEST_CASE("key text: every byte is printable and none is lost", "[unit][tool]") {
  CHECK(escaped_text("plain") == "plain");
  CHECK(escaped_text(std::string_view("a\0\n\\\xff", 5)) == "a\\x00\\x0a\\x5c\\xff");
}

TEST_CASE("key text: numbers of volume keys are decimal", "[unit][tool]") {
  CHECK(volume_key_text(format::dirent_key(Ino{1}, "na\tme")) == "d/1/na\\x09me");
  CHECK(volume_key_text(format::inode_key(Ino{4711})) == "i/4711");
  CHECK(volume_key_text(format::extent_key(Ino{42}, 7)) == "e/42/7");
  CHECK(volume_key_text(format::xattr_key(Ino{42}, "user.x")) == "x/42/user.x");
  CHECK(volume_key_text(format::orphan_key(Ino{3})) == "o/3");
  CHECK(volume_key_text("something else") == "something else");
}

TEST_CASE("key text: a prefix as shown finds the keys it is shown in", "[unit][tool]") {
  CHECK(volume_key_prefix("d/1/") == format::dirents_prefix(Ino{1}).view());
  CHECK(volume_key_text(format::number_key(Ino{1}, 70)) == "n/1/70");
  CHECK(volume_key_prefix("n/1/70") == format::number_key(Ino{1}, 70).view());
  CHECK(volume_key_prefix("d/1/ab") == format::dirent_key(Ino{1}, "ab").view());
  CHECK(volume_key_prefix("i/4711") == format::inode_key(Ino{4711}).view());
  CHECK(volume_key_prefix("e/42/7") == format::extent_key(Ino{42}, 7).view());
  CHECK(volume_key_prefix("e/42/") == format::extents_prefix(Ino{42}).view());
  CHECK(volume_key_prefix("d/") == "d/");
  CHECK(volume_key_prefix("").empty());
}

TEST_CASE("key text: dirents and inodes are told, the rest is bytes", "[unit][tool]") {
  const std::string dirent = format::encode(format::first_entry(Ino{9}, format::mode_regular));
  CHECK(volume_value_text(format::dirent_key(Ino{1}, "x"), dirent) == "inode 9 type 100000");
  CHECK(volume_value_text(format::dirent_key(Ino{1}, "x"), "bad") == "bad");
  const format::Dirent linked{.ino = Ino{9}, .type = format::mode_regular, .number = 70};
  CHECK(volume_value_text(format::dirent_key(Ino{1}, "x"), format::encode(linked)) ==
        "inode 9 type 100000 number 70");
  CHECK(volume_value_text(format::number_key(Ino{1}, 70),
                          format::encode_by_number({.dirent = linked, .name = "a\n"})) ==
        "inode 9 type 100000 number 70 name a\\x0a");
  CHECK(volume_value_text(format::xattr_key(Ino{1}, "user.x"), "v\n") == "v\\x0a");
}

TEST_CASE("key text: a logged write tells where its bytes stand", "[unit][tool]") {
  const format::Key key = format::logged_key(Ino{9}, 3);
  CHECK(volume_key_text(key) == "p/9/3");
  CHECK(volume_key_prefix("p/9/3") == key.view());
  const format::LoggedWrite write{.size = 9000,
                                  .cut = 100,
                                  .cleared = {{.first = 2, .count = 3}},
                                  .spans = {{.offset = 50, .bytes = "abc"}}};
  CHECK(volume_value_text(key, format::encode(write)) == "size 9000 cut 100 clear 2+3 write 50+3");
  CHECK(volume_value_text(key, "bad") == "bad");
}

TEST_CASE("Escaped text goes back to the same bytes, and nothing else is taken", "[tool]") {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every.push_back(static_cast<char>(byte));
  CHECK(artfs::tool::unescaped_text(artfs::tool::escaped_text(every)) == every);
  CHECK(artfs::tool::unescaped_text("") == "");
  CHECK(artfs::tool::unescaped_text("a\\x5Cb") == "a\\b");
  for (const char* wrong : {"\\", "\\x", "\\x1", "\\n", "\\xg0", "a\\x-1", "\\x+1", "\\X41"}) {
    CAPTURE(wrong);
    CHECK_FALSE(artfs::tool::unescaped_text(wrong));
  }
}

TEST_CASE("key text: the flags of an inode are letters, and nothing when there are none",
          "[unit][tool]") {
  format::Inode inode;
  inode.mode = format::mode_fifo | 0600;
  inode.nlink = 1;
  std::string record;
  format::encode(inode, record);
  CHECK(volume_value_text(format::inode_key(Ino{9}), record).find("flags") == std::string::npos);
  inode.flags = format::inode_immutable | format::inode_noatime;
  format::encode(inode, record);
  CHECK(volume_value_text(format::inode_key(Ino{9}), record).find(" flags iA") !=
        std::string::npos);
}
