// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "fuse/access_times.hpp"
#include "fuse/mount_options.hpp"

using artfs::Durability;
using artfs::fuse::MountOptions;
using artfs::fuse::parse_bytes;
using artfs::fuse::parse_mount_options;

namespace {

MountOptions parsed(const std::string& list) {
  const auto options = parse_mount_options({list}, false);
  REQUIRE(options);
  return *options;
}

bool has_kernel_word(const MountOptions& options, const std::string& word) {
  return std::count(options.kernel.begin(), options.kernel.end(), word) > 0;
}

}  // namespace

TEST_CASE("mount options: our own words set what they name", "[unit][fuse]") {
  const MountOptions options = parsed(
      "cache=32M,commit=0.25,checkpoint=0.5,durability=strict,write_buffer=2M,threads=7,log=/tmp/"
      "l");
  CHECK(options.volume.store.cache_bytes == 32 * artfs::mib);
  CHECK(options.volume.store.commit_interval.count() == 250);
  CHECK(options.volume.store.checkpoint_interval.count() == 500);
  CHECK(options.volume.store.durability == Durability::strict);
  CHECK(options.volume.write_buffer_bytes == 2 * artfs::mib);
  CHECK(options.threads_max == 7);
  CHECK(options.log_file == "/tmp/l");
}

TEST_CASE("mount options: the block cache has a size, which may be none, and a policy",
          "[unit][fuse]") {
  CHECK(parsed("").volume.block_cache_policy == artfs::BlockCachePolicy::multi_lru);
  CHECK(parsed("block_cache=8M").volume.block_cache_bytes == 8 * artfs::mib);
  CHECK(parsed("block_cache=0").volume.block_cache_bytes == 0);
  const auto policy = [](const std::string& word) {
    return parsed("block_cache_policy=" + word).volume.block_cache_policy;
  };
  CHECK(policy("fifo") == artfs::BlockCachePolicy::fifo);
  CHECK(policy("lru") == artfs::BlockCachePolicy::lru);
  CHECK(policy("multi_lru") == artfs::BlockCachePolicy::multi_lru);
  CHECK(policy("lineage") == artfs::BlockCachePolicy::lineage);
}

TEST_CASE("mount options: what is shown of the inside, and how long a request may take",
          "[unit][fuse]") {
  CHECK(parsed("").inside);
  CHECK_FALSE(parsed("inside=off").inside);
  CHECK(parsed("inside=off,inside=on").inside);
  CHECK(parsed("").watchdog == std::chrono::milliseconds(10000));
  CHECK(parsed("watchdog=0").watchdog == std::chrono::milliseconds(0));
  CHECK(parsed("watchdog=0.5").watchdog == std::chrono::milliseconds(500));
  for (const char* wrong : {"inside=yes", "inside=", "watchdog=", "watchdog=-1", "watchdog=0.05",
                            "watchdog=90000", "watchdog=1s"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_mount_options({wrong}, false));
  }
}

TEST_CASE("mount options: fstab words are accepted and do nothing", "[unit][fuse]") {
  const MountOptions options = parsed(
      "defaults,nofail,_netdev,user,noauto,x-systemd.automount,x-systemd.requires=a,comment=b,,");
  const MountOptions none = parsed("");
  CHECK(options.kernel == none.kernel);
  CHECK(options.volume.store.read_only == false);
}

TEST_CASE("mount options: the last of ro and rw wins", "[unit][fuse]") {
  CHECK(parsed("rw,ro").volume.store.read_only);
  CHECK(has_kernel_word(parsed("rw,ro"), "ro"));
  CHECK_FALSE(parsed("ro,rw").volume.store.read_only);
  CHECK_FALSE(has_kernel_word(parsed("ro,rw"), "ro"));
}

TEST_CASE("mount options: a comma inside a value is escaped", "[unit][fuse]") {
  CHECK(parsed("log=a\\,b").log_file == "a,b");
  CHECK(has_kernel_word(parsed("context=\"x:y:s0:c1\\,c2\""), "context=\"x:y:s0:c1,c2\""));
}

