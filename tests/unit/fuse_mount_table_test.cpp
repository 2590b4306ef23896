// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fuse/mount_table.hpp"

using namespace artfs::fuse;

namespace {

constexpr std::string_view table_text =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 22 0:40 / /mnt/a\\040b rw,nosuid - fuse.artfs /srv/st\\134ore rw,user_id=0\n"
    "41 22 0:41 / /mnt/c rw,relatime shared:9 master:3 - tmpfs tmpfs rw\n"
    "42 41 0:42 / /mnt/c rw - fuse.artfs /srv/two rw\n"
    "broken line\n";

}  // namespace

TEST_CASE("mount table: fields are found behind any number of tags and unescaped", "[unit][fuse]") {
  const auto table = parse_mount_table(table_text);
  REQUIRE(table.size() == 4);
  CHECK(table[1].mount_point == "/mnt/a b");
  CHECK(table[1].type == filesystem_type);
  CHECK(table[1].source == "/srv/st\\ore");
  CHECK(table[1].device == "0:40");
  CHECK(table[2].type == "tmpfs");
}

TEST_CASE("mount table: the topmost mount of a place is the one that counts", "[unit][fuse]") {
  const auto table = parse_mount_table(table_text);
  const auto there = mount_at(table, "/mnt/c");
  REQUIRE(there);
  CHECK(there->source == "/srv/two");
  CHECK_FALSE(mount_at(table, "/mnt"));
}

TEST_CASE("mount table: a store is found by its path", "[unit][fuse]") {
  const auto table = parse_mount_table(table_text);
  REQUIRE(mount_of_store(table, "/srv/two"));
  CHECK(mount_of_store(table, "/srv/two")->mount_point == "/mnt/c");
  CHECK_FALSE(mount_of_store(table, "tmpfs"));
}

TEST_CASE("canonical path: links are resolved, what is missing is an error", "[unit][fuse]") {
  CHECK(canonical_path("/proc/../tmp/.") == std::string("/tmp"));
  CHECK_FALSE(canonical_path("/no/such/place"));
  CHECK_FALSE(canonical_path("/tmp/no-such-name-here"));
}
