// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tool/arguments.hpp"

namespace {

using Words = std::vector<std::string>;

Words of(Words words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return artfs::tool::arguments_of(argv);
}

}  // namespace

TEST_CASE("arguments: under its own name the program takes them as they are", "[unit][tool]") {
  CHECK(of({"/usr/bin/artfs", "mount", "-f", "a", "b"}) == Words{"mount", "-f", "a", "b"});
  CHECK(of({"artfs"}).empty());
}

TEST_CASE("arguments: the helper names stand for their subcommands", "[unit][tool]") {
  CHECK(of({"/sbin/mkfs.artfs", "-L", "x", "s"}) == Words{"mkfs", "-L", "x", "s"});
  CHECK(of({"fsck.artfs", "-n", "s"}) == Words{"fsck", "-n", "s"});
}

TEST_CASE("arguments: flags of mount(8) get their meaning there, not ours", "[unit][tool]") {
  CHECK(of({"mount.artfs", "s", "m", "-o", "rw,nofail"}) ==
        Words{"mount", "s", "m", "-o", "rw,nofail"});
  CHECK(of({"mount.artfs", "s", "m", "-f"}) == Words{"mount", "s", "m", "--fake"});
  CHECK(of({"mount.artfs", "s", "m", "-nvs", "-t", "artfs", "-N", "ns"}) ==
        Words{"mount", "s", "m", "--sloppy"});
  CHECK(of({"mount.artfs", "--help"}) == Words{"mount", "--help"});
}

TEST_CASE("arguments: the words of find are no options to be taken apart", "[unit][tool]") {
  CHECK(of({"artfs", "find", "/mnt", "-name", "x"}) == Words{"find", "--", "/mnt", "-name", "x"});
  CHECK(of({"artfs", "find", "--help"}) == Words{"find", "--help"});
  CHECK(of({"artfs", "find"}) == Words{"find"});
}
