// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tool/path_stack.hpp"

using artfs::Errc;
using artfs::Result;
using artfs::tool::clean_path;
using artfs::tool::join_path;
using artfs::tool::PathStack;
using artfs::tool::split_path;

namespace {

// Opens by appending, and remembers what it opened.
struct Opener {
  std::vector<std::string>& opened;

  Result<std::string> operator()(const std::string& directory, const std::string& name) const {
    if (name == "missing") return artfs::fail(Errc::entry_not_found);
    opened.push_back(directory + "/" + name);
    return opened.back();
  }
};

}  // namespace

TEST_CASE("tool path: an archive's names lose what leads nowhere, and may not lead out",
          "[unit][tool]") {
  CHECK(clean_path("a/b").value() == "a/b");
  CHECK(clean_path("./a//b/./c/").value() == "a/b/c");
  CHECK(clean_path("/absolute").value() == "absolute");
  CHECK(clean_path("").value().empty());
  CHECK(clean_path(".").value().empty());
  CHECK(clean_path("///").value().empty());
  CHECK(clean_path("...").value() == "...");
  CHECK(clean_path("a/..b").value() == "a/..b");
  for (const char* const bad : {"..", "../a", "a/..", "a/../b", "/..", "a/b/../../..", "./.."}) {
    CAPTURE(bad);
    const Result<std::string> cleaned = clean_path(bad);
    REQUIRE(!cleaned);
    CHECK(cleaned.error().code == Errc::name_invalid);
  }
}

TEST_CASE("tool path: split and join are each other's inverse", "[unit][tool]") {
  CHECK(split_path("a/b/c").parent == "a/b");
  CHECK(split_path("a/b/c").name == "c");
  CHECK(split_path("a").parent.empty());
  CHECK(split_path("").name.empty());
  for (const char* const path : {"a/b/c", "a/b", "a", ""}) {
    CHECK(join_path(split_path(path).parent, split_path(path).name) == path);
  }
}

TEST_CASE("tool path: a stack opens only what a path does not share with the last one",
          "[unit][tool]") {
  std::vector<std::string> opened;
  const Opener open{opened};
  PathStack<std::string> stack("");
  CHECK(*stack.find("", open).value() == "");
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(opened.size() == 3);
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(*stack.find("a/b", open).value() == "/a/b");
  CHECK(opened.size() == 3);
  // A name that begins like another is another.
  CHECK(*stack.find("a/bb", open).value() == "/a/bb");
  CHECK(*stack.find("a/b", open).value() == "/a/b");
  CHECK(opened.size() == 5);
  CHECK(*stack.find("aa", open).value() == "/aa");
  CHECK(*stack.find("", open).value() == "");
  CHECK(opened.size() == 6);
}

TEST_CASE("tool path: a stack keeps what it could open, and forgets what it is told to",
          "[unit][tool]") {
  std::vector<std::string> opened;
  const Opener open{opened};
  PathStack<std::string> stack("");
  CHECK(stack.find("a/missing/c", open).error().code == Errc::entry_not_found);
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(opened.size() == 3);
  stack.forget("a/bb");
  stack.forget("a/b/c/d");
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(opened.size() == 3);
  stack.forget("a/b");
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(opened.size() == 5);
  stack.forget("");
  CHECK(*stack.find("a/b/c", open).value() == "/a/b/c");
  CHECK(opened.size() == 8);
}