TEST_CASE("mount options: unknown words are named, or ignored when sloppy", "[unit][fuse]") {
  const auto refused = parse_mount_options({"ro,nonsense"}, false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().find("nonsense") != std::string::npos);
  CHECK(parse_mount_options({"ro,nonsense"}, true));
}

TEST_CASE("mount options: values out of range are refused", "[unit][fuse]") {
  for (const char* word :
       {"cache=1M", "cache=", "cache=x", "cache=9999999999T", "commit=0", "commit=1h",
        "commit=4000", "checkpoint=0.05", "durability=", "durability=often", "threads=0",
        "threads=2000", "write_buffer=1K", "block_cache_policy=mru", "block_cache=much"}) {
    CAPTURE(word);
    CHECK_FALSE(parse_mount_options({word}, false));
  }
}

TEST_CASE("mount options: other users may enter by default exactly when root mounts",
          "[unit][fuse]") {
  CHECK(parsed("").allow_other == (::geteuid() == 0));
  CHECK(parsed("allow_other").allow_other);
  CHECK_FALSE(parsed("noallow_other").allow_other);
}

TEST_CASE("sizes: binary suffixes", "[unit][fuse]") {
  CHECK(parse_bytes("0") == 0U);
  CHECK(parse_bytes("4096") == 4096U);
  CHECK(parse_bytes("64k") == 65536U);
  CHECK(parse_bytes("1G") == artfs::gib);
  CHECK(parse_bytes("2MiB") == 2 * artfs::mib);
  for (const char* text : {"", "K", "-1", "1KK", "1.5M", "1 M", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bytes(text));
  }
}

TEST_CASE("mount options: the last word on access times wins, directories have one of their own",
          "[unit][fuse]") {
  using artfs::AccessTimePolicy;
  using artfs::AccessTimes;
  const auto policy = [](const std::string& list) { return parsed(list).volume.access_times; };
  CHECK(policy("") == AccessTimePolicy{});
  CHECK(policy("noatime").kind == AccessTimes::noatime);
  CHECK(policy("noatime,relatime") == AccessTimePolicy{});
  CHECK(policy("relatime,strictatime,nodiratime") ==
        AccessTimePolicy{.kind = AccessTimes::strictatime, .directories = false});
  CHECK(policy("nodiratime,diratime") == AccessTimePolicy{});
  CHECK_FALSE(has_kernel_word(parsed("noatime"), "noatime"));
}

TEST_CASE("mount options: ACLs are on unless noacl comes last", "[unit][fuse]") {
  CHECK(parsed("").acl);
  CHECK_FALSE(parsed("acl,noacl").acl);
  CHECK(parsed("noacl,acl").acl);
}

TEST_CASE("mount options: a remount knows what it can change", "[unit][fuse]") {
  const auto options =
      parse_mount_options({"remount,ro,noatime,cache=16M,user_id=0,group_id=0,noacl,rw"}, false);
  REQUIRE(options);
  CHECK(options->remount);
  CHECK(options->remount_words == std::vector<std::string>{"noatime", "rw"});
  CHECK(options->own_words == std::vector<std::string>{"cache=16M", "noacl"});
  CHECK_FALSE(parse_mount_options({"rw"}, false)->remount);
}

TEST_CASE("access times: what the mount table shows is understood", "[unit][fuse]") {
  using artfs::AccessTimePolicy;
  using artfs::AccessTimes;
  using artfs::fuse::policy_of_flags;
  CHECK(policy_of_flags("rw,nosuid,relatime") == AccessTimePolicy{});
  CHECK(policy_of_flags("rw,noatime").kind == AccessTimes::noatime);
  CHECK(policy_of_flags("rw") == AccessTimePolicy{.kind = AccessTimes::strictatime});
  CHECK_FALSE(policy_of_flags("rw,nodiratime,relatime").directories);
}
